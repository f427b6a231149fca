"""Write `configs/schema.json`, by which editors complete and check configuration files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from seq2seq_attn.config import json_schema
from seq2seq_attn.files import write_atomic

DEFAULT = Path(__file__).resolve().parent.parent / "configs" / "schema.json"


def main() -> None:
    """Write the schema to the file asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DEFAULT, help="file to write (default: %(default)s)")
    output: Path = parser.parse_args().output
    write_atomic(output, json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
