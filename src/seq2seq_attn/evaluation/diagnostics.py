"""What attention weights say about a translation without a reference: is it sharp, complete, in order?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

_TITLES = {
    "entropy": "entropy (nats)",
    "normalized_entropy": "entropy (share of the largest)",
    "coverage_deviation": "coverage deviation",
    "coverage_deviation_penalty": "coverage deviation penalty",
    "absentmindedness_out": "absentmindedness, target tokens",
    "absentmindedness_in": "absentmindedness, source tokens",
    "confidence": "confidence",
    "monotonicity": "steps that do not go back",
    "kendall_tau": "Kendall's tau of the order",
    "end_share": "weight on the end of the sentence",
}


@dataclass(frozen=True)
class Diagnostics:
    r"""Numbers about the weights of one sentence, or their means over several.

    :math:`\alpha_{ij}` is the weight that target token :math:`i` of :math:`I` gives to source token
    :math:`j` of :math:`J`; both count the end of the sentence, which is the last. The penalties and the
    confidence are those of Rikters and Fishel (2017), "Confidence through Attention",
    https://arxiv.org/abs/1710.03743, with the signs of the authors' program: each is at most 0, and 0 is best.

    Attributes:
        entropy: :math:`-\frac{1}{I} \sum_i \sum_j \alpha_{ij} \log \alpha_{ij}`, in nats: 0 where every
            target token looks at one source token only.
        normalized_entropy: the same divided by the largest that there could be, :math:`\log J`: 0 to 1.
        coverage_deviation: root mean square over :math:`j` of :math:`\sum_i \alpha_{ij} - I / J`: how
            unevenly the source was read. 0 where every token got its equal share.
        coverage_deviation_penalty: :math:`-\frac{1}{J} \sum_j \log(1 + (1 - \sum_i \alpha_{ij})^2)`.
            It falls where a source token got much less or much more than the weight of one target token.
        absentmindedness_out: :math:`\frac{1}{I} \sum_i \sum_j \alpha_{ij} \log \alpha_{ij}`, minus the
            entropy.
        absentmindedness_in: the same the other way round, :math:`\frac{1}{J} \sum_j \sum_i \hat\alpha_{ij}
            \log \hat\alpha_{ij}` with :math:`\hat\alpha_{ij} = \alpha_{ij} / \sum_i \alpha_{ij}`.
        confidence: the sum of the three.
        monotonicity: share of the steps from one target token to the next at which the expected source
            position :math:`\sum_j j \alpha_{ij}` does not fall.
        kendall_tau: rank correlation of target position and expected source position over all pairs of target
            tokens (Kendall 1938), 1 in order, -1 in reverse order; pairs that tie count as neither.
        end_share: mean weight on the end of the source.
    """

    entropy: float
    normalized_entropy: float
    coverage_deviation: float
    coverage_deviation_penalty: float
    absentmindedness_out: float
    absentmindedness_in: float
    confidence: float
    monotonicity: float
    kendall_tau: float
    end_share: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class MeanDiagnostics:
    """The diagnostics of a corpus.

    Attributes:
        sentences: how many were counted.
        mean: of each number over the sentences, each sentence counting once; None without any sentence.
    """

    sentences: int
    mean: Diagnostics | None

    def describe(self) -> str:
        """Say it in a line for each number."""
        head = f"attention over {self.sentences:,} {'sentence' if self.sentences == 1 else 'sentences'}, means"
        if self.mean is None:
            return head
        values = self.mean.to_dict()
        width = max(map(len, _TITLES.values()))
        return "\n".join([head, *(f"  {title:<{width}}  {values[name]:8.4f}" for name, title in _TITLES.items())])

    def to_dict(self) -> dict[str, float]:
        """Return the means by name, with the number of sentences."""
        return {"sentences": self.sentences} | ({} if self.mean is None else self.mean.to_dict())


def diagnose(weights: Float[NDArray[np.floating], "target_len source_len"]) -> Diagnostics:
    """Compute the diagnostics of one sentence, in float64.

    Rows are taken for distributions: where one sums to less than 1, as windows and monotonic attention may
    have it, entropy and position are those of what is there, divided by its sum. A target token that looks
    at nothing has neither, and is left out of their means; likewise a source token that nothing looks at
    (but for the coverage, which is about such tokens). A mean over nothing is 0. Where there are not two
    positions to compare, they are in order.

    Args:
        weights: of all target and source tokens, the ends of the sentences included; at least one source token.
    """
    exact = np.asarray(weights, dtype=np.float64)
    target_len, source_len = exact.shape
    coverage = exact.sum(axis=0)
    entropy, entropy_in = _mean_entropy(exact), _mean_entropy(exact.T)
    penalty = -float(np.log1p((1 - coverage) ** 2).mean())
    rows = exact.sum(axis=1)
    looking = rows > 0
    expected = exact[looking] @ np.arange(source_len) / rows[looking]
    return Diagnostics(
        entropy=entropy,
        normalized_entropy=entropy / math.log(source_len) if source_len > 1 else 0.0,
        coverage_deviation=float(np.sqrt(np.mean((coverage - target_len / source_len) ** 2))),
        coverage_deviation_penalty=penalty,
        absentmindedness_out=-entropy,
        absentmindedness_in=-entropy_in,
        confidence=penalty - entropy - entropy_in,
        monotonicity=float(np.mean(np.diff(expected) >= 0)) if len(expected) > 1 else 1.0,
        kendall_tau=_kendall_tau(expected),
        end_share=float(exact[:, -1].mean()) if target_len else 0.0,
    )


def diagonal_share(weights: Float[NDArray[np.floating], "target_len source_len"]) -> float:
    r"""Return the share of the weight that lies near the diagonal: on it, or one source token beside it.

    The diagonal leads from the first source token at the first target token to the last at the last one, so
    target token :math:`i` of :math:`I` meets it at :math:`j = i \frac{J - 1}{I - 1}`, all counted from 0.
    Attention that goes through the source word by word has a share near 1; of weights spread evenly over a
    long source it is near :math:`2 / J`. Without any weight it is 0.

    Args:
        weights: as :func:`diagnose` takes them.
    """
    exact = np.asarray(weights, dtype=np.float64)
    target_len, source_len = exact.shape
    met = np.arange(target_len) * ((source_len - 1) / max(target_len - 1, 1))
    near = np.abs(np.arange(source_len) - met[:, None]) <= 1
    total = float(exact.sum())
    return float(exact[near].sum()) / total if total else 0.0


def mean_diagnostics(found: Iterable[Diagnostics]) -> MeanDiagnostics:
    """Average the diagnostics of sentences; each counts once, however long it is."""
    names = [field.name for field in fields(Diagnostics)]
    sentences = 0
    sums = dict.fromkeys(names, 0.0)
    for one in found:
        sentences += 1
        for name, value in one.to_dict().items():
            sums[name] += value
    if not sentences:
        return MeanDiagnostics(0, None)
    return MeanDiagnostics(sentences, Diagnostics(**{name: total / sentences for name, total in sums.items()}))


def _mean_entropy(rows: NDArray[np.float64]) -> float:
    """Return the mean entropy of the rows that hold anything, each divided by its sum."""
    sums = rows.sum(axis=1)
    there = sums > 0
    if not there.any():
        return 0.0
    shares = rows[there] / sums[there, None]
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return max(0.0, -float((shares * logarithms).sum(axis=1).mean()))


def _kendall_tau(values: NDArray[np.float64]) -> float:
    """Correlate values with their positions."""
    count = len(values)
    if count < 2:
        return 1.0
    signs = np.sign(values[None, :] - values[:, None])
    return float(np.triu(signs, k=1).sum() / (count * (count - 1) / 2))
