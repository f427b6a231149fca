"""Windows on their own: which positions they leave, and what the Gaussian takes away."""

from __future__ import annotations

import math

import attention_references
import pytest
import torch
from building import LENGTHS, assert_same, mask_of, message_of_config_error, normal, randomize
from torch import Tensor

from seq2seq_attn.attention import Attention, AttentionParts, Memory, build_attention
from seq2seq_attn.attention.windows import WINDOWS, LocalMonotonic, LocalPredictive, Window

QUERY = 5
every_window = pytest.mark.parametrize("name", WINDOWS)


def memory_of(lengths: tuple[int, ...], size: int | None = None) -> Memory:
    mask = mask_of(lengths, size)
    values = normal(*mask.shape, QUERY, seed=2)
    return Memory(values, values, mask)


def window_of(name: str, size: int, *, seed: int = 1) -> Window:
    window = WINDOWS[name](query_size=QUERY, size=size).double()
    randomize(window, seed)
    return window


def positions(mask: Tensor) -> list[list[int]]:
    """The positions that every step of one sentence sees."""
    return [row.nonzero().flatten().tolist() for row in mask]


def local_attention(name: str, size: int) -> Attention:
    parts = AttentionParts(window=name, window_size=size)
    return build_attention("luong-dot", parts, query_size=QUERY, value_size=QUERY, hidden_size=2).double()


def test_every_window_is_written_in_plain_python_too():
    assert attention_references.WINDOWS.keys() == {"global", *WINDOWS}


@every_window
def test_a_window_says_where_it_comes_from(name):
    assert WINDOWS[name].paper
    assert WINDOWS[name].summary


@every_window
@pytest.mark.parametrize("size", [0, -3])
def test_a_window_without_a_size_is_refused(name, size):
    message = message_of_config_error(lambda: WINDOWS[name](query_size=QUERY, size=size))
    assert message == (
        f"model.attention.window_size: {size} positions on either side of a window's center; say 1 or more"
    )


@every_window
@pytest.mark.parametrize("size", [1, 3])
def test_every_step_sees_a_token_and_no_padding(name, size):
    window, memory = window_of(name, size), memory_of(LENGTHS, 9)
    for scale in (0.0, 1.0, 1e3):  # the last one sends predictions to the ends of the sentence
        seen = window(scale * normal(len(LENGTHS), 11, QUERY), memory, window.start(memory)).mask
        assert seen.any(-1).all()
        assert not (seen & ~memory.mask.unsqueeze(1)).any()


@every_window
def test_several_steps_at_once_are_one_after_the_other(name):
    window, memory, queries = window_of(name, 1), memory_of(LENGTHS), normal(len(LENGTHS), 7, QUERY)
    state = window(queries[:, :1], memory, window.start(memory)).state
    at_once = window(queries[:, 1:4], memory, state)
    for step in range(1, 4):
        mask, factor, state = window(queries[:, step : step + 1], memory, state)
        assert torch.equal(mask, at_once.mask[:, step - 1 : step])
        assert (factor is None) == (at_once.factor is None)
        if factor is not None and at_once.factor is not None:
            assert_same(factor, at_once.factor[:, step - 1 : step])
    assert len(state) == len(at_once.state) == window.state_parts
    assert all(torch.equal(part, other) for part, other in zip(state, at_once.state, strict=True))


def test_the_monotonic_window_moves_on_and_stays_at_the_end():
    memory = memory_of((5, 2))
    window = LocalMonotonic(query_size=QUERY, size=1)
    state = window.start(memory)
    assert [part.dtype for part in state] == [torch.int64]
    mask, factor, state = window(normal(2, 7, QUERY), memory, state)
    assert factor is None
    assert positions(mask[0]) == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [3, 4], [3, 4]]
    assert positions(mask[1]) == [[0, 1]] * 7
    assert state[0].tolist() == [7, 7]


def test_weights_of_the_monotonic_window_are_shared_by_the_positions_in_it():
    attention, memory = local_attention("local-m", 2), memory_of((5, 1))
    found = attention(torch.zeros(2, 4, QUERY).double(), memory, attention.start(memory))
    third, quarter, fifth = [1 / 3] * 3, [1 / 4] * 4, [1 / 5] * 5
    assert_same(found.weights[0], [[*third, 0, 0], [*quarter, 0], fifth, [0, *quarter]])
    assert_same(found.weights[1], [[1.0, 0, 0, 0, 0]] * 4)


def test_a_monotonic_window_wider_than_the_sentence_is_none():
    attention, memory, queries = local_attention("local-m", 7), memory_of((7, 3)), normal(2, 11, QUERY)
    everywhere = build_attention("luong-dot", query_size=QUERY, value_size=QUERY, hidden_size=2)
    found = attention(queries, memory, attention.start(memory))
    assert_same(found.weights, everywhere(queries, memory, ()).weights)


def predictive(size: int, logit: float = 0.0) -> tuple[LocalPredictive, Tensor]:
    """A window, and a query whose center is at sigmoid(logit) of the way."""
    window = LocalPredictive(query_size=QUERY, size=size).double()
    with torch.no_grad():
        window.hidden_layer.weight.copy_(100 * torch.eye(QUERY))  # its tanh is 1 for a query of ones
        window.position_layer.weight.fill_(logit / QUERY)
    return window, torch.ones(1, 1, QUERY).double()


@pytest.mark.parametrize(
    ("length", "size", "logit", "center"),
    [(5, 2, 0.0, 2.0), (4, 1, 0.0, 1.5), (1, 1, 3.0, 0.0), (9, 3, math.log(3), 6.0), (7, 2, 99, 6.0), (7, 2, -99, 0.0)],
)
def test_the_predicted_center_and_its_gaussian(length, size, logit, center):
    window, query = predictive(size, logit)
    memory = memory_of((length,), length + 2)
    assert_same(window.centers(query, memory), [[center]])
    mask, factor, state = window(query, memory, ())
    assert state == ()
    assert positions(mask[0]) == [[j for j in range(length) if abs(j - center) <= size]]
    deviation = size / 2
    assert factor is not None
    wanted = [math.exp(-((j - center) ** 2) / (2 * deviation**2)) for j in range(length)]
    assert_same(factor[0, 0, :length], wanted)


def test_weights_by_hand():
    """Five tokens, D = 1, equal energies, center 2: a third each, times exp(-2) beside the center."""
    attention, memory = local_attention("local-p", 1), memory_of((5,))
    beside = math.exp(-2) / 3
    weights = attention(torch.zeros(1, 1, QUERY).double(), memory, attention.start(memory)).weights
    assert_same(weights, [[[0, beside, 1 / 3, beside, 0]]])
    assert attention.sums_to_one is False


def test_a_predicted_window_wider_than_the_sentence_is_the_gaussian_alone():
    attention, memory, queries = local_attention("local-p", 29), memory_of((7, 3)), normal(2, 3, QUERY)
    everywhere = build_attention("luong-dot", query_size=QUERY, value_size=QUERY, hidden_size=2)
    found = attention(queries, memory, attention.start(memory))
    factor = attention.window(queries, memory, ()).factor
    assert_same(found.weights, everywhere(queries, memory, ()).weights * factor)
    assert (found.weights.sum(-1) < 1).all()


def test_the_center_depends_on_the_length_of_its_own_sentence():
    """Standing for: the length of the longest of the batch, or of the padding."""
    window, queries = window_of("local-p", 2), normal(1, 3, QUERY).expand(4, -1, -1)
    share = window.centers(queries, memory_of((2, 2, 2, 2)))
    centers = window.centers(queries, memory_of((5, 2, 7, 1), 11))
    assert_same(centers, share * torch.tensor([4.0, 1.0, 6.0, 0.0]).unsqueeze(1))
    assert ((share > 0) & (share < 1)).all()


def test_gradients_reach_the_center_through_the_gaussian():
    window, memory = window_of("local-p", 3), memory_of((7, 4))
    coefficients = normal(2, 2, 7, seed=6)

    def total(queries: Tensor) -> Tensor:
        factor = window(queries, memory, ()).factor
        return (factor * coefficients).sum()

    queries = normal(2, 2, QUERY).requires_grad_()
    (gradient,) = torch.autograd.grad(total(queries), queries)
    step = 1e-6
    for place in range(queries.numel()):
        moved = torch.zeros(queries.numel(), dtype=torch.float64)
        moved[place] = step
        moved = moved.view_as(queries)
        slope = (total(queries + moved) - total(queries - moved)) / (2 * step)
        torch.testing.assert_close(gradient.flatten()[place], slope.detach(), rtol=1e-6, atol=1e-9)
    assert gradient.abs().min() > 0


def test_the_slope_of_the_gaussian_is_its_distance_over_the_variance():
    window, query = predictive(4)
    memory = memory_of((7,))
    factor = window(query, memory, ()).factor
    center = window.centers(query, memory)
    (of_center,) = torch.autograd.grad(center.sum(), window.position_layer.weight)
    for j in range(7):
        (slope,) = torch.autograd.grad(factor[0, 0, j], window.position_layer.weight, retain_graph=True)
        assert_same(slope, factor[0, 0, j].detach() * (j - 3) / 4 * of_center)  # the variance is (4 / 2)^2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_knows_positions_between_tokens(dtype):
    """In bfloat16 498.5 is 498 or 500."""
    window = LocalPredictive(query_size=QUERY, size=2).to(dtype)
    memory = memory_of((998,))
    mask, factor, _ = window(torch.zeros(1, 1, QUERY, dtype=dtype), memory, ())
    assert factor is not None
    assert factor.dtype == torch.float32
    assert positions(mask[0]) == [[497, 498, 499, 500]]
    assert_same(factor[0, 0, 497:501], [math.exp(-((j - 498.5) ** 2) / 2) for j in range(497, 501)], 1e-6)


def test_mixed_precision_predicts_in_single():
    window, memory = window_of("local-p", 2).float(), memory_of((998,))
    query = normal(1, 3, QUERY).float()
    exact = window.centers(query, memory)
    with torch.autocast("cpu", torch.bfloat16):
        found = window.centers(query, memory)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0, atol=2.0)
