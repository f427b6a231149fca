"""One score, and how sure it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Interval:
    """Where the score of other sentences of the same kind would lie, 95 times of 100.

    By bootstrap resampling (Koehn 2004, https://aclanthology.org/W04-3250), as sacreBLEU does it.

    Attributes:
        mean: of the scores of all resampled corpora.
        margin: half the distance between the scores that 2.5 % of them are below and 2.5 % above.
        resamples: how many corpora were drawn, each with as many sentences as there are, with repetition.
    """

    mean: float
    margin: float
    resamples: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.margin

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.margin


@dataclass(frozen=True)
class MetricScore:
    """One metric on one corpus.

    Attributes:
        name: the metric as sacreBLEU prints it, such as ``BLEU`` or ``chrF2++``.
        score: unrounded.
        signature: the settings and the sacreBLEU version that gave the score.
        text: sacreBLEU's own line, with the details of the metric (n-gram precisions, brevity penalty).
        interval: how sure the score is; None when nobody asked.
    """

    name: str
    score: float
    signature: str
    text: str
    interval: Interval | None = None

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)
