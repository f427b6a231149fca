"""The learning-rate range test: how the loss follows a rate that rises from far too low to far too high.

Smith (2017), "Cyclical Learning Rates for Training Neural Networks", section 3.3,
https://arxiv.org/abs/1506.01186, where the rate rises linearly between bounds that are known. Here it rises
exponentially over all that could make sense, and the loss is smoothed, as Gugger (2018) has it,
https://sgugger.github.io/how-do-you-find-a-good-learning-rate.html.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LOWEST, HIGHEST = 1e-7, 10.0
SMOOTHING = 0.9
"""Share of the running mean that a step keeps. Gugger's 0.98 looks back 50 steps, a quarter of a sweep."""

DIVERGED = 4.0
"""How many times the lowest smoothed loss ends the sweep."""

FELL = 0.98
"""A share of the first loss; what never comes below it has not fallen."""


def exponential_rates(steps: int, lowest: float = LOWEST, highest: float = HIGHEST) -> list[float]:
    """Return as many rates, each the same multiple of the one before it."""
    return [lowest * (highest / lowest) ** (step / (steps - 1)) for step in range(steps)]


@dataclass(frozen=True)
class RateCurve:
    """What the loss did while the rate rose.

    Attributes:
        rates: of the steps that were made.
        losses: of each step, before its update; nats per target token.
        diverged: whether the sweep ended because the loss was too high, or no number.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    diverged: bool

    @property
    def smoothed(self) -> list[float]:
        """The running mean of the losses, unbiased: as Adam's moments, divided by the weight they have so far."""
        return smooth(self.losses)

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss was lowest: already too high, as it rises behind it."""
        return self.rates[self._lowest]

    @property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss fell fastest; None if it never fell by more than noise would."""
        smoothed, reach = self.smoothed, max(1, len(self.losses) // 40)
        if not smoothed or min(smoothed) > FELL * smoothed[0]:
            return None
        slopes = {
            step: (smoothed[step + reach] - smoothed[step - reach])
            / (math.log(self.rates[step + reach]) - math.log(self.rates[step - reach]))
            for step in range(reach, min(self._lowest + 1, len(smoothed) - reach))
        }
        best = min(slopes, key=slopes.__getitem__, default=None)
        return None if best is None else self.rates[best]

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate with the lowest loss, as Gugger has it; None if it never fell.

        The steepest one is often lower: a careful choice.
        """
        return None if self.steepest is None else self.lowest / 10

    @property
    def _lowest(self) -> int:
        smoothed = self.smoothed
        return smoothed.index(min(smoothed))


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the exponential moving average of ``losses``, with the bias of its beginning taken out."""
    mean, found = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        found.append(mean / (1 - SMOOTHING**number))
    return found


def sweep(rates: Iterable[float], step: Callable[[float], float]) -> RateCurve:
    """Make a step with each rate, until the smoothed loss is four times the lowest one.

    Args:
        rates: rising.
        step: makes a step with a rate; returns the loss before it, infinite or no number if the step failed.
    """
    used: list[float] = []
    losses: list[float] = []
    lowest = math.inf
    for rate in rates:
        loss = step(rate)
        if not math.isfinite(loss):
            return RateCurve(tuple(used), tuple(losses), diverged=True)
        used.append(rate)
        losses.append(loss)
        last = smooth(losses)[-1]
        if last > DIVERGED * lowest:
            return RateCurve(tuple(used), tuple(losses), diverged=True)
        lowest = min(lowest, last)
    return RateCurve(tuple(used), tuple(losses), diverged=False)
