"""Handlers of the NGSI-LD API: they know values, not requests."""
