"""Vectors times learned matrices: precision, kernels, and when gradients are made."""
