"""Diagnostics of attention, against plain Python and cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seq2seq_attn.evaluation.diagnostics import Diagnostics, diagnose, diagonal_share, mean_diagnostics


def entropy_of(row: list[float]) -> float:
    total = sum(row)
    return -sum(share / total * math.log(share / total) for share in row if share > 0)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def plain(weights: list[list[float]]) -> dict[str, float]:
    """The definitions, in loops over double precision."""
    target_len, source_len = len(weights), len(weights[0])
    columns = [[weights[i][j] for i in range(target_len)] for j in range(source_len)]
    coverage = [math.fsum(column) for column in columns]
    entropy = mean([entropy_of(row) for row in weights if sum(row) > 0])
    entropy_in = mean([entropy_of(column) for column in columns if sum(column) > 0])
    penalty = -mean([math.log(1 + (1 - covered) ** 2) for covered in coverage])
    expected = [sum(j * share for j, share in enumerate(row)) / sum(row) for row in weights if sum(row) > 0]
    steps = [float(expected[i + 1] >= expected[i]) for i in range(len(expected) - 1)]
    pairs = [(i, j) for i in range(len(expected)) for j in range(i + 1, len(expected))]
    order = [(expected[j] > expected[i]) - (expected[j] < expected[i]) for i, j in pairs]
    return {
        "entropy": entropy,
        "normalized_entropy": entropy / math.log(source_len) if source_len > 1 else 0.0,
        "coverage_deviation": math.sqrt(mean([(covered - target_len / source_len) ** 2 for covered in coverage])),
        "coverage_deviation_penalty": penalty,
        "absentmindedness_out": -entropy,
        "absentmindedness_in": -entropy_in,
        "confidence": penalty - entropy - entropy_in,
        "monotonicity": mean(steps) if steps else 1.0,
        "kendall_tau": mean(order) if order else 1.0,
        "end_share": mean([row[-1] for row in weights]),
    }


def random_weights(rng: np.random.Generator) -> np.ndarray:
    """Sharp or flat, with zeros as sparsemax makes them, and sums under 1 as windows do."""
    target_len, source_len = rng.integers(1, 12, 2)
    weights = rng.dirichlet(np.full(source_len, 10.0 ** rng.uniform(-1, 1)), target_len)
    kind = rng.integers(3)
    if kind == 1:
        weights[weights < 0.2] = 0
    if kind == 2:
        weights *= rng.uniform(0, 1, (target_len, 1))
    return weights


@pytest.mark.parametrize("seed", range(53))
def test_against_the_definitions(seed: int) -> None:
    weights = random_weights(np.random.default_rng(seed))
    assert diagnose(weights).to_dict() == pytest.approx(plain(weights.tolist()), rel=1e-12, abs=1e-12)


def test_float32_is_added_in_float64() -> None:
    weights = np.random.default_rng(3).dirichlet(np.ones(997), 101).astype(np.float32)
    assert diagnose(weights).to_dict() == pytest.approx(plain(weights.tolist()), rel=1e-9)


def test_a_word_for_a_word_in_order() -> None:
    found = diagnose(np.eye(5))
    assert found == Diagnostics(
        entropy=0.0,
        normalized_entropy=0.0,
        coverage_deviation=0.0,
        coverage_deviation_penalty=0.0,
        absentmindedness_out=0.0,
        absentmindedness_in=0.0,
        confidence=0.0,
        monotonicity=1.0,
        kendall_tau=1.0,
        end_share=0.2,
    )


def test_in_reverse_order() -> None:
    found = diagnose(np.eye(5)[::-1])
    assert (found.monotonicity, found.kendall_tau) == (0.0, -1.0)
    assert found.confidence == 0.0


def test_looking_everywhere() -> None:
    found = diagnose(np.full((3, 7), 1 / 7))
    assert found.entropy == pytest.approx(math.log(7))
    assert found.normalized_entropy == pytest.approx(1)
    assert found.absentmindedness_in == pytest.approx(-math.log(3))
    assert found.coverage_deviation == pytest.approx(0)
    assert found.coverage_deviation_penalty == pytest.approx(-math.log(1 + (4 / 7) ** 2))
    assert found.kendall_tau == 0  # all at one place: neither in order nor out of it
    assert found.monotonicity == 1


def test_stuck_at_the_end() -> None:
    weights = np.zeros((4, 5))
    weights[:, -1] = 1
    found = diagnose(weights)
    assert found.end_share == 1
    assert found.coverage_deviation == pytest.approx(math.sqrt((4 * 0.8**2 + 3.2**2) / 5))
    assert found.coverage_deviation_penalty == pytest.approx(-(4 * math.log(2) + math.log(10)) / 5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 3)])
def test_too_short_for_an_order(shape: tuple[int, int]) -> None:
    found = diagnose(np.ones(shape) / shape[1])
    assert found.monotonicity == 1
    assert all(math.isfinite(value) for value in found.to_dict().values())
    if shape[1] == 1:
        assert found.entropy == found.normalized_entropy == 0


def test_a_model_that_does_not_look() -> None:
    found = diagnose(np.zeros((3, 4)))
    assert found.entropy == found.end_share == 0
    assert found.coverage_deviation == 0.75


def test_means_count_each_sentence_once() -> None:
    sharp, flat = diagnose(np.eye(9)), diagnose(np.full((1, 2), 0.5))
    found = mean_diagnostics(iter([sharp, flat]))
    assert found.sentences == 2
    assert found.mean is not None
    assert found.mean.entropy == pytest.approx(math.log(2) / 2)
    for name, value in found.mean.to_dict().items():
        assert value == pytest.approx((getattr(sharp, name) + getattr(flat, name)) / 2)
    assert found.to_dict() == {"sentences": 2, **found.mean.to_dict()}


def test_no_sentence_has_no_means() -> None:
    found = mean_diagnostics([])
    assert found.to_dict() == {"sentences": 0}
    assert found.describe().startswith("attention over 0 sentences")


def test_every_number_is_described() -> None:
    values = {name: 0.0301 + number for number, name in enumerate(diagnose(np.eye(2)).to_dict())}
    lines = mean_diagnostics([Diagnostics(**values)]).describe().splitlines()
    assert lines[0] == "attention over 1 sentence, means"
    assert [line.split()[-1] for line in lines[1:]] == [f"{value:.4f}" for value in values.values()]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (7, 3), (4, 9), (6, 6)])
def test_the_weight_near_the_diagonal(rows, columns):
    weights = np.random.default_rng(rows).dirichlet(np.ones(columns), size=rows)
    near = total = 0.0
    for i in range(rows):
        for j in range(columns):
            total += weights[i, j]
            if abs(j - (i * (columns - 1) / (rows - 1) if rows > 1 else 0)) <= 1:
                near += weights[i, j]
    assert diagonal_share(weights) == pytest.approx(near / total)


def test_the_diagonal_has_all_the_weight_and_the_other_one_little():
    assert diagonal_share(np.eye(9)) == 1.0
    assert diagonal_share(np.eye(9)[:, ::-1]) == pytest.approx(1 / 9)
    assert diagonal_share(np.zeros((3, 4))) == 0.0
    assert diagonal_share(np.full((4, 50), 1 / 50)) < 0.06
