"""The log of a training as curves: what was learned, how fast, and what each validation found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seq2seq_attn.experiment.run_folder import METRICS
from seq2seq_attn.experiment.symptoms.reading import read_log
from seq2seq_attn.visualization.page_curves import Curve, Plot

_TRAINING = {
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm, before clipping",
    "tokens_per_second": "target tokens per second",
}
_METRICS = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "chrf++": "chrF++",
    "ter": "TER",
    "alignment_error_rate": "alignment error rate",
}
_NO_METRIC = frozenset({"kind", "step", "epoch", "loss", "perplexity", "seconds"})


@dataclass(frozen=True)
class Learning:
    """What ``metrics.jsonl`` holds, in the order of steps; a step that was made twice counts as it was made last.

    Attributes:
        training: a record for every few steps.
        validations: a record each.
    """

    training: Sequence[Mapping[str, Any]]
    validations: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, run: Path) -> Learning:
        """Read the log of a run; of a resumed one all of it is in one file. No file is an empty log."""
        found: dict[str, dict[float, Mapping[str, Any]]] = {"train": {}, "validation": {}}
        for record in read_log(run / METRICS):
            kind, step = record.get("kind"), _known(record.get("step"))
            if isinstance(kind, str) and kind in found and step is not None:
                found[kind][step] = record
        training, validations = ([steps[step] for step in sorted(steps)] for steps in found.values())
        return cls(training, validations)

    def plots(self) -> list[Plot]:
        """Return all that can be plotted; of what nothing is known, there is no plot."""
        loss = [
            Curve("training", _points(self.training, "loss")),
            Curve("validation", _points(self.validations, "loss"), marked=True),
        ]
        plots = [Plot("loss (nats per target token)", loss, steep=True)]
        for name in self._metrics():
            title = _METRICS.get(name, name)
            plots.append(Plot(f"validation {title}", [Curve(title, _points(self.validations, name), marked=True)]))
        for name, title in _TRAINING.items():
            curve = Curve(title, _points(self.training, name))
            is_norm = name == "gradient_norm"
            plots.append(Plot(title, [curve], steep=is_norm, from_zero=not is_norm))
        known = [replace(plot, curves=[one for one in plot.curves if _is_known(one)]) for plot in plots]
        return [plot for plot in known if plot.curves]

    def table(self) -> list[list[str]]:
        """Return a row for each validation, titles first; nothing without any."""
        if not self.validations:
            return []
        names = ["loss", "perplexity", *self._metrics()]
        head = ["step", "epoch", *(_METRICS.get(name, name) for name in names)]
        rows = [
            [f"{one['step']:,}", str(one.get("epoch", "")), *(_written(_known(one.get(name))) for name in names)]
            for one in self.validations
        ]
        return [head, *rows]

    def to_dict(self) -> dict[str, object]:
        """Return the records, ready for JSON."""
        return {
            "training": [dict(one) for one in self.training],
            "validations": [dict(one) for one in self.validations],
        }

    def _metrics(self) -> list[str]:
        names = dict.fromkeys(name for one in self.validations for name in one)
        return [
            name
            for name in names
            if name not in _NO_METRIC and any(_known(one.get(name)) is not None for one in self.validations)
        ]


def _points(records: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float | None]]:
    return [(float(one["step"]), _known(one.get(name))) for one in records]


def _is_known(curve: Curve) -> bool:
    return any(y is not None for _, y in curve.points)


def _known(value: object) -> float | None:
    """Return a number; None for whatever else stands in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _written(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if abs(value) < 100 else f"{value:,.1f}"
