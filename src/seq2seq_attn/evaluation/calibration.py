"""Is a model right as often as it is sure?  Confidence against accuracy."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from seq2seq_attn.errors import UserError

BINS = 15
"""As in the experiments of Guo et al. (2017)."""


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions of like confidence.

    Attributes:
        lower: confidences are above this (the lowest bin holds 0, too),
        upper: and not above this.
        count: predictions.
        confidence: their mean confidence; 0 without any.
        accuracy: share of them that is correct; 0 without any.
    """

    lower: float
    upper: float
    count: int
    confidence: float
    accuracy: float

    @property
    def gap(self) -> float:
        """Accuracy minus confidence: below 0 the model is too sure of itself."""
        return self.accuracy - self.confidence


@dataclass(frozen=True)
class Calibration:
    r"""Confidence against accuracy, bin by bin.

    Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", section 2,
    https://arxiv.org/abs/1706.04599, with :math:`n` predictions in bins :math:`B_m` of equal width:

    .. math::
        \text{ECE} = \sum_m \frac{|B_m|}{n} \left| \text{acc}(B_m) - \text{conf}(B_m) \right| \qquad
        \text{MCE} = \max_m \left| \text{acc}(B_m) - \text{conf}(B_m) \right|

    For translation a prediction is the most probable token behind the reference's earlier ones, and it
    is correct if it is the reference's next one: Kumar and Sarawagi (2019), "Calibration of Encoder Decoder
    Models for Neural Machine Translation", https://arxiv.org/abs/1903.00802.

    Attributes:
        bins: from confidence 0 to 1, empty ones included.
        count: predictions.
        confidence: their mean confidence.
        accuracy: share of them that is correct.
        expected_error: ECE (equation 3 of Guo et al.), 0 to 1; less is better.
        maximum_error: MCE (equation 5) over the bins that hold a prediction. A bin of few says little.
    """

    bins: tuple[CalibrationBin, ...]
    count: int
    confidence: float
    accuracy: float
    expected_error: float
    maximum_error: float

    def describe(self) -> str:
        """Say it in one line."""
        tendency = "too sure" if self.confidence > self.accuracy else "not sure enough"
        return (
            f"expected calibration error {self.expected_error:.4f}  maximum {self.maximum_error:.4f}  "
            f"(accuracy {self.accuracy:.4f}, confidence {self.confidence:.4f}: {tendency}; "
            f"{self.count:,} {'token' if self.count == 1 else 'tokens'}, {len(self.bins)} bins)"
        )

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "expected_calibration_error": self.expected_error,
            "maximum_calibration_error": self.maximum_error,
            "accuracy": self.accuracy,
            "confidence": self.confidence,
            "count": self.count,
            "bins": [asdict(one) for one in self.bins],
        }


def calibration(
    confidences: Float[NDArray[np.floating], " predictions"],
    correct: Bool[NDArray[np.bool_], " predictions"],
    *,
    bins: int = BINS,
) -> Calibration:
    r"""Compare confidence and accuracy in ``bins`` of equal width, :math:`((m - 1) / M, m / M]`.

    Args:
        confidences: the probability of each prediction, 0 to 1.
        correct: whether it is right.
        bins: how many, :math:`M`.

    Raises:
        UserError: if there is no prediction or no bin, or a confidence is no probability.
    """
    if bins < 1:
        raise UserError(f"calibration needs at least 1 bin, not {bins}")
    sure = np.asarray(confidences, dtype=np.float64)
    if not len(sure):
        raise UserError("there is no prediction to calibrate: all sentences are empty")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise UserError("a confidence is a probability, from 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    member = np.searchsorted(edges[1:-1], sure, side="left")
    counts = np.bincount(member, minlength=bins)
    filled = np.maximum(counts, 1)
    means = np.bincount(member, weights=sure, minlength=bins) / filled
    shares = np.bincount(member, weights=correct, minlength=bins) / filled
    gaps = np.abs(shares - means)
    rows = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), means.tolist(), shares.tolist(), strict=True)
    return Calibration(
        bins=tuple(CalibrationBin(*row) for row in rows),
        count=len(sure),
        confidence=float(sure.mean()),
        accuracy=float(np.mean(correct)),
        expected_error=float((counts * gaps).sum() / len(sure)),
        maximum_error=float(gaps.max()),
    )
