#!/usr/bin/env python3
"""Train attention mechanisms on the toy corpus and compare them: `python scripts/attention_gallery.py [--help]`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    # By name: the parts lie beside this script, where only a script that is run by path finds them.
    sys.exit(import_module("benchmarking.gallery").main())
