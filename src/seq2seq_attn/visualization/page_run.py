"""What a page says of a run beside its scores: its configuration, how it learned, how its attention came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.evaluation.diagnostics import MeanDiagnostics
from seq2seq_attn.visualization.page import Markup, details, element, escape, join, sentence, table
from seq2seq_attn.visualization.page_attention import draw_matrix
from seq2seq_attn.visualization.page_curves import Curve, Plot, draw_plot

_DRAWN = (
    ("normalized_entropy", "entropy, as a share of the largest"),
    ("coverage_deviation", "coverage deviation"),
    ("monotonicity", "steps that do not go back"),
    ("end_share", "weight on the end of the sentence"),
)


@dataclass(frozen=True)
class CheckpointAttention:
    """What the attention of one checkpoint was like, all on the same sentences and their reference translations.

    Attributes:
        name: of the checkpoint.
        step: optimizer steps made.
        marks: ``best``, ``last``, or nothing.
        diagnostics: means over the sentences.
        diagonal_share: mean share of the weight near the diagonal.
        error_rate: of word alignments against gold ones; None without these.
        weights: on one sentence, the same for all checkpoints; shape (target tokens, source tokens).
    """

    name: str
    step: int
    marks: str
    diagnostics: MeanDiagnostics
    diagonal_share: float
    error_rate: float | None
    weights: NDArray[np.floating]


@dataclass(frozen=True)
class AttentionHistory:
    """How attention came about, checkpoint by checkpoint.

    Attributes:
        checkpoints: those that were kept, in the order of their steps.
        source: the sentence that all of them are shown on.
        target: its reference translation, which the model was made to write.
        source_tokens: of the sentence.
        tokens: of the translation.
        remarks: what could not be looked at, and why.
    """

    checkpoints: Sequence[CheckpointAttention]
    source: str = ""
    target: str = ""
    source_tokens: Sequence[str] = ()
    tokens: Sequence[str] = ()
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class RunPage:
    """All that the page says of a run itself.

    Attributes:
        corpora: keys of the configuration that say what the text was, with their values.
        changed: keys that differ from their defaults: value and default.
        settings: the whole configuration, as YAML.
        plots: of the training.
        validations: what was logged, a row for each validation, its titles first.
        attention: over the training; None where it was not looked at.
        remarks: what is not known of the run, and why.
    """

    corpora: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]
    settings: str
    plots: Sequence[Plot]
    validations: Sequence[Sequence[str]]
    attention: AttentionHistory | None
    remarks: Sequence[str]


def run_parts(run: RunPage, languages: tuple[str, str]) -> dict[str, Markup]:
    """Return the sections of a page that are about the run itself, by their titles."""
    found = {"Configuration": _configuration(run), "Learning": _learning(run)}
    if run.attention is not None:
        found["Attention over training"] = _attention(run.attention, languages)
    return found


def _configuration(run: RunPage) -> Markup:
    parts = [table(["key", "value"], [*map(list, run.corpora.items())], caption="Text", kind="text")]
    rows = [[key, value, default] for key, (value, default) in run.changed.items()]
    if rows:
        caption = "What differs from the defaults"
        parts.insert(0, table(["key", "value", "default"], rows, caption=caption, kind="text"))
    else:
        parts.insert(0, element("p", "Everything but the text is as it is by default."))
    scrolled = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": "all settings"}
    lines = Markup("\n".join(map(escape, run.settings.split("\n"))))
    parts.append(details("All settings", element("pre", lines, attributes=scrolled)))
    return join(parts)


def _learning(run: RunPage) -> Markup:
    parts = [element("p", remark) for remark in run.remarks]
    plots = [drawn for plot in run.plots if (drawn := draw_plot(plot)) is not None]
    if plots:
        parts.append(element("div", *plots, attributes={"class": "plots"}))
    if run.validations:
        head, *rows = run.validations
        parts.append(details("Every validation", table(head, rows, caption="Validations, as they were logged")))
    return join(parts)


def _attention(found: AttentionHistory, languages: tuple[str, str]) -> Markup:
    parts = [element("p", remark) for remark in found.remarks]
    if not found.checkpoints:
        return join(parts)
    counted = found.checkpoints[0].diagnostics.sentences
    text = (
        f"Each checkpoint that was kept, made to write the reference translations of {counted:,} validation "
        "sentences: the same tokens for all of them, so what differs is where they look."
    )
    parts.append(element("p", text, attributes={"class": "quiet"}))
    parts.append(_table(found.checkpoints))
    if len(found.checkpoints) > 1:
        parts.append(element("div", *_plots(found.checkpoints), attributes={"class": "plots"}))
    drawn = [(one, draw_matrix(one.weights, found.source_tokens, found.tokens)) for one in found.checkpoints]
    matrices = [
        element("figure", element("figcaption", f"step {one.step:,}{one.marks and f' ({one.marks})'}"), matrix)
        for one, matrix in drawn
        if matrix is not None
    ]
    if matrices:
        source, target = languages
        rows = [["source", sentence(found.source, source)], ["reference", sentence(found.target, target)]]
        parts.append(table([], rows, caption="One sentence, at every checkpoint", kind="text"))
        scrolled = {"class": "scroll multiples", "tabindex": "0", "role": "region", "aria-label": "one sentence"}
        parts.append(element("div", *matrices, attributes=scrolled))
    return join(parts)


def _table(checkpoints: Sequence[CheckpointAttention]) -> Markup:
    has_gold = any(one.error_rate is not None for one in checkpoints)
    head = ["checkpoint", *(title for _, title in _DRAWN), "weight near the diagonal"]
    rows = []
    for one in checkpoints:
        means = {} if one.diagnostics.mean is None else one.diagnostics.mean.to_dict()
        row = [f"{one.name}{one.marks and f' ({one.marks})'}"]
        row += [f"{means[name]:.3f}" if name in means else "" for name, _ in _DRAWN]
        row.append(f"{one.diagonal_share:.3f}")
        if has_gold:
            row.append("" if one.error_rate is None else f"{one.error_rate:.4f}")
        rows.append(row)
    if has_gold:
        head.append("alignment error rate")
    return table(head, rows, caption="Means over the sentences")


def _plots(checkpoints: Sequence[CheckpointAttention]) -> list[Markup]:
    curves = {}
    for name, title in _DRAWN:
        curves[title] = [
            (one.step, None if one.diagnostics.mean is None else one.diagnostics.mean.to_dict()[name])
            for one in checkpoints
        ]
    curves["weight near the diagonal"] = [(one.step, one.diagonal_share) for one in checkpoints]
    curves["alignment error rate"] = [(one.step, one.error_rate) for one in checkpoints]
    plots = (
        draw_plot(Plot(title, [Curve(title, points, marked=True)], from_zero=True)) for title, points in curves.items()
    )
    return [plot for plot in plots if plot is not None]
