"""One folder for each kind of feed; none imports another (import-linter checks it)."""
