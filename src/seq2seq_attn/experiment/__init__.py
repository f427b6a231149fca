"""Whole experiments: the only place where configuration, data, model, training and search meet."""
