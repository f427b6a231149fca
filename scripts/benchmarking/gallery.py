"""The command line of ``scripts/attention_gallery.py``.

Every mechanism is trained alike, in a folder of its own, and leaves there what is compared. Collecting reads what
is finished, so mechanisms can be trained one at a time, on several machines, or again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from seq2seq_attn.attention import attention_names
from seq2seq_attn.errors import ConfigError, Seq2SeqError

from .exhibits import EXHIBIT, Example, choose_example, make_exhibit, place_of, read_exhibits
from .showing import draw_exhibits, fill_document, format_plain, markdown_table
from .specs import parse_spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, train what is wanted, show all there is; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except Seq2SeqError as error:
        print(f"attention_gallery: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("attention_gallery: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    output: Path = options.output
    if not options.collect:
        _train(options)
    found = read_exhibits(output, attention_names())
    if not found:
        raise ConfigError(
            f"{output}: holds no finished mechanism (no */{EXHIBIT}); train some first, without --collect"
        )
    costs = _read_costs(options.costs)
    picture = options.picture or output / "attention-gallery.png"
    draw_exhibits(found, output, picture)
    print(format_plain(found))
    print(f"({found[0].signature}; {found[0].machine})")
    table = markdown_table(found, costs)
    (output / "gallery.md").write_text(table, encoding="utf-8")
    whole = {exhibit.name: exhibit.to_dict() for exhibit in found}
    (output / "gallery.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.document is not None:
        fill_document(options.document, table, picture)
    print(picture)
    return 0


def _train(options: argparse.Namespace) -> None:
    specs = [parse_spec(text) for text in options.attention or attention_names()]
    # all of them before the first training: a mistake in the last one should not wait for hours
    places = [place_of(spec, options.config, options.overrides, options.output) for spec in specs]
    example = _example(options)
    for number, place in enumerate(places, start=1):
        there = place.finished(example)
        print(f"-- {place.spec.text} ({number} of {len(places)}){': there already' * there}", file=sys.stderr)
        if not there:
            make_exhibit(place, example)


def _example(options: argparse.Namespace) -> Example:
    if (options.sentence is None) != (options.reference is None):
        raise ConfigError("--sentence and --reference go together: a sentence and the translation that is written")
    if options.sentence is not None:
        return Example(options.sentence, options.reference)
    return choose_example(options.config, options.overrides)


def _read_costs(path: Path | None) -> dict[str, float]:
    """Read ratios from what ``benchmark.py attention --json`` printed."""
    if path is None:
        return {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["mechanisms"]
        return {row["name"]: float(row["ratio"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is not what benchmark.py attention --json prints ({error})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attention_gallery.py", description="Train attention mechanisms alike and compare what they learn."
    )
    parser.add_argument("--config", type=Path, default=Path("configs/toy.yaml"), help="default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/gallery"), help="default: %(default)s")
    parser.add_argument(
        "--attention",
        action="append",
        metavar="NAME",
        help="a mechanism, with parts or keys of the configuration if wanted: luong-general+normalize=sparsemax, "
        "luong-general+training.guided_alignment.weight=0.5; may be repeated; default: all there are",
    )
    parser.add_argument("--collect", action="store_true", help="train nothing, only show what is finished")
    parser.add_argument("--sentence", help="what the pictures show; default: one of the first test set")
    parser.add_argument("--reference", help="its translation, which every model is made to write")
    parser.add_argument("--picture", type=Path, help="where all of them are drawn; default: in the output folder")
    parser.add_argument("--costs", type=Path, help="a file that `benchmark.py attention --json` printed")
    parser.add_argument("--document", type=Path, help="a Markdown file whose measured table is replaced")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="of the configuration")
    return parser
