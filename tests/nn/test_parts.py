"""The small parts: masks, bridge, embeddings, dropout."""

from __future__ import annotations

import math

import pytest
import references
import torch
from building import LENGTHS, assert_same, mask_of, normal, numbers, randomize
from torch import Tensor

from seq2seq_attn.nn.bridge import Bridge
from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.nn.encoder import Encoded
from seq2seq_attn.nn.masking import last_states, masked_mean, reverse_padded

MASK = mask_of(LENGTHS)
VALUE, HIDDEN, LAYERS = 5, 7, 3


def states_of(features: int = VALUE) -> Tensor:
    return normal(*MASK.shape, features, seed=2)


def test_sentences_are_reversed_inside_their_own_length():
    states, lengths = states_of(), torch.tensor(LENGTHS)
    turned = reverse_padded(states, lengths)
    for row, length in enumerate(LENGTHS):
        assert turned[row, :length].tolist() == states[row, :length].tolist()[::-1]
        assert torch.equal(turned[row, length:], states[row, length:])
    assert torch.equal(reverse_padded(turned, lengths), states)


def test_last_states_are_those_of_the_last_tokens():
    states = states_of()
    found = last_states(states, torch.tensor(LENGTHS))
    assert found.tolist() == [states[row, length - 1].tolist() for row, length in enumerate(LENGTHS)]


def test_the_mean_is_over_tokens_and_nan_in_padding_stays_there():
    states = states_of().masked_fill(~MASK.unsqueeze(-1), math.nan).requires_grad_()
    found = masked_mean(states, MASK)
    for row, length in enumerate(LENGTHS):
        assert_same(found[row], references.mean(states[row, :length].tolist()))
    (gradient,) = torch.autograd.grad(found.sum(), states)
    assert (gradient[~MASK] == 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("has_cell", [False, True])
@pytest.mark.parametrize("kind", ["zero", "last", "mean"])
def test_every_first_state_is_that_of_the_equation(kind, has_cell):
    bridge = Bridge(kind, value_size=VALUE, hidden_size=HIDDEN, num_layers=LAYERS, has_cell=has_cell)
    randomize(bridge, seed=3)
    bridge.double()
    encoded = Encoded(states_of(), normal(len(LENGTHS), VALUE, seed=4), MASK)
    hidden, cell = bridge(encoded)
    for row, length in enumerate(LENGTHS):
        alone = references.Encoded(encoded.states[row, :length].tolist(), encoded.last[row].tolist())
        wanted = references.bridge(kind, numbers(bridge), alone, layers=LAYERS, size=HIDDEN, cell=has_cell)
        assert_same(hidden[row], wanted[0])
        assert_same(cell[row], wanted[1])


@pytest.mark.parametrize("kind", ["last", "mean"])
def test_gradients_of_the_bridge(kind):
    bridge = Bridge(kind, value_size=2, hidden_size=3, num_layers=2, has_cell=True).double()
    mask = mask_of((3, 2))
    inputs = (normal(2, 3, 2, seed=2).requires_grad_(), normal(2, 2, seed=3).requires_grad_(), *bridge.parameters())
    assert torch.autograd.gradcheck(lambda states, last, *_: bridge(Encoded(states, last, mask)), inputs)


def test_embeddings_are_rows_times_the_root_of_their_size():
    embedding = TokenEmbedding(11, 7, padding=0).double()
    tokens = torch.tensor([[3, 0, 10], [5, 5, 1]])
    table = embedding.table.weight.tolist()
    assert_same(embedding(tokens), [references.embed(table, row) for row in tokens.tolist()])


def test_embeddings_begin_with_unit_variance_and_padding_at_zero():
    torch.manual_seed(1)
    embedding = TokenEmbedding(1009, 64, padding=0)
    vectors = embedding(torch.arange(1009).unsqueeze(0))[0]
    assert (vectors[0] == 0).all()
    assert 0.97 < vectors[1:].std() < 1.03
    embedding(torch.tensor([[0, 5]])).sum().backward()
    gradient = embedding.table.weight.grad
    assert gradient is not None
    assert (gradient[0] == 0).all()
    assert (gradient[5] != 0).all()


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_keeps_the_mean_and_scales_what_stays(variational):
    torch.manual_seed(1)
    dropout = SequenceDropout(0.3, variational=variational).train()
    outputs = dropout(torch.full((61, 11, 97), 2.0))
    kept = outputs != 0
    torch.testing.assert_close(outputs[kept], torch.full_like(outputs[kept], 2.0 / 0.7))
    assert abs(outputs.mean().item() - 2.0) < 0.06
    assert abs(kept.float().mean().item() - 0.7) < 0.02
    assert bool((kept == kept[:, :1]).all()) is variational


def test_dropout_does_nothing_in_evaluation_or_at_zero():
    inputs = normal(2, 3, 5)
    assert SequenceDropout(0.9).eval()(inputs) is inputs
    assert SequenceDropout(0.0).train()(inputs) is inputs
    assert SequenceDropout(0.9).eval().masks(inputs, 5) is None
