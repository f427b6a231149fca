"""Monotonic attention: the expectation against the enumeration of all ways to stop, and the hard mode."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import attention_references as written_out
import pytest
import torch
from building import (
    LENGTHS,
    assert_same,
    attention_from,
    mask_of,
    normal,
    numbers,
    randomize,
    sizes_of,
    small_attention,
)
from plain import sigmoid, softmax
from specs import SPECS, parse
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention, Score
from seq2seq_attn.attention.monotonic import HardMonotonicAttention, MonotonicChunkwiseAttention
from seq2seq_attn.attention.multi_head import MultiHeadAttention

MASK = mask_of(LENGTHS)
MONOTONIC = [name for name in SPECS if parse(name).parts.monotonic not in (None, "none")]
MORE = ["luong-location+monotonic=hard", "luong-location+monotonic=mocha", "bahdanau+monotonic=mocha+chunk_size=2"]
KINDS = ["hard", "mocha"]

every_mechanism = pytest.mark.parametrize("name", MONOTONIC + MORE)
every_kind = pytest.mark.parametrize("kind", KINDS)


class Given(Score):
    """Energies that a test gives: those of ``stop`` come as the query, others are kept."""

    def __init__(self, size: int, kept: Tensor | None = None) -> None:
        super().__init__(query_size=size, value_size=size, hidden_size=1)
        self.kept = kept

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return query if self.kept is None else self.kept.expand_as(query)


def attention_over(size: int, kind: str = "hard", *, chunk: int | None = None, noise: float = 0.0, seed: int = 9):
    """Stop with the energies that are given as queries; energies inside chunks are those of :func:`inside`."""
    cls = {"hard": HardMonotonicAttention, "mocha": MonotonicChunkwiseAttention}[kind]
    second = Given(size, inside(size, seed))
    attention = cls(Given(size), [], new_score=lambda: second, chunk_size=chunk, noise=noise)
    with torch.no_grad():
        attention.offset.zero_()
    return attention.double()


def inside(size: int, seed: int = 9) -> Tensor:
    return normal(1, 1, size, seed=seed) * 2


def look(attention: Attention, energies: Tensor, mask: Tensor | None = None) -> Attended:
    """All steps; energies are (batch, steps, positions), and the values the places themselves."""
    batch, _, size = energies.shape
    mask = torch.ones(batch, size, dtype=torch.bool) if mask is None else mask
    memory = attention.memorize(torch.eye(size, dtype=energies.dtype).expand(batch, -1, -1), mask)
    state, contexts, weights = attention.start(memory), [], []
    for query in energies.split(1, dim=1):
        context, row, state = attention(query, memory, state)
        contexts.append(context)
        weights.append(row)
    return Attended(torch.cat(contexts, 1), torch.cat(weights, 1), state)


# --- the expectation ---------------------------------------------------------------------------------


def ways_to_stop(stop: list[list[float]]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every sequence of positions with its probability; one behind the last position means that none was left."""
    end = len(stop[0])
    for path in product(range(end + 1), repeat=len(stop)):
        probability, at = 1.0, 0
        for row, to in zip(stop, path, strict=True):
            if to < at:
                probability = 0.0
                break
            probability *= math.prod(1 - row[j] for j in range(at, to)) * (row[to] if to < end else 1.0)
            at = to
        yield path, probability


def test_the_ways_to_stop_are_all_there_are():
    stop = normal(3, 4, seed=1).sigmoid().tolist()
    assert math.fsum(probability for _, probability in ways_to_stop(stop)) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 5])
def test_expected_weights_are_the_share_of_ways_that_stop_there(size, seed):
    energies = normal(1, 3, size, seed=seed) * 2
    found = look(attention_over(size).train(), energies).weights[0]
    wanted = [[0.0] * size for _ in range(3)]
    for path, probability in ways_to_stop(energies[0].sigmoid().tolist()):
        for step, position in enumerate(path):
            if position < size:
                wanted[step][position] += probability
    assert_same(found, wanted)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_expected_chunks_are_the_mean_of_their_softmax_over_all_ways(chunk):
    size = 5
    energies, u = normal(1, 3, size, seed=2) * 2, inside(size)[0, 0].tolist()
    found = look(attention_over(size, "mocha", chunk=chunk).train(), energies).weights[0]
    wanted = [[0.0] * size for _ in range(3)]
    for path, probability in ways_to_stop(energies[0].sigmoid().tolist()):
        for step, end in enumerate(path):
            if end < size:
                first = max(end - chunk + 1, 0)
                for place, share in enumerate(softmax(u[first : end + 1])):
                    wanted[step][first + place] += probability * share
    assert_same(found, wanted)


def test_a_long_sentence_loses_no_digit():
    """A cumulative product divided by another is 0 / 0 here; the recurrence of the paper is not."""
    size, steps = 211, 7
    energies = normal(1, steps, size, seed=3) * 3
    found = look(attention_over(size).train(), energies).weights[0]
    before = [1.0] + [0.0] * (size - 1)
    for step in range(steps):
        stop = [sigmoid(e) for e in energies[0, step].tolist()]
        go = [sigmoid(-e) for e in energies[0, step].tolist()]
        q, wanted = 0.0, []
        for j in range(size):  # equations 13 and 14
            q = before[j] + (go[j - 1] * q if j else 0.0)
            wanted.append(stop[j] * q)
        torch.testing.assert_close(found[step], torch.tensor(wanted, dtype=torch.float64), rtol=1e-11, atol=1e-300)
        before = wanted


@every_kind
def test_energies_that_leave_no_doubt_choose_what_hard_mode_chooses(kind):
    signs = torch.rand(7, 4, 11, generator=torch.Generator().manual_seed(4)) < 0.3
    energies = torch.where(signs, 1e4, -1e4).double()
    attention = attention_over(11, kind)
    expected, hard = look(attention.train(), energies), look(attention.eval(), energies)
    assert torch.equal(expected.weights, hard.weights)
    assert torch.equal(expected.context, hard.context)
    assert 0 < hard.weights.sum() < 7 * 4, "some run past the end and some do not"


@every_kind
@pytest.mark.parametrize("training", [True, False])
def test_weight_only_goes_to_the_right_and_never_comes_back(kind, training):
    energies = normal(13, 6, 11, seed=5) * 3
    weights = look(attention_over(11, kind).train(training), energies).weights
    assert (weights >= 0).all()
    mass = weights.sum(-1)
    assert (mass <= 1 + 1e-12).all()
    assert (mass.diff(dim=1) <= 1e-12).all()
    if kind == "hard":
        up_to = weights.cumsum(-1)
        assert (up_to.diff(dim=1) <= 1e-12).all()
        assert (up_to.diff(dim=1) < -0.1).any()


@every_kind
@pytest.mark.parametrize("extreme", [1e4, -1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_energies_have_finite_gradients(kind, extreme, dtype):
    signs = torch.rand(7, 3, 11, generator=torch.Generator().manual_seed(4)) < 0.5
    energies = torch.where(signs, extreme, normal(7, 3, 11)).to(dtype).requires_grad_()
    attention = attention_over(11, kind).to(dtype).train()
    weights = look(attention, energies).weights
    assert weights.isfinite().all()
    (weights * normal(*weights.shape, seed=6).to(dtype)).sum().backward()
    assert energies.grad is not None
    assert energies.grad.isfinite().all()
    assert energies.grad.any()
    assert attention.offset.grad.isfinite()


def test_gradients_of_gradients():
    attention = attention_over(5, "mocha").train()
    energies = normal(2, 2, 5, seed=7).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda energies: look(attention, energies).weights, (energies,))


def test_the_offset_begins_below_zero_and_moves_every_stop_to_the_right():
    attention = HardMonotonicAttention(Given(5), [], new_score=lambda: Given(5), chunk_size=None, noise=0.0)
    assert attention.offset.item() == -1
    weights = look(attention.double(), torch.zeros(1, 1, 5).double()).weights
    stop = sigmoid(-1)
    assert_same(weights, [[[stop * (1 - stop) ** j for j in range(5)]]])


# --- hard mode ---------------------------------------------------------------------------------------


def test_hard_mode_goes_on_from_where_it_stopped():
    yes, no = 0.5, -0.5
    rows = [
        [no, no, yes, yes, no, yes],  # the first that wants it
        [yes, yes, yes, no, no, yes],  # it may stay, and does not look back
        [yes, yes, no, no, 0.0, yes],  # as likely as not is enough
        [yes, yes, yes, yes, no, no],  # none is left: no weight at all
        [yes, yes, yes, yes, yes, yes],  # and it stays so
    ]
    found = look(attention_over(6).eval(), torch.tensor([rows]).double())
    wanted = torch.zeros(1, 5, 6).double()
    wanted[0, 0, 2] = wanted[0, 1, 2] = wanted[0, 2, 4] = 1
    assert torch.equal(found.weights, wanted)
    assert torch.equal(found.context, wanted), "no weight, no context"


def test_a_chunk_ends_where_hard_mode_stops_and_begins_with_the_sentence():
    yes, no = 0.5, -0.5
    energies = torch.tensor([[[no, yes, no, no, no], [no, no, no, yes, no], [no, no, no, no, no]]]).double()
    found = look(attention_over(5, "mocha").eval(), energies).weights[0]
    u = inside(5)[0, 0].tolist()
    assert_same(found, [[*softmax(u[0:2]), 0, 0, 0], [0, *softmax(u[1:4]), 0], [0] * 5])


@pytest.mark.parametrize("training", [True, False])
def test_chunks_of_one_position_are_hard_monotonic_attention(training):
    energies = normal(7, 4, 11, seed=5) * 3
    chunks = look(attention_over(11, "mocha", chunk=1).train(training), energies)
    hard = look(attention_over(11, "hard").train(training), energies)
    assert torch.equal(chunks.weights, hard.weights)
    assert torch.equal(chunks.state[0], hard.state[0])


def test_energies_inside_a_chunk_may_be_far_apart():
    attention = attention_over(5, "mocha").train()
    attention.chunk_score.kept = torch.tensor([[[1e4, -1e4, 1e4 + 1, 0.0, -1e4]]]).double()
    energies = normal(1, 2, 5, seed=5).requires_grad_()
    weights = look(attention, energies).weights
    weights.sum().backward()
    assert weights.isfinite().all()
    assert energies.grad is not None
    assert energies.grad.isfinite().all()
    hard = torch.full((1, 1, 5), -1.0).double()
    hard[..., 2] = 1.0
    share = 1 / (1 + math.e)
    assert_same(look(attention.eval(), hard).weights, [[[share, 0, 1 - share, 0, 0]]], 1e-9)


@every_kind
@pytest.mark.parametrize("training", [True, False])
def test_padding_is_never_stopped_at(kind, training):
    energies = normal(len(LENGTHS), 3, 7, seed=5)
    attention = attention_over(7, kind).train(training)
    found = look(attention, energies.masked_fill(~MASK.unsqueeze(1), 1e4), MASK)
    assert (found.weights.masked_select(~MASK.unsqueeze(1)) == 0).all()
    for row, length in enumerate(LENGTHS):
        one = attention_over(length, kind).train(training)
        if kind == "mocha":
            one.chunk_score.kept = inside(7)[..., :length]
        alone = look(one, energies[row : row + 1, :, :length])
        assert_same(alone.weights[0], found.weights[row, :, :length])


def in_hard_mode(reference: written_out.Attention) -> written_out.Attention:
    monotonic = reference.inner if isinstance(reference, written_out.MultiHead) else reference
    assert isinstance(monotonic, written_out.Monotonic)
    monotonic.hard = True
    return reference


@every_mechanism
def test_hard_weights_and_contexts_are_those_of_the_equations(name):
    attention, sizes, weight = small_attention(name).eval(), sizes_of(name), 0.0
    values, queries = normal(*MASK.shape, sizes.value, seed=2), normal(len(LENGTHS), 4, sizes.query, seed=3)
    for seed in (1, 2, 3):
        randomize(attention, seed)
        memory = attention.memorize(values, MASK)
        state, found = attention.start(memory), []
        for query in queries.split(1, dim=1):
            context, weights, state = attention(query, memory, state)
            found.append((context, weights))
            weight += weights.sum().item()
        reference = in_hard_mode(written_out.attention_of(name, numbers(attention)))
        for row, length in enumerate(LENGTHS):
            sentence = values[row, :length].tolist()
            past = reference.start(sentence)
            for step, (contexts, weights) in enumerate(found):
                context, wanted, past = reference.look(queries[row, step].tolist(), sentence, past)
                assert_same(contexts[row, 0], context)
                assert_same(weights[row, 0], wanted + [0.0] * (MASK.shape[1] - length))
    assert weight > 5, "it stops somewhere"


@every_mechanism
def test_selected_rows_go_on_in_hard_mode_from_where_they_stopped(name):
    attention, sizes = small_attention(name).eval(), sizes_of(name)
    values, queries = normal(*MASK.shape, sizes.value, seed=2), normal(len(LENGTHS), 2, sizes.query, seed=3)
    rows = torch.tensor([2, 2, 0, 3, 2])
    memory = attention.memorize(values, MASK)
    one = attention(queries[:, :1], memory, attention.start(memory))
    kept = tuple(part.index_select(0, rows) for part in one.state)
    found = attention(queries[rows, 1:], memory.select(rows), kept)
    two = attention(queries[:, 1:], memory, one.state)
    assert_same(found.weights, two.weights[rows])
    assert_same(found.context, two.context[rows])


@every_mechanism
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_stops_in_single(name, training):
    attention, sizes = small_attention(name).float().train(training), sizes_of(name)
    values, query = normal(*MASK.shape, sizes.value).float(), normal(len(LENGTHS), 1, sizes.query).float()
    with torch.autocast("cpu", torch.bfloat16):
        memory = attention.memorize(values, MASK)
        state = attention.start(memory)
        found = attention(query, memory, state)
    assert found.weights.dtype == torch.float32
    assert [part.dtype for part in found.state] == [part.dtype for part in state]


# --- noise -------------------------------------------------------------------------------------------


def test_noise_is_standard_normal_before_the_sigmoid():
    attention = attention_over(1, noise=1.0).train()
    torch.manual_seed(1)
    energies = torch.full((20011, 1, 1), 0.25).double()
    drawn = torch.logit(look(attention, energies).weights) - 0.25
    assert abs(drawn.mean().item()) < 0.03
    assert abs(drawn.std().item() - 1) < 0.03


@every_kind
def test_noise_is_there_in_training_only_and_follows_the_seed(kind):
    made = {"hard": HardMonotonicAttention, "mocha": MonotonicChunkwiseAttention}[kind]
    attention = made(Given(11), [], new_score=lambda: Given(11), chunk_size=None).double()
    energies = normal(7, 3, 11, seed=5)

    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return look(attention, energies).weights

    attention.train()
    assert not torch.equal(weights(1), weights(2))
    assert torch.equal(weights(1), weights(1))
    attention.eval()
    assert torch.equal(weights(1), weights(2))
    attention.train().noise = 0.0
    assert torch.equal(weights(1), weights(2))


# --- built by name -----------------------------------------------------------------------------------


@every_mechanism
def test_every_monotonic_mechanism_says_what_it_is(name):
    attention = attention_from(name, sizes_of(name))
    assert attention.recurrent
    assert not attention.sums_to_one
    inner = attention.inner if isinstance(attention, MultiHeadAttention) else attention
    assert isinstance(inner, HardMonotonicAttention)
    assert inner.noise == 1.0
    assert inner.paper
    assert inner.summary
    if isinstance(inner, MonotonicChunkwiseAttention):
        assert type(inner.chunk_score) is type(inner.score)
        assert inner.chunk_score is not inner.score
        assert inner.chunk_size == (parse(name).parts.chunk_size or 3)


def test_one_query_at_a_time():
    attention = attention_over(5)
    memory = attention.memorize(normal(1, 5, 5), torch.ones(1, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="takes one query at a time, not 2"):
        attention(normal(1, 2, 5), memory, attention.start(memory))
