"""Models made ready for search: the same numbers, faster products."""
