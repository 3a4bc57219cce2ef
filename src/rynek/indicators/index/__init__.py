"""The composite index, by the OECD/JRC Handbook on Constructing Composite Indicators (2008)."""
