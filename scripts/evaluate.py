"""Score a run on its test sets, or on files of your own: the same as ``seq2seq-attn evaluate``."""

from __future__ import annotations

import sys

from seq2seq_attn.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
