"""The encoder: equal to torch's packed layers and to the gate equations; padding never leaks."""

from __future__ import annotations

import pytest
import references
import torch
from building import EMBEDDING, LENGTHS, assert_same, mask_of, normal, numbers, randomize
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.encoder import Encoded, RecurrentEncoder
from seq2seq_attn.nn.recurrent import CELLS, NORMED_CELLS
from seq2seq_attn.nn.recurrent.base import RecurrentLayer

HIDDEN = 5
MASK = mask_of(LENGTHS)
LAYERS = {layer.__name__: layer for layer in (*CELLS.values(), *NORMED_CELLS.values())}
LSTM = CELLS["lstm"]
SHAPES = [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)]  # layers, and how many read both ways

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def encoder_of(
    layers: int,
    both_ways: int,
    residual: bool = False,
    *,
    layer: type[RecurrentLayer] = LSTM,
    input_size: int = EMBEDDING,
    backward: bool = False,
) -> RecurrentEncoder:
    encoder = RecurrentEncoder(
        layer=layer,
        input_size=input_size,
        hidden_size=HIDDEN,
        num_layers=layers,
        bidirectional_layers=both_ways,
        residual=residual,
        dropout=SequenceDropout(0.0),
        backward=backward,
    )
    randomize(encoder, seed=4, scale=0.5)
    return encoder.double().eval()


def embedded_of(size: int = EMBEDDING) -> Tensor:
    return normal(*MASK.shape, size, seed=2)


def run(encoder: RecurrentEncoder, embedded: Tensor) -> Encoded:
    return encoder(embedded, torch.tensor(LENGTHS), MASK)


@every_layer
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("layers", "both_ways"), SHAPES)
def test_every_state_is_that_of_the_gate_equations(layer, layers, both_ways, residual):
    encoder, embedded = encoder_of(layers, both_ways, residual, layer=layer), embedded_of()
    found = run(encoder, embedded)
    assert found.states.shape[2] == encoder.output_size == HIDDEN * (2 if both_ways == layers else 1)
    for row, length in enumerate(LENGTHS):
        wanted = references.encode(numbers(encoder), embedded[row, :length].tolist(), residual=residual)
        assert_same(found.states[row, :length], wanted.states)
        assert_same(found.last[row], wanted.last)


@every_layer
@pytest.mark.parametrize("layers", [1, 3])
def test_reading_backward_is_reading_the_sentence_turned_round(layer, layers):
    """Each state stands at its own token, and the last one is that of the first token."""
    encoder, embedded = encoder_of(layers, 0, True, layer=layer, backward=True), embedded_of()
    found = run(encoder, embedded)
    for row, length in enumerate(LENGTHS):
        turned = embedded[row, :length].flip(0).tolist()
        wanted = references.encode(numbers(encoder), turned, residual=True)
        assert_same(found.states[row, :length], wanted.states[::-1])
        assert_same(found.last[row], wanted.last)


def packed_twin(encoder: RecurrentEncoder, kind: str, layers: int, bidirectional: bool) -> nn.RNNBase:
    """torch's own stack with the same weights."""
    cls = nn.LSTM if kind == "lstm" else nn.GRU
    twin = cls(EMBEDDING, HIDDEN, layers, batch_first=True, bidirectional=bidirectional).double()
    weights = encoder.state_dict()
    renamed = {}
    for name in twin.state_dict():
        part, _, layer = name.removesuffix("_reverse").rpartition("_l")
        renamed[name] = weights[f"layers.{layer}.{int(name.endswith('_reverse'))}.{part}_l0"]
    twin.load_state_dict(renamed)
    return twin


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (3, False), (3, True)])
def test_the_same_as_torch_on_packed_sequences(kind, layers, bidirectional):
    encoder, embedded = encoder_of(layers, layers * bidirectional, layer=CELLS[kind]), embedded_of()
    twin = packed_twin(encoder, kind, layers, bidirectional)
    packed = nn.utils.rnn.pack_padded_sequence(embedded, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    outputs, last = twin(packed)
    last = last[0] if kind == "lstm" else last
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
        _, layer, direction, part = name.split(".")
        reverse = "_reverse" if direction == "1" else ""
        assert_same(gradient, theirs[f"{part.removesuffix('_l0')}_l{layer}{reverse}"])


@every_layer
@pytest.mark.parametrize("garbage", [1e6, -1e300, float("nan")])
def test_padding_changes_no_state_and_no_gradient(layer, garbage):
    encoder, embedded = encoder_of(3, 2, True, layer=layer), embedded_of()
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


@every_layer
@pytest.mark.parametrize("backward", [False, True])
def test_a_sentence_alone(layer, backward):
    encoder, embedded = encoder_of(3, 0 if backward else 2, True, layer=layer, backward=backward), embedded_of()
    together = run(encoder, embedded)
    for row, length in enumerate(LENGTHS):
        only = slice(row, row + 1)
        alone = encoder(embedded[only, :length], torch.tensor([length]), MASK[only, :length])
        assert_same(alone.states, together.states[only, :length])
        assert_same(alone.last, together.last[only])


def test_residual_begins_with_the_second_layer_even_where_the_embedding_has_the_size_of_a_state():
    """Whether the first layer gets one must not hang on two sizes happening to be equal."""
    encoder = encoder_of(2, 2, True, input_size=2 * HIDDEN)
    plain = encoder_of(1, 1, False, input_size=2 * HIDDEN)
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


@every_layer
def test_gradients_are_those_of_finite_differences(layer):
    encoder = encoder_of(2, 1, True, layer=layer, input_size=2)
    inputs = normal(2, 3, 2, seed=3).requires_grad_()
    mask = mask_of((3, 2))

    def states(inputs: Tensor) -> tuple[Tensor, Tensor]:
        found = encoder(inputs, torch.tensor([3, 2]), mask)
        return found.states[mask], found.last

    assert torch.autograd.gradcheck(states, (inputs,))
