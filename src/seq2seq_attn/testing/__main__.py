"""``python -m seq2seq_attn.testing NAME``: check mechanisms known by name, those of installed packages included."""

from __future__ import annotations

import argparse
import sys

from seq2seq_attn.attention import attention_names
from seq2seq_attn.errors import UserError
from seq2seq_attn.testing.kit import check_attention
from seq2seq_attn.testing.report import ConformanceError


def main(arguments: list[str] | None = None) -> int:
    """Print a report for every name; return 1 if a promise is broken, 2 if there is no such mechanism."""
    parser = argparse.ArgumentParser(
        prog="python -m seq2seq_attn.testing",
        description="Check that attention mechanisms keep the promises of the interface.",
        epilog=f"There are: {', '.join(attention_names())}.",
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="of a built-in or installed mechanism")
    status = 0
    for name in parser.parse_args(arguments).names:
        try:
            sys.stdout.write(f"{check_attention(name)}\n")
        except UserError as error:
            sys.stderr.write(f"error: {error}\n")
            return error.exit_status
        except ConformanceError as error:
            sys.stdout.write(f"{error.report or error}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
