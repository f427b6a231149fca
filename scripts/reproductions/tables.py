"""Tables of results, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .outcome import BLEU, ENTROPY, ERROR_RATE, NONZERO, PERPLEXITY
from .results import Results

HEADS = {
    BLEU: "BLEU",
    PERPLEXITY: "perplexity",
    ERROR_RATE: "AER, %",
    ENTROPY: "entropy, nats",
    NONZERO: "weights above 0, %",
}
DIGITS = {PERPLEXITY: 2, ENTROPY: 2}


@dataclass(frozen=True)
class Table:
    """Rows of cells below a head; the first column is text, all others are numbers.

    Attributes:
        head: names of the columns.
        rows: cells as text.
        note: what stands below it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """Write it for a document."""
        lines = [row(self.head), row(["---", *["---:"] * (len(self.head) - 1)]), *map(row, self.rows)]
        return "\n".join([*lines, *(["", self.note] if self.note else []), ""])


def row(cells: Sequence[str]) -> str:
    """Write a row; a cell cannot hold the sign that stands between cells."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def score_table(
    results: Results, columns: Sequence[str], published: Mapping[str, Mapping[str, str]] | None = None
) -> Table:
    """Show what was measured on every test set, and the numbers that the paper has for the same variant.

    Args:
        results: all numbers.
        columns: what is shown; what no variant has is left out.
        published: cells of the paper by their head, by variant.
    """
    splits = results.corpus.tests
    shown = [(what, split) for what in columns if results.measured(what) for split in splits]
    paper = list(dict.fromkeys(head for cells in (published or {}).values() for head in cells))
    head = ["model", *(f"{HEADS[what]} `{split}`" for what, split in shown), "parameters", "minutes"]
    rows = []
    for variant in results.variants:
        cells = [results.shown(variant, what, split, digits=DIGITS.get(what, 1)) for what, split in shown]
        ours = [results.outcomes[variant, seed] for seed in results.seeds]
        cells += [f"{ours[0].parameters:,}", f"{sum(one.minutes for one in ours) / len(ours):.1f}"]
        cells += [(published or {}).get(variant, {}).get(name, "-") for name in paper]
        rows.append([f"`{variant}`", *cells])
    note = "" if len(results.seeds) == 1 else f"Means over seeds {', '.join(map(str, results.seeds))} ± deviation."
    return Table([*head, *(f"paper: {name}" for name in paper)], rows, note)
