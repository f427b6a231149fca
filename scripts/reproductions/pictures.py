"""Pictures of results: bars of variants, lines over a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from seq2seq_attn.visualization.picture import picture_style, save_figure, visible

from .outcome import BLEU
from .results import Results
from .tables import HEADS

# after Okabe and Ito: told apart by the color-blind
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*"


def draw_bars(results: Results, whats: Sequence[str], output: Path, title: str) -> None:
    """Draw a panel for each number, with a bar for each variant: the main test set, and the spread over seeds."""
    whats = [what for what in whats if results.measured(what)] or [BLEU]
    with picture_style([title, *map(visible, results.variants), *HEADS.values()], output) as write:
        from matplotlib.figure import Figure

        names = [write(visible(name)) for name in results.variants]
        figure = Figure(figsize=(2.0 + 3.2 * len(whats), 1.4 + 0.42 * len(names)))
        panels = figure.subplots(1, len(whats), sharey=True, squeeze=False)[0]
        for axes, what in zip(panels, whats, strict=True):
            for place, variant in enumerate(results.variants):
                values = results.values(variant, what)
                if not values:
                    continue
                spread = stdev(values) if len(values) > 1 else None
                axes.barh(place, mean(values), xerr=spread, color=COLORS[0], height=0.65)
                axes.text(mean(values), place, f" {mean(values):.2f}", va="center", fontsize=8)
            axes.set_xlabel(HEADS[what])
            axes.margins(x=0.18)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_yticks(range(len(names)), labels=names, fontsize=9)
        panels[0].invert_yaxis()
        figure.suptitle(write(title), fontsize=11)
        figure.tight_layout()
        save_figure(figure, output)


def draw_lines(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], output: Path, *, title: str, across: str
) -> None:
    """Draw panels of lines.

    Args:
        panels: by the name of the vertical axis; lines by their names, each of points.
        output: a ``.png`` or ``.svg`` file.
        title: above all of them.
        across: the name of the horizontal axis.
    """
    texts = [title, across, *panels, *(name for lines in panels.values() for name in lines)]
    with picture_style(map(visible, texts), output) as write:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(1.8 + 4.0 * len(panels), 4.0))
        for axes, (name, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            for number, (label, points) in enumerate(lines.items()):
                axes.plot(
                    *zip(*points, strict=True),
                    color=COLORS[number % len(COLORS)],
                    marker=MARKERS[number % len(MARKERS)],
                    label=write(visible(label)),
                )
            axes.set_xlabel(write(visible(across)))
            axes.set_ylabel(write(visible(name)))
            axes.set_ylim(bottom=0.0)
            axes.grid(axis="y", color="0.9")
            axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        figure.suptitle(write(visible(title)), fontsize=11)
        figure.tight_layout()
        save_figure(figure, output)
