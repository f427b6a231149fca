#!/usr/bin/env python
"""Fetch a real corpus into ``data/``: ``python scripts/download.py multi30k``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seq2seq_attn.data.download import CORPORA, download_corpus
from seq2seq_attn.errors import Seq2SeqError


def main() -> int:
    """Read the command line and download; return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch a real corpus: checked, and resumed where it was cut.")
    parser.add_argument("corpus", help=f"one of: {', '.join(CORPORA)}")
    parser.add_argument("--output", type=Path, default=Path("data"), help="folder of all corpora (default: data)")
    parser.add_argument("--base-url", help="a mirror that has the publisher's files")
    options = parser.parse_args()
    try:
        folder = download_corpus(
            options.corpus,
            options.output,
            base_url=options.base_url,
            report=lambda line: print(line, file=sys.stderr),
        )
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
