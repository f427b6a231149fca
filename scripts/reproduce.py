#!/usr/bin/env python3
"""Try a paper's result again, in small: `python scripts/reproduce.py NAME [--corpus toy|multi30k|tatoeba]`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    # By name: the parts lie beside this script, where only a script that is run by path finds them.
    sys.exit(import_module("reproductions.command").main())
