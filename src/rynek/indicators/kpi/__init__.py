"""Indicators over a city's history: a TOML file for each, and how they are computed."""
