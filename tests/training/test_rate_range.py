"""The range test against descents whose right learning rate is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from seq2seq_attn.training.rate_range import DIVERGED, SMOOTHING, exponential_rates, smooth, sweep


def test_rates_rise_by_the_same_factor() -> None:
    rates = exponential_rates(9, 1e-7, 10.0)
    assert rates == pytest.approx([10.0**power for power in range(-7, 2)])


def test_smoothing_is_a_weighted_mean_of_what_came_before() -> None:
    losses = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]
    for last, found in enumerate(smooth(losses)):
        weights = [SMOOTHING ** (last - number) for number in range(last + 1)]
        mean = sum(weight * loss for weight, loss in zip(weights, losses, strict=False)) / sum(weights)
        assert found == pytest.approx(mean)
    assert smooth([7.0] * 5) == pytest.approx([7.0] * 5)  # no bias towards 0 in the beginning


def descent(curvatures: tuple[float, ...], start: float = 1.0) -> Callable[[float], float]:
    """Gradient descent on sum(h x^2 / 2): it diverges exactly above a rate of 2 / (largest h)."""
    place = [start] * len(curvatures)

    def step(rate: float) -> float:
        loss = sum(h * x * x / 2 for h, x in zip(curvatures, place, strict=True))
        place[:] = [x - rate * h * x for h, x in zip(curvatures, place, strict=True)]
        return loss + 0.1

    return step


@pytest.mark.parametrize("largest", [3.0, 30.0, 1000.0])
def test_on_a_parabola_the_suggestion_is_below_the_rate_that_diverges_and_not_far(largest: float) -> None:
    limit = 2 / largest
    curve = sweep(exponential_rates(200), descent((largest, largest / 5)))
    assert curve.diverged
    assert curve.rates[-1] > limit
    assert curve.suggestion is not None
    assert curve.steepest is not None
    assert limit / 100 < curve.suggestion < limit
    assert limit / 100 < curve.steepest < limit
    assert curve.suggestion == curve.lowest / 10
    made = len(curve.rates)
    assert curve.rates == tuple(exponential_rates(200)[:made])


def test_the_sweep_ends_at_four_times_the_lowest_smoothed_loss() -> None:
    losses = itertools.chain([1.0] * 50, itertools.repeat(10.0))
    curve = sweep(exponential_rates(200), lambda rate: next(losses))
    assert curve.diverged
    # 1 + 9 (1 - 0.9^n) > 4 first at n = 4, nearly: what came before has a weight below 1 only by 0.9^54
    assert len(curve.rates) == 54
    assert curve.smoothed[-1] > DIVERGED * min(curve.smoothed) > curve.smoothed[-2]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_sweep(wrong: float) -> None:
    losses = iter([3.0, 2.0, 1.0, wrong])
    curve = sweep(exponential_rates(10), lambda rate: next(losses))
    assert (curve.losses, curve.diverged) == ((3.0, 2.0, 1.0), True)


def test_the_steepest_rate_is_where_the_loss_falls() -> None:
    """Flat until 1e-4, then down by 2 nats per decade until 1e-2, then flat, and no end."""

    def loss(rate: float) -> float:
        return 8 - 2 * min(max(math.log10(rate) + 4, 0), 2)

    curve = sweep(exponential_rates(161), loss)
    assert not curve.diverged
    assert len(curve.rates) == 161
    assert curve.steepest is not None
    assert 1e-4 < curve.steepest < 1.5e-2  # the running mean comes a little late


@pytest.mark.parametrize(
    "losses", [[2.0] * 30, [2.0 + 0.01 * number for number in range(30)], []], ids=["flat", "rising", "none"]
)
def test_nothing_is_suggested_where_the_loss_never_falls(losses: list[float]) -> None:
    waiting = iter([*losses, math.nan])
    curve = sweep(exponential_rates(30), lambda rate: next(waiting))
    assert curve.losses == tuple(losses)
    assert curve.steepest is None
    assert curve.suggestion is None
