"""Each schedule against the formula of its paper, written out; and the limits that end a training."""

from __future__ import annotations

import math

import pytest

from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.schedules import Schedule
from seq2seq_attn.training.state import TrainState

WARMUP = 7


def at(step: int, *, epoch: int = 0, share: float = 0.0, **schedule: float | str) -> float:
    """Return the factor of the step with this number, counted from 1."""
    return Schedule(**schedule).rate_factor(TrainState(step=step - 1, epoch=epoch), share)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["constant", "cosine", "inverse_sqrt", "plateau", "luong"])
def test_each_rises_linearly_and_the_first_step_already_learns(kind: str) -> None:
    """Standing for: a warm-up counted from step 0, whose first step has rate zero and is wasted."""
    factors = [at(step, kind=kind, warmup_steps=WARMUP) for step in range(1, WARMUP + 1)]
    assert factors == pytest.approx([1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7, 1], abs=1e-15)


@pytest.mark.parametrize("kind", ["constant", "cosine", "inverse_sqrt", "plateau", "luong"])
def test_without_warmup_each_starts_at_its_peak(kind: str) -> None:
    assert at(1, kind=kind) == 1.0


def test_constant_stays() -> None:
    assert {at(step, kind="constant", epoch=step, share=0.9) for step in (1, 11, 1009)} == {1.0}


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.0, 0.13, 0.5, 0.97, 1.0])
def test_cosine_is_half_a_wave_down_to_its_floor(floor: float, share: float) -> None:
    expected = floor + 0.5 * (1.0 - floor) * (1.0 + math.cos(share * math.pi))
    assert at(31, kind="cosine", share=share, minimum_ratio=floor) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("step", [1, 3, 7, 8, 28, 700])
def test_inverse_square_root_is_equation_3_relative_to_its_peak(step: int) -> None:
    peak = min(WARMUP**-0.5, WARMUP * WARMUP**-1.5)
    expected = min(step**-0.5, step * WARMUP**-1.5) / peak
    assert at(step, kind="inverse_sqrt", warmup_steps=WARMUP) == pytest.approx(expected, rel=1e-14)


def test_luong_halves_after_each_epoch_from_the_eighth_on() -> None:
    """Section 4.1: "we train for 10 epochs; after 5 epochs, we begin to halve the learning rate every epoch"."""
    factors = [at(100, epoch=epoch, kind="luong", halve_after_epochs=5) for epoch in range(10)]
    assert factors == [1, 1, 1, 1, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32]


def test_plateau_falls_after_more_than_patience_bad_validations_in_a_row() -> None:
    schedule = Schedule("plateau", factor=0.3, patience=2)
    state = TrainState(step=100)
    seen = []
    for improved in (False, False, True, False, False, False, False, False, False, True, False):
        schedule.after_validation(state, improved=improved)
        seen.append(schedule.rate_factor(state, 0.5))
    assert seen == pytest.approx([1, 1, 1, 1, 1, 0.3, 0.3, 0.3, 0.09, 0.09, 0.09])


@pytest.mark.parametrize("kind", ["constant", "cosine", "inverse_sqrt", "luong"])
def test_the_others_do_not_react_to_validations(kind: str) -> None:
    state = TrainState()
    for _ in range(5):
        Schedule(kind, patience=0).after_validation(state, improved=False)  # type: ignore[arg-type]
    assert state == TrainState()


def test_the_first_limit_reached_is_named() -> None:
    limits = Limits(max_epochs=3, max_steps=11, max_minutes=0.5)
    assert limits.reached(TrainState(step=10, epoch=2, seconds=29.9)) is None
    assert limits.reached(TrainState(step=11, epoch=2)) == "max_steps (11)"
    assert limits.reached(TrainState(step=10, epoch=3)) == "max_epochs (3)"
    assert limits.reached(TrainState(seconds=30.0)) == "max_minutes (0.5)"
    assert Limits().reached(TrainState(step=10**9, epoch=10**9, seconds=1e9)) is None


def test_epochs_end_nothing_before_the_least_number_of_steps() -> None:
    limits = Limits(max_epochs=3, min_steps=20)
    assert limits.reached(TrainState(step=19, epoch=9)) is None
    assert limits.reached(TrainState(step=20, epoch=9)) == "max_epochs (3) and min_steps (20)"
    assert limits.reached(TrainState(step=30, epoch=2)) is None, "and steps end nothing before the epochs"
    assert Limits(max_epochs=3, max_steps=10, min_steps=20).reached(TrainState(step=10, epoch=2)) == "max_steps (10)"


@pytest.mark.parametrize(("batches_per_epoch", "steps"), [(4, 20), (20, 60), (7, 21), (6, 20)])
def test_a_training_of_least_steps_is_done_when_its_share_is(batches_per_epoch: int, steps: int) -> None:
    limits = Limits(max_epochs=3, min_steps=20)
    state = TrainState()
    shares = []
    while limits.reached(state) is None:
        shares.append(limits.share_done(state, batches_per_epoch))
        epoch, batch = divmod(state.step + 1, batches_per_epoch)
        state = TrainState(step=state.step + 1, epoch=epoch, batch=batch)
    assert state.step == steps
    assert shares == pytest.approx([step / steps for step in range(steps)], abs=0.05)
    assert limits.share_done(state, batches_per_epoch) == 1.0


def test_the_share_done_is_that_of_the_nearest_limit() -> None:
    state = TrainState(step=10, epoch=2, batch=3, seconds=12.0)
    assert Limits(max_steps=40).share_done(state, 4) == pytest.approx(10 / 40)
    assert Limits(max_epochs=5).share_done(state, 4) == pytest.approx((2 + 3 / 4) / 5)
    assert Limits(max_minutes=2).share_done(state, 4) == pytest.approx(12 / 120)
    assert Limits(5, 40, 2).share_done(state, 4) == pytest.approx(0.55)
    assert Limits(max_steps=3).share_done(state, 4) == 1.0
    assert Limits().share_done(state, 4) == 0.0
