"""The encoder: equal to torch's packed LSTM and to the gate equations; padding never leaks."""

from __future__ import annotations

import pytest
import references
import torch
from building import EMBEDDING, LENGTHS, assert_same, mask_of, normal, numbers, randomize
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.encoder import Encoded, LSTMEncoder

HIDDEN = 5
MASK = mask_of(LENGTHS)
SHAPES = [(layers, both, residual) for layers in (1, 3) for both in (False, True) for residual in (False, True)]


def encoder_of(layers: int, bidirectional: bool, residual: bool = False, *, input_size: int = EMBEDDING) -> LSTMEncoder:
    encoder = LSTMEncoder(
        input_size=input_size,
        hidden_size=HIDDEN,
        num_layers=layers,
        bidirectional=bidirectional,
        residual=residual,
        dropout=SequenceDropout(0.0),
    )
    randomize(encoder, seed=4, scale=0.5)
    return encoder.double().eval()


def embedded_of(size: int = EMBEDDING) -> Tensor:
    return normal(*MASK.shape, size, seed=2)


def run(encoder: LSTMEncoder, embedded: Tensor) -> Encoded:
    return encoder(embedded, torch.tensor(LENGTHS), MASK)


@pytest.mark.parametrize(("layers", "bidirectional", "residual"), SHAPES)
def test_every_state_is_that_of_the_gate_equations(layers, bidirectional, residual):
    encoder, embedded = encoder_of(layers, bidirectional, residual), embedded_of()
    found = run(encoder, embedded)
    for row, length in enumerate(LENGTHS):
        wanted = references.encode(numbers(encoder), embedded[row, :length].tolist(), residual=residual)
        assert_same(found.states[row, :length], wanted.states)
        assert_same(found.last[row], wanted.last)


def packed_twin(encoder: LSTMEncoder, layers: int, bidirectional: bool) -> nn.LSTM:
    """torch's own stack with the same weights."""
    twin = nn.LSTM(EMBEDDING, HIDDEN, layers, batch_first=True, bidirectional=bidirectional).double()
    weights = encoder.state_dict()
    renamed = {}
    for name in twin.state_dict():
        kind, _, layer = name.removesuffix("_reverse").rpartition("_l")
        renamed[name] = weights[f"layers.{layer}.{int(name.endswith('_reverse'))}.{kind}_l0"]
    twin.load_state_dict(renamed)
    return twin


@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (3, False), (3, True)])
def test_the_same_as_torch_on_packed_sequences(layers, bidirectional):
    encoder, embedded = encoder_of(layers, bidirectional), embedded_of()
    twin = packed_twin(encoder, layers, bidirectional)
    packed = nn.utils.rnn.pack_padded_sequence(embedded, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    outputs, (last, _) = twin(packed)
    states, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
    found = run(encoder, embedded)
    assert_same(found.states[MASK], states[MASK])
    assert_same(found.last, torch.cat(list(last.unflatten(0, (layers, -1))[-1]), -1))
    parameters = {**dict(encoder.named_parameters())}
    ours = torch.autograd.grad(found.states[MASK].sin().sum(), list(parameters.values()))
    theirs = dict(
        zip(
            dict(twin.named_parameters()),
            torch.autograd.grad(states[MASK].sin().sum(), list(twin.parameters())),
            strict=True,
        )
    )
    for name, gradient in zip(parameters, ours, strict=True):
        _, layer, direction, kind = name.split(".")
        reverse = "_reverse" if direction == "1" else ""
        assert_same(gradient, theirs[f"{kind.removesuffix('_l0')}_l{layer}{reverse}"])


@pytest.mark.parametrize("garbage", [1e6, -1e300])
def test_padding_changes_no_state_and_no_gradient(garbage):
    encoder, embedded = encoder_of(2, True, True), embedded_of()
    results = []
    for inputs in (embedded, embedded.masked_fill(~MASK.unsqueeze(-1), garbage)):
        inputs = inputs.clone().requires_grad_()
        found = run(encoder, inputs)
        total = found.states[MASK].sin().sum() + found.last.cos().sum()
        gradients = torch.autograd.grad(total, [inputs, *encoder.parameters()])
        results.append((found.states[MASK], found.last, *gradients))
        assert (gradients[0][~MASK] == 0).all()
    for clean, spoilt in zip(*results, strict=True):
        assert torch.equal(clean, spoilt)


def test_a_sentence_alone():
    encoder, embedded = encoder_of(2, True, True), embedded_of()
    together = run(encoder, embedded)
    for row, length in enumerate(LENGTHS):
        only = slice(row, row + 1)
        alone = encoder(embedded[only, :length], torch.tensor([length]), MASK[only, :length])
        assert_same(alone.states, together.states[only, :length])
        assert_same(alone.last, together.last[only])


def test_residual_begins_with_the_second_layer_even_where_the_embedding_has_the_size_of_a_state():
    """Whether the first layer gets one must not hang on two sizes happening to be equal."""
    encoder = encoder_of(2, True, True, input_size=2 * HIDDEN)
    plain = encoder_of(1, True, False, input_size=2 * HIDDEN)
    plain.load_state_dict({name: value for name, value in encoder.state_dict().items() if name.startswith("layers.0")})
    embedded = embedded_of(2 * HIDDEN)
    first = run(plain, embedded).states[0].tolist()
    second = references.encode(
        {name.replace("layers.1", "layers.0"): value for name, value in numbers(encoder).items() if "layers.1" in name},
        first[: LENGTHS[0]],
        residual=False,
    )
    wanted = [references.plus(a, b) for a, b in zip(second.states, first[: LENGTHS[0]], strict=True)]
    assert_same(run(encoder, embedded).states[0, : LENGTHS[0]], wanted)


def test_gradients_are_those_of_finite_differences():
    encoder = encoder_of(2, True, True, input_size=2)
    inputs = normal(2, 3, 2, seed=3).requires_grad_()
    mask = mask_of((3, 2))

    def states(inputs: Tensor) -> tuple[Tensor, Tensor]:
        found = encoder(inputs, torch.tensor([3, 2]), mask)
        return found.states[mask], found.last

    assert torch.autograd.gradcheck(states, (inputs,))
