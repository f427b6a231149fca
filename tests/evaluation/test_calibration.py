"""Calibration, against loops and cases whose answer is known."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.calibration import Calibration, calibration


def compare(confidences: list[float], correct: list[bool], bins: int = 15) -> Calibration:
    return calibration(np.array(confidences, dtype=np.float64), np.array(correct, dtype=np.bool_), bins=bins)


@pytest.mark.parametrize("bins", [1, 2, 7, 15, 100])
def test_against_the_definition(bins: int) -> None:
    """Guo et al. (2017), equations 3 and 5, one prediction at a time."""
    chance = random.Random(bins)
    confidences = [chance.choice([0.0, 1.0, 0.5, chance.random()]) for _ in range(311)]
    correct = [chance.random() < 0.7 * sure for sure in confidences]
    found = compare(confidences, correct, bins)
    expected = maximum = 0.0
    for number in range(bins):
        lower, upper = found.bins[number].lower, found.bins[number].upper
        assert (lower, upper) == (pytest.approx(number / bins), pytest.approx((number + 1) / bins))
        members = [i for i, sure in enumerate(confidences) if lower < sure <= upper or (number == 0 and sure == 0)]
        assert found.bins[number].count == len(members)
        if not members:
            continue
        confidence = sum(confidences[i] for i in members) / len(members)
        accuracy = sum(correct[i] for i in members) / len(members)
        assert found.bins[number].confidence == pytest.approx(confidence)
        assert found.bins[number].accuracy == pytest.approx(accuracy)
        assert found.bins[number].gap == pytest.approx(accuracy - confidence)
        expected += len(members) / 311 * abs(accuracy - confidence)
        maximum = max(maximum, abs(accuracy - confidence))
    assert found.expected_error == pytest.approx(expected)
    assert found.maximum_error == pytest.approx(maximum)
    assert found.count == sum(one.count for one in found.bins) == 311
    assert found.accuracy == pytest.approx(sum(correct) / 311)
    assert found.confidence == pytest.approx(sum(confidences) / 311)


def test_by_hand() -> None:
    """Two bins: 0.2 and 0.4 with one of two right, 0.9 and 0.7 with both right."""
    found = compare([0.2, 0.4, 0.9, 0.7], [True, False, True, True], bins=2)
    assert found.expected_error == pytest.approx(0.5 * 0.2 + 0.5 * 0.2)
    assert found.maximum_error == pytest.approx(0.2)
    assert found.accuracy == 0.75
    assert "not sure enough" in found.describe()


def test_a_bin_holds_its_upper_edge() -> None:
    assert [one.count for one in compare([0.5, 0.0, 1.0], [True] * 3, bins=2).bins] == [2, 1]


def test_always_sure_and_always_right() -> None:
    found = compare([1.0] * 5, [True] * 5)
    assert (found.expected_error, found.maximum_error) == (0.0, 0.0)
    assert sum(one.count > 0 for one in found.bins) == 1


def test_always_sure_and_never_right() -> None:
    found = compare([1.0] * 5, [False] * 5)
    assert (found.expected_error, found.maximum_error) == (1.0, 1.0)
    assert "too sure" in found.describe()


def test_predictions_drawn_as_they_say_are_calibrated() -> None:
    rng = np.random.default_rng(7)
    confidences = rng.random(200_000)
    correct = rng.random(200_000) < confidences
    assert calibration(confidences, correct).expected_error < 0.005
    assert calibration(confidences, ~correct).expected_error > 0.4


def test_a_machine_reads_it() -> None:
    found = json.loads(json.dumps(compare([0.3, 0.8], [False, True], bins=4).to_dict()))
    assert found["expected_calibration_error"] == pytest.approx((0.3 + 0.2) / 2)
    assert [one["count"] for one in found["bins"]] == [0, 1, 0, 1]
    assert found["bins"][1] == pytest.approx(
        {"lower": 0.25, "upper": 0.5, "count": 1, "confidence": 0.3, "accuracy": 0}
    )


@pytest.mark.parametrize(
    ("confidences", "bins", "said"),
    [
        ([0.5], 0, "at least 1 bin, not 0"),
        ([], 15, "no prediction"),
        ([1.5], 15, "from 0 to 1"),
        ([-0.1], 15, "from 0 to 1"),
        ([float("nan")], 15, "from 0 to 1"),
    ],
)
def test_wrong_requests(confidences: list[float], bins: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(confidences, [True] * len(confidences), bins)
