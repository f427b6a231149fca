"""Histories: what is remembered of past weights, with a pencil, and that it really reaches the score."""

from __future__ import annotations

import math

import pytest
import torch
from building import LENGTHS, assert_same, attention_from, mask_of, normal, randomize, sizes_of, small_attention
from torch import Tensor

from seq2seq_attn.attention import Attention, Memory
from seq2seq_attn.attention.history import COVERAGES, History, LocationHistory
from seq2seq_attn.attention.scored import ScoredAttention

MASK = mask_of(LENGTHS)
QUERY, VALUE, KEY = 3, 2, 5
HISTORIES: dict[str, type[History]] = {**COVERAGES, "location": LocationHistory}
PARTS = ["location_sensitive=true", *(f"coverage={name}" for name in COVERAGES)]
SCORES = ["bahdanau", "luong-dot", "luong-general"]

every_history = pytest.mark.parametrize("name", HISTORIES)
every_part = pytest.mark.parametrize("part", PARTS)
every_score = pytest.mark.parametrize("score", SCORES)


def history_of(name: str) -> History:
    return HISTORIES[name](query_size=QUERY, value_size=VALUE, key_size=KEY).double()


def set_to(module: torch.nn.Module, **numbers: object) -> None:
    """Zero every parameter, and give some the numbers that a test calculates with."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        for name, value in numbers.items():
            module.get_parameter(name.replace("__", ".")).copy_(torch.tensor(value, dtype=torch.float64))


def memory_of(values: Tensor) -> Memory:
    return Memory(values, values, torch.ones(values.shape[:2], dtype=torch.bool))


def features_after(history: History, memory: Memory, rows: list[list[float]]) -> Tensor:
    """What the keys of one sentence are told after steps with these weights."""
    state = history.start(memory)
    for row in rows:
        weights = torch.tensor([[row]], dtype=torch.float64)
        state = history.update(torch.zeros(1, 1, QUERY).double(), weights, memory, state)
    return history.features(memory, state)[0]


# --- with a pencil -----------------------------------------------------------------------------------


def test_location_is_a_convolution_with_zeros_beyond_both_ends():
    history = history_of("location")
    set_to(history)
    with torch.no_grad():
        history.filters[0, 0, 5], history.filters[0, 0, 4] = 1.0, 10.0  # here, and one position to the left
        history.filters[1, 0, 10] = 100.0  # five positions to the right
        history.layer.weight[0, 0] = history.layer.weight[1, 1] = 1.0
    row = [0.5, 0.0, 0.125, 0.0, 0.0, 0.375, 0.0]
    found = features_after(history, memory_of(normal(1, 7, VALUE)), [[1 / 7] * 7, row])
    assert_same(found[:, 0], [0.5, 5.0, 0.125, 1.25, 0.0, 0.375, 3.75])
    assert_same(found[:, 1], [37.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert (found[:, 2:] == 0).all()


def test_coverage_is_the_sum_of_all_weights_so_far():
    history = history_of("sum")
    set_to(history, layer__weight=[[1.0], [-2.0], [0.0], [0.5], [3.0]])
    found = features_after(history, memory_of(normal(1, 3, VALUE)), [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
    covered = [0.75, 1.0, 0.25]
    assert_same(found, [[c, -2 * c, 0.0, 0.5 * c, 3 * c] for c in covered])


def test_fertility_is_the_number_of_words_that_a_position_has_to_give():
    """Values of log 3 and -log 3 make sigmoids of 3/4 and 1/4, so 3/2 and 1/2 words; 0 makes one word."""
    history = history_of("fertility")
    set_to(history, fertility_layer__weight=[[1.0, 0.0]], layer__weight=[[1.0]] * KEY)
    values = torch.tensor([[[math.log(3), 9.0], [-math.log(3), 7.0], [0.0, 5.0]]], dtype=torch.float64)
    found = features_after(history, memory_of(values), [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
    assert_same(found, [[0.75 / 1.5] * KEY, [1.0 / 0.5] * KEY, [0.25] * KEY])


def test_units_that_read_nothing_go_half_of_the_way_to_their_bias_at_every_step():
    history = history_of("neural")
    bias = [0.0] * 20 + [math.atanh(0.5)] * 10
    set_to(history, value_layer__bias=bias, layer__weight=[[1.0] + [0.0] * 9] * KEY)
    memory = memory_of(normal(1, 3, VALUE))
    for steps, wanted in enumerate([0.0, 0.25, 0.375, 0.4375]):
        assert_same(features_after(history, memory, [[1.0, 0.0, 0.0]] * steps), [[wanted] * KEY] * 3)


def test_a_unit_reads_the_weight_of_its_own_position():
    history = history_of("neural")
    rows = [[0.0]] * 20 + [[1.0]] * 10
    set_to(history, weight_layer__weight=rows, layer__weight=[[1.0] + [0.0] * 9] * KEY)
    found = features_after(history, memory_of(normal(1, 3, VALUE)), [[0.25, 0.0, 0.75]])
    assert_same(found, [[math.tanh(weight) / 2] * KEY for weight in (0.25, 0.0, 0.75)])


def test_units_agree_with_those_of_torch_where_the_two_say_the_same():
    """Without U, whether the reset gate multiplies its input (Cho et al.) or its output (torch) is one."""
    history = history_of("neural")
    randomize(history, seed=1)
    with torch.no_grad():
        history.candidate_layer.weight.zero_()
        history.layer.weight.zero_()
        history.layer.weight[:, :KEY] = torch.eye(KEY)
    update, _, candidate = history.value_layer.bias.chunk(3)
    cell = torch.nn.GRUCell(1 + VALUE + QUERY, 10).double()
    inputs = torch.cat([history.weight_layer.weight, history.value_layer.weight, history.query_layer.weight], dim=1)
    with torch.no_grad():  # torch has the reset gate first, and its z is what is kept
        cell.weight_ih.copy_(torch.cat([inputs[10:20], -inputs[:10], inputs[20:]]))
        cell.weight_hh.zero_()
        cell.weight_hh[10:20] = -history.gate_layer.weight[:10]
        cell.bias_ih.copy_(torch.cat([torch.zeros(10).double(), -update, candidate]))
        cell.bias_hh.zero_()
    values = normal(1, 3, VALUE)
    memory = memory_of(values)
    state, units = history.start(memory), torch.zeros(3, 10).double()
    for seed in range(4):
        query, weights = normal(1, 1, QUERY, seed=seed), normal(1, 1, 3, seed=seed).softmax(-1)
        state = history.update(query, weights, memory, state)
        units = cell(torch.cat([weights[0].mT, values[0], query[0].expand(3, -1)], dim=1), units)
        assert_same(history.features(memory, state)[0], units[:, :KEY])


# --- in the score ------------------------------------------------------------------------------------


def scored(name: str) -> ScoredAttention:
    attention = small_attention(name)
    assert isinstance(attention, ScoredAttention)
    return attention


def two_steps(attention: Attention, first: Tensor, second: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    one = attention(first, memory, attention.start(memory))
    return one.weights, attention(second, memory, one.state).weights


def inputs_of(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Values, and two queries that look elsewhere."""
    sizes = sizes_of(name)
    queries = normal(len(LENGTHS), 2, sizes.query, seed=3)
    return normal(*MASK.shape, sizes.value, seed=2), queries[:, :1], queries[:, 1:]


@every_score
@every_part
def test_a_fresh_mechanism_is_the_one_without_a_history(score, part):
    values, first, second = inputs_of(score)
    plain = scored(score)
    attention = attention_from(f"{score}+{part}", sizes_of(score)).double()
    missing, unexpected = attention.load_state_dict(plain.state_dict(), strict=False)
    assert all(name.startswith("histories.0.") for name in missing)
    assert not unexpected
    found = two_steps(attention, first, second, attention.memorize(values, MASK))
    for weights, wanted in zip(found, two_steps(plain, first, second, plain.memorize(values, MASK)), strict=True):
        assert torch.equal(weights, wanted)


@every_score
@every_part
def test_the_past_changes_the_weights_but_not_before_there_is_one(score, part):
    values, first, second = inputs_of(score)
    attention, plain = scored(f"{score}+{part}"), scored(score)
    plain.load_state_dict({k: v for k, v in attention.state_dict().items() if not k.startswith("histories.")})
    memory = attention.memorize(values, MASK)
    one, two = two_steps(attention, first, second, memory)
    without = two_steps(plain, first, second, plain.memorize(values, MASK))
    assert_same(one, without[0])
    _, after_another = two_steps(attention, second, second, memory)
    longer = torch.tensor(LENGTHS) > 1  # one position has all the weight, whatever was before
    for other in (without[1], after_another):
        assert ((two - other).abs().amax((1, 2))[longer] > 1e-4).all()


def test_coverage_that_takes_energy_away_looks_at_every_position_once():
    attention = scored("luong-dot+coverage=sum")
    assert isinstance(attention.histories[0], History)
    size = sizes_of("luong-dot").query
    set_to(attention, histories__0__layer__weight=[[-50.0]] * size)
    values = torch.tensor([3.0, 5.0, 2.0, 7.0, 1.0]).double().view(1, 5, 1).expand(1, 5, size)
    memory = attention.memorize(values, torch.ones(1, 5, dtype=torch.bool))
    query, state, seen = torch.ones(1, 1, size).double() * 4, attention.start(memory), []
    for _ in range(5):
        _, weights, state = attention(query, memory, state)
        seen.append(int(weights.argmax()))
    assert seen == [3, 1, 0, 2, 4]


@pytest.mark.parametrize("rest", ["", "+window=local-p+window_size=2", "+normalize=sparsemax", "+monotonic=mocha"])
def test_coverage_is_told_the_weights_that_were_given(rest):
    name = "bahdanau+coverage=sum" + rest
    values, first, second = inputs_of(name)
    attention = scored(name)
    memory = attention.memorize(values, MASK)
    one = attention(first, memory, attention.start(memory))
    two = attention(second, memory, one.state)
    assert_same(two.state[-1], (one.weights + two.weights).squeeze(1))
    assert (two.state[-1][~MASK] == 0).all()


@every_part
def test_only_what_stands_behind_the_layer_of_zeros_waits_for_it_to_move(part):
    values, first, second = inputs_of("bahdanau")
    torch.manual_seed(1)
    attention = attention_from(f"bahdanau+{part}", sizes_of("bahdanau")).double()

    def unmoved() -> set[str]:
        attention.zero_grad()
        _, weights = two_steps(attention, first, second, attention.memorize(values, MASK))
        (weights * normal(*weights.shape, seed=5)).sum().backward()
        return {name for name, part in attention.named_parameters() if part.grad is None or not part.grad.any()}

    waiting = unmoved()
    assert "histories.0.layer.weight" not in waiting
    assert all(name.startswith("histories.0.") for name in waiting)
    torch.optim.SGD(attention.parameters(), lr=0.1).step()
    still = {"histories.0.gate_layer.weight", "histories.0.candidate_layer.weight"}  # they read what was before
    assert unmoved() <= still


# --- precision ---------------------------------------------------------------------------------------


@every_history
def test_what_is_remembered_is_not_rounded_to_half_precision(name):
    """256 steps with a weight of 1/256 are one; in bfloat16 the sum stops at a quarter of it."""
    history = HISTORIES[name](query_size=QUERY, value_size=VALUE, key_size=KEY).bfloat16()
    memory = memory_of(torch.zeros(1, 3, VALUE, dtype=torch.bfloat16))
    state = history.start(memory)
    kinds = [part.dtype for part in state]
    for _ in range(256):
        weights = torch.full((1, 1, 3), 1 / 256)
        state = history.update(torch.zeros(1, 1, QUERY, dtype=torch.bfloat16), weights, memory, state)
    assert state[0].dtype == torch.float32
    assert [part.dtype for part in state] == kinds
    assert history.features(memory, state).dtype == torch.bfloat16
    if name == "sum":
        assert_same(state[0], torch.ones(1, 3), 1e-6)
