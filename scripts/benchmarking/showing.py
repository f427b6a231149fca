"""Trained mechanisms side by side: as text, as a Markdown table, as pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.files import write_atomic
from seq2seq_attn.visualization.gallery import Panel, draw_gallery
from seq2seq_attn.visualization.heatmap import draw_attention

from .exhibits import Exhibit
from .specs import file_name

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
"""Between these lines of a document stands what was measured."""


def format_plain(found: Sequence[Exhibit]) -> str:
    """Write a table for the screen."""
    width = max(len(exhibit.title) for exhibit in found)
    splits = list(found[0].bleu)
    gold = _gold(found)
    heads = [f"{'BLEU ' + split:>14}" for split in splits] + [f"{'AER ' + split:>13}" for split in gold]
    lines = ["  ".join([f"{'attention':<{width}}", *heads, "minutes"])]
    for exhibit in found:
        cells = [f"{exhibit.bleu.get(split, float('nan')):14.1f}" for split in splits]
        cells += [f"{_percent(exhibit, split):>13}" for split in gold]
        lines.append("  ".join([f"{exhibit.title:<{width}}", *cells, f"{exhibit.minutes:7.1f}"]))
    return "\n".join(lines)


def markdown_table(found: Sequence[Exhibit], costs: Mapping[str, float]) -> str:
    """Write a table for a document, with what it was measured on.

    Args:
        found: the mechanisms.
        costs: of a training step, as a ratio to luong-general; of none, of some or of all mechanisms.
    """
    splits, gold = list(found[0].bleu), _gold(found)
    head = ["attention", "wiring", *(["cost"] if costs else [])]
    head += [f"BLEU `{split}`" for split in splits] + [f"AER `{split}`, %" for split in gold] + ["minutes"]
    lines = [_row(head), _row(["---"] * 2 + ["---:"] * (len(head) - 2))]
    for exhibit in found:
        cost = [f"{costs[exhibit.name]:.2f}" if exhibit.name in costs else "-"] if costs else []
        bleu = [f"{exhibit.bleu[split]:.1f}" if split in exhibit.bleu else "-" for split in splits]
        errors = [_percent(exhibit, split) for split in gold]
        lines.append(_row([f"`{exhibit.title}`", exhibit.wiring, *cost, *bleu, *errors, f"{exhibit.minutes:.1f}"]))
    machines = "; ".join(sorted({exhibit.machine for exhibit in found}))
    return "\n".join([*lines, "", f"(`{found[0].signature}`; {machines})", ""])


def draw_exhibits(found: Sequence[Exhibit], output: Path, picture: Path) -> None:
    """Draw every mechanism that attends: each alone in ``output``, and all of them in ``picture``."""
    panels = []
    for exhibit in found:
        if exhibit.weights:
            weights = np.array(exhibit.weights)
            panels.append(Panel(exhibit.title, weights, exhibit.source_tokens, exhibit.target_tokens))
            alone = output / f"{file_name(exhibit.name)}.png"
            draw_attention(weights, exhibit.source_tokens, exhibit.target_tokens, alone, title=exhibit.title)
    if panels:
        draw_gallery(panels, picture)


def fill_document(path: Path, table: str, picture: Path) -> None:
    """Put picture and table between the markers of a document.

    Raises:
        ConfigError: if the document has no such place.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ConfigError(f"{path}: needs the lines {BEGIN} and {END}, once each, around what is replaced")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    place = os.path.relpath(picture.resolve(), path.resolve().parent)
    shown = f"![Where each mechanism looked while it wrote the same sentence]({Path(place).as_posix()})"
    write_atomic(path, f"{before}{BEGIN}\n\n{shown}\n\n{table}\n{END}{after}")


def _gold(found: Sequence[Exhibit]) -> list[str]:
    """List the test sets that alignments were judged on."""
    return list(dict.fromkeys(split for exhibit in found for split in exhibit.alignment_errors))


def _percent(exhibit: Exhibit, split: str) -> str:
    rate = exhibit.alignment_errors.get(split)
    return "-" if rate is None else f"{100 * rate:.1f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
