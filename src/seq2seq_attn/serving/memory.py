"""A server sees batches of ever new shapes; what is kept for each shape must not fill its memory."""

from __future__ import annotations

import os

KEPT = 128
"""Prepared products that are kept, in place of 1,024: one for each matrix and each number of rows."""

VARIABLES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Of oneDNN itself and of torch's layer above it."""


def bound_caches() -> None:
    """Bound what oneDNN keeps, where the user has not; it looks at the environment once, when torch is imported."""
    for variable in VARIABLES:
        os.environ.setdefault(variable, str(KEPT))
