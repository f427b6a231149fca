"""A web page and a JSON interface in front of trained models."""
