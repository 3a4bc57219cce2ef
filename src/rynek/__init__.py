"""rynek: a city sees itself live, measures itself, and learns from other cities."""

__version__ = "0.1.0"
