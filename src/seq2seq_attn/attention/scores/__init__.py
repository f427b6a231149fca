"""Scores: how relevant is a key to a query?  One class per equation."""
