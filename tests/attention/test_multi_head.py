"""Heads: against torch's own multi-head attention, and each head against the mechanism it runs."""

from __future__ import annotations

import pytest
import torch
from building import LENGTHS, Sizes, assert_same, attention_from, mask_of, normal, randomize
from torch import nn

from seq2seq_attn.attention import build_attention
from seq2seq_attn.attention.multi_head import MultiHeadAttention

SIZE, STEPS = 12, 3
MASK = mask_of(LENGTHS)


def of_heads(name: str, heads: int) -> MultiHeadAttention:
    attention = attention_from(f"{name}+heads={heads}", Sizes(SIZE, SIZE, SIZE))
    assert isinstance(attention, MultiHeadAttention)
    randomize(attention, seed=1)
    return attention.double().eval()


@pytest.mark.parametrize("heads", [2, 3, 6])
def test_scaled_dot_heads_are_those_of_torch(heads):
    ours = of_heads("luong-scaled-dot", heads)
    theirs = nn.MultiheadAttention(SIZE, heads, bias=False, batch_first=True).double()
    with torch.no_grad():
        layers = (ours.query_layer, ours.key_layer, ours.value_layer)
        theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        theirs.out_proj.weight.copy_(torch.eye(SIZE))
    values, queries = normal(*MASK.shape, SIZE, seed=2), normal(len(LENGTHS), STEPS, SIZE, seed=3)
    memory = ours.memorize(values, MASK)
    context, weights = theirs(queries, values, values, key_padding_mask=~MASK, average_attn_weights=False)
    found = ours(queries, memory, ours.start(memory))
    assert_same(found.context, context)
    assert_same(found.weights, weights.mean(1))
    _, of_each, _ = ours.look(queries, memory, ours.start(memory))
    assert_same(of_each, weights)


def test_heads_differ_and_each_sees_its_own_history():
    attention = of_heads("bahdanau+coverage=sum", 3)
    values, queries = normal(*MASK.shape, SIZE, seed=2), normal(len(LENGTHS), 1, SIZE, seed=3)
    memory = attention.memorize(values, MASK)
    state = attention.start(memory)
    _, first, state = attention.look(queries, memory, state)
    assert not torch.allclose(first[:, 0], first[:, 1])
    assert_same(state[0], first.squeeze(2))  # the sum of past weights, head by head


def test_sizes_of_queries_and_values_may_differ():
    attention = build_attention("multi-head", query_size=5, value_size=8, hidden_size=12)
    memory = attention.memorize(torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool))
    found = attention(torch.randn(2, 7, 5), memory, attention.start(memory))
    assert found.context.shape == (2, 7, 8)
    assert attention.context_size == 8
