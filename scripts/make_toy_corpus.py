#!/usr/bin/env python3
"""Write the toy corpus (`data/toy`): `python scripts/make_toy_corpus.py [--output FOLDER] [--seed N]`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    # By name: the grammar lies beside this script, where only a script that is run by path finds it.
    sys.exit(import_module("toy_corpus.writer").main())
