#!/usr/bin/env python3
"""Write the toy corpus (`data/toy`): `python scripts/make_toy_corpus.py [--output FOLDER] [--seed N]`."""

from __future__ import annotations

import sys

from toy_corpus.writer import main

if __name__ == "__main__":
    sys.exit(main())
