"""Numbers about a running server, in the text format of Prometheus.

Version 0.0.4 of the format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

Values = tuple[str, ...]


class Metric(ABC):
    """A name, with a number for each combination of labels that was seen.

    Args:
        name: letters, digits and ``_``; the unit comes last, ``_total`` behind the unit of a counter.
        help_text: what it counts or measures.
        labels: their names.
    """

    kind = "untyped"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help_text = help_text
        self.labels = tuple(labels)

    def lines(self) -> Iterator[str]:
        """Give the lines of the text format."""
        yield f"# HELP {self.name} {_escape_help(self.help_text)}"
        yield f"# TYPE {self.name} {self.kind}"
        yield from self.samples()

    @abstractmethod
    def samples(self) -> Iterator[str]:
        """Give a line for each number."""

    def sample(self, value: float, values: Values, *, suffix: str = "", more: str = "") -> str:
        """Return one line."""
        written = [f'{label}="{_escape(of)}"' for label, of in zip(self.labels, values, strict=True)]
        written += [more] if more else []
        braces = f"{{{','.join(written)}}}" if written else ""
        return f"{self.name}{suffix}{braces} {_number(value)}"


class Counter(Metric):
    """What only grows."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, help_text, labels)
        self._values: dict[Values, float] = {} if labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Count one more, or as many as ``amount``."""
        self._values[values] = self._values.get(values, 0.0) + amount

    def samples(self) -> Iterator[str]:
        """Give a line for each combination of labels."""
        return (self.sample(value, values) for values, value in sorted(self._values.items()))


class Gauge(Metric):
    """What is looked up when somebody asks.

    Args:
        name: see :class:`Metric`.
        help_text: see :class:`Metric`.
        labels: see :class:`Metric`.
        look: gives the number of each combination of labels.
    """

    kind = "gauge"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, look: Callable[[], dict[Values, float]]
    ) -> None:
        super().__init__(name, help_text, labels)
        self._look = look

    def samples(self) -> Iterator[str]:
        """Give a line for each combination of labels."""
        return (self.sample(value, values) for values, value in sorted(self._look().items()))


class Histogram(Metric):
    """How often a number was at most as large as each of several bounds.

    Args:
        name: see :class:`Metric`.
        help_text: see :class:`Metric`.
        labels: see :class:`Metric`.
        bounds: upper ones, rising; infinity is added.
    """

    kind = "histogram"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = (), *, bounds: Sequence[float]) -> None:
        super().__init__(name, help_text, labels)
        self.bounds = (*bounds, math.inf)
        self._counts: dict[Values, list[int]] = {}
        self._sums: dict[Values, float] = {}

    def add(self, value: float, *values: str) -> None:
        """Count one number."""
        counts = self._counts.setdefault(values, [0] * len(self.bounds))
        counts[bisect_left(self.bounds, value)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + value

    def samples(self) -> Iterator[str]:
        """Give the lines of each combination of labels: buckets, sum and count."""
        for values, counts in sorted(self._counts.items()):
            seen = 0
            for bound, count in zip(self.bounds, counts, strict=True):
                seen += count
                yield self.sample(seen, values, suffix="_bucket", more=f'le="{_number(bound)}"')
            yield self.sample(self._sums[values], values, suffix="_sum")
            yield self.sample(seen, values, suffix="_count")


def expose(metrics: Sequence[Metric]) -> str:
    """Return what ``GET /metrics`` answers."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
