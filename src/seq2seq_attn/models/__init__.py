"""Whole models: what training and search call."""
