"""The store of the live picture: its contract and the SQLite implementation."""
