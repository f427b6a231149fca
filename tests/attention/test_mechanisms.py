"""What every attention mechanism owes, whatever its paper; run for each that exists.

A new mechanism is found by its name and needs one thing more: its equations in ``references.ATTENTIONS``.
"""

from __future__ import annotations

import math

import pytest
import torch
from attention_references import SCORES, attention_of
from building import LENGTHS, assert_same, mask_of, normal, numbers, sizes_of, small_attention
from specs import SPECS, parse
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention, Memory

TARGET_LEN = 3
MASK = mask_of(LENGTHS)

pytestmark = pytest.mark.parametrize("name", SPECS)


def values_of(name: str, seed: int = 2) -> Tensor:
    return normal(*MASK.shape, sizes_of(name).value, seed=seed)


def queries_of(name: str, seed: int = 3) -> Tensor:
    return normal(len(LENGTHS), TARGET_LEN, sizes_of(name).query, seed=seed)


def look(attention: Attention, queries: Tensor, memory: Memory, *, step_by_step: bool = False) -> Attended:
    """Attend with all queries: at once where the mechanism allows it."""
    state = attention.start(memory)
    if not (attention.recurrent or step_by_step):
        return attention(queries, memory, state)
    contexts, weights = [], []
    for query in queries.split(1, dim=1):
        context, row, state = attention(query, memory, state)
        contexts.append(context)
        weights.append(row)
    return Attended(torch.cat(contexts, 1), torch.cat(weights, 1), state)


def check_mass(attention: Attention, weights: Tensor, tolerance: float) -> None:
    """All of the weight is given, or as much as the paper gives; without attention none."""
    mass = weights.sum(-1)
    if attention.sums_to_one:
        torch.testing.assert_close(mass, torch.ones_like(mass), rtol=0, atol=tolerance)
    else:
        assert (mass <= 1 + tolerance).all()
        assert bool(mass.any()) is attention.attends


def test_every_mechanism_has_its_equations_in_plain_python(name):
    spec = parse(name)
    assert spec.score == "none" or spec.score in SCORES, f"write {spec.score!r} into tests/attention_references.py"


def test_weights_and_context_are_those_of_the_equations(name):
    attention, values, queries = small_attention(name), values_of(name), queries_of(name)
    found = look(attention, queries, attention.memorize(values, MASK))
    reference = attention_of(name, numbers(attention))
    for row, length in enumerate(LENGTHS):
        sentence = values[row, :length].tolist()
        state = reference.start(sentence)
        for step in range(TARGET_LEN):
            context, weights, state = reference.look(queries[row, step].tolist(), sentence, state)
            assert_same(found.context[row, step], context)
            assert_same(found.weights[row, step], weights + [0.0] * (MASK.shape[1] - length))


def test_weights_sum_to_one_and_are_exactly_zero_on_padding(name):
    attention = small_attention(name)
    weights = look(attention, queries_of(name), attention.memorize(values_of(name), MASK)).weights
    assert (weights >= 0).all()
    check_mass(attention, weights, 1e-12)
    assert (weights.masked_select(~MASK.unsqueeze(1)) == 0).all()


def test_one_token_gets_all_the_weight(name):
    attention, values = small_attention(name), values_of(name)[:, :1]
    found = look(attention, queries_of(name), attention.memorize(values, MASK[:, :1]))
    if attention.sums_to_one:
        assert_same(found.weights, torch.ones(len(LENGTHS), TARGET_LEN, 1))
    if attention.attends and "heads" not in parse(name).parts.chosen():
        assert_same(found.context, values * found.weights)


def gradients(attention: Attention, values: Tensor, queries: Tensor) -> tuple[Attended, list[Tensor | None]]:
    values, queries = values.clone().requires_grad_(), queries.clone().requires_grad_()
    found = look(attention, queries, attention.memorize(values, MASK))
    total = (found.context * normal(*found.context.shape, seed=5)).sum()
    total = total + (found.weights * normal(*found.weights.shape, seed=6)).sum()
    inputs = [values, queries, *attention.parameters()]
    if not total.requires_grad:
        return found, [None for _ in inputs]
    return found, list(torch.autograd.grad(total, inputs, allow_unused=True))


@pytest.mark.parametrize("garbage", [1e6, -1e300, math.inf, math.nan])
def test_garbage_in_padding_changes_nothing(name, garbage):
    attention, values, queries = small_attention(name), values_of(name), queries_of(name)
    spoilt = values.masked_fill(~MASK.unsqueeze(-1), garbage)
    clean, clean_gradients = gradients(attention, values, queries)
    found, found_gradients = gradients(attention, spoilt, queries)
    assert torch.equal(found.context, clean.context)
    assert torch.equal(found.weights, clean.weights)
    for spoilt_gradient, gradient in zip(found_gradients, clean_gradients, strict=True):
        assert (spoilt_gradient is None) == (gradient is None)
        if gradient is not None and spoilt_gradient is not None:
            assert torch.equal(spoilt_gradient, gradient)
    if found_gradients[0] is not None:
        assert (found_gradients[0][~MASK] == 0).all()


def test_more_padding_changes_nothing(name):
    attention, values, queries = small_attention(name), values_of(name), queries_of(name)
    narrow = look(attention, queries, attention.memorize(values, MASK))
    extra = torch.full((len(LENGTHS), 4, values.shape[2]), math.nan, dtype=values.dtype)
    wide_mask = mask_of(LENGTHS, MASK.shape[1] + 4)
    wide = look(attention, queries, attention.memorize(torch.cat([values, extra], 1), wide_mask))
    assert_same(wide.context, narrow.context)
    assert_same(wide.weights[..., :-4], narrow.weights)
    assert (wide.weights[..., -4:] == 0).all()


def test_a_sentence_alone_or_in_any_order_of_the_batch(name):
    attention, values, queries = small_attention(name), values_of(name), queries_of(name)
    together = look(attention, queries, attention.memorize(values, MASK))
    order = torch.tensor([2, 0, 3, 1])
    mixed = look(attention, queries[order], attention.memorize(values[order], MASK[order]))
    assert_same(mixed.context, together.context[order])
    assert_same(mixed.weights, together.weights[order])
    for row, length in enumerate(LENGTHS):
        only = slice(row, row + 1)
        alone = look(attention, queries[only], attention.memorize(values[only, :length], MASK[only, :length]))
        assert_same(alone.context, together.context[only])
        assert_same(alone.weights, together.weights[only, :, :length])


def test_step_by_step_is_all_at_once(name):
    attention, queries = small_attention(name), queries_of(name)
    memory = attention.memorize(values_of(name), MASK)
    at_once = look(attention, queries, memory)
    stepwise = look(attention, queries, memory, step_by_step=True)
    assert_same(stepwise.context, at_once.context)
    assert_same(stepwise.weights, at_once.weights)


def test_selected_rows_are_those_computed_from_their_sentences(name):
    """Beam search moves memory and state together; a history that stays behind belongs to another sentence."""
    attention, values, queries = small_attention(name), values_of(name), queries_of(name)
    rows = torch.tensor([2, 2, 0, 3, 2])
    memory = attention.memorize(values, MASK)
    after_one = attention(queries[:, :1], memory, attention.start(memory)).state
    state = tuple(part.index_select(0, rows) for part in after_one)
    found = attention(queries[rows, 1:2], memory.select(rows), state)
    again = look(attention, queries[rows, :2], attention.memorize(values[rows], MASK[rows]), step_by_step=True)
    assert_same(found.context, again.context[:, 1:])
    assert_same(found.weights, again.weights[:, 1:])


def test_gradients_are_those_of_finite_differences(name):
    attention = small_attention(name)
    mask = mask_of((3, 2))
    values, queries = values_of(name)[:2, :3].clone(), queries_of(name)[:2, :2].clone()

    def both(values: Tensor, queries: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        found = look(attention, queries, attention.memorize(values, mask))
        return tuple(part for part in (found.context, found.weights) if part.requires_grad)

    inputs = (values.requires_grad_(), queries.requires_grad_(), *attention.parameters())
    if attention.attends:
        assert torch.autograd.gradcheck(both, inputs)
    else:
        assert look(attention, queries, attention.memorize(values, mask)).weights.requires_grad is False


def test_nothing_is_kept_on_the_module(name):
    """State on a module is what breaks beam search, ensembles and threads."""
    attention, queries = small_attention(name), queries_of(name)
    before = {key: id(value) for module in attention.modules() for key, value in vars(module).items()}
    first, other = (attention.memorize(values_of(name, seed), MASK) for seed in (2, 7))
    wanted = look(attention, queries, first)
    look(attention, queries, other)
    again = look(attention, queries, first)
    assert torch.equal(again.context, wanted.context)
    assert torch.equal(again.weights, wanted.weights)
    assert {key: id(value) for module in attention.modules() for key, value in vars(module).items()} == before


def test_half_precision_is_normalized_in_single(name):
    attention = small_attention(name).float()
    values, queries = values_of(name).float(), queries_of(name).float()
    exact = look(attention, queries, attention.memorize(values, MASK))
    with torch.autocast("cpu", torch.bfloat16):
        found = look(attention, queries, attention.memorize(values, MASK))
    assert found.weights.dtype == torch.float32
    check_mass(attention, found.weights, 1e-6)
    torch.testing.assert_close(found.weights, exact.weights, rtol=0, atol=0.06)
    torch.testing.assert_close(found.context.float(), exact.context, rtol=0.02, atol=0.12)
