"""Recurrent layers and stacks: a step by the gate equations, torch's own layers, step by step == all at once."""

from __future__ import annotations

import pytest
import references
import torch
from building import assert_same, normal, numbers, randomize
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.recurrent import CELLS, NORMED_CELLS
from seq2seq_attn.nn.recurrent.base import LayerState, RecurrentLayer
from seq2seq_attn.nn.recurrent.stack import RecurrentStack, RecurrentState

BATCH, LENGTH, KNOWN, FED, HIDDEN = 2, 5, 7, 3, 11
SHARED = 13
LAYERS = {layer.__name__: layer for layer in (*CELLS.values(), *NORMED_CELLS.values())}
LSTM = CELLS["lstm"]

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def stack_of(
    layers: int,
    layer: type[RecurrentLayer] = LSTM,
    *,
    residual: bool = False,
    fed: int = FED,
    shared: int = 0,
    dropout: SequenceDropout | None = None,
) -> RecurrentStack:
    stack = RecurrentStack(
        layer=layer,
        known_size=KNOWN,
        fed_size=fed,
        shared_size=shared,
        hidden_size=HIDDEN,
        num_layers=layers,
        residual=residual,
        dropout=dropout or SequenceDropout(0.0),
    )
    randomize(stack, seed=layers, scale=0.5)
    return stack.double()


def state_of(layers: int, layer: type[RecurrentLayer] = LSTM, *, size: int = HIDDEN) -> RecurrentState:
    cell = normal(BATCH, layers, size if layer.has_cell else 0, seed=6)
    return RecurrentState(normal(BATCH, layers, size, seed=5).tanh(), cell)


def layer_of(layer: type[RecurrentLayer], inputs: int, hidden: int = HIDDEN) -> RecurrentLayer:
    made = layer(inputs, hidden)
    randomize(made, seed=3, scale=0.5)
    return made.double()


def steps_of(layer: RecurrentLayer, inputs: Tensor, known: int, state: LayerState) -> tuple[Tensor, LayerState]:
    """Go through ``inputs`` step by step, the first ``known`` features known from the start."""
    steps = layer.unroll(inputs[..., :known] if known else None)
    outputs = []
    for number in range(inputs.shape[1]):
        fed = inputs[:, number, known:] if known < inputs.shape[2] else None
        state = steps.step(number, fed, state)
        outputs.append(state.hidden)
    return torch.stack(outputs, 1), state


@every_layer
@pytest.mark.parametrize("known", [0, KNOWN, KNOWN + FED])
def test_every_step_of_a_layer_is_that_of_its_equations(layer, known):
    made, inputs = layer_of(layer, KNOWN + FED), normal(BATCH, LENGTH, KNOWN + FED, seed=2)
    first = state_of(1, layer).layers[0]
    outputs, last = steps_of(made, inputs, known, first)
    whole, end = made.read(inputs, first)
    assert_same(whole, outputs)
    assert_same(end.hidden, last.hidden)
    assert_same(end.cell, last.cell)
    for row in range(BATCH):
        hidden, cell = first.hidden[row].tolist(), first.cell[row].tolist()
        for number, vector in enumerate(inputs[row].tolist()):
            hidden, cell = references.layer_step(numbers(made), vector, hidden, cell)
            assert_same(outputs[row, number], hidden)
        assert_same(last.cell[row], cell)


@every_layer
def test_a_layer_starts_from_zero(layer):
    made, inputs = layer_of(layer, KNOWN), normal(BATCH, LENGTH, KNOWN, seed=2)
    zeros = LayerState(*(torch.zeros_like(part) for part in state_of(1, layer).layers[0]))
    assert_same(made.read(inputs)[0], made.read(inputs, zeros)[0])
    for row in range(BATCH):
        assert_same(made.read(inputs)[0][row], references.read(numbers(made), inputs[row].tolist()))


@pytest.mark.parametrize(("kind", "twin"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_stepping_is_what_torch_does(kind, twin):
    """The same weights in torch's own stack: outputs, last states, and every gradient."""
    stack, known = stack_of(3, CELLS[kind], fed=0), normal(BATCH, LENGTH, KNOWN, seed=2)
    other = twin(KNOWN, HIDDEN, 3, batch_first=True).double()
    weights = stack.state_dict()
    renamed = {name: weights[f"layers.{name[-1]}.{name[:-1]}0"] for name in other.state_dict()}
    other.load_state_dict(renamed)
    state = state_of(3, CELLS[kind])
    first = [part.transpose(0, 1).contiguous() for part in state if part.shape[2]]
    wanted, last = other(known, first[0] if kind == "gru" else tuple(first))
    unrolled = stack.unroll(known, state)
    outputs = torch.stack([unrolled.step(number, None) for number in range(LENGTH)], 1)
    assert_same(outputs, wanted)
    assert_same(unrolled.state.hidden.transpose(0, 1), last if kind == "gru" else last[0])
    ours = torch.autograd.grad(outputs.sin().sum(), list(stack.parameters()))
    theirs = torch.autograd.grad(wanted.sin().sum(), list(other.parameters()))
    named = dict(zip(dict(other.named_parameters()), theirs, strict=True))
    for name, gradient in zip(dict(stack.named_parameters()), ours, strict=True):
        _, layer, kind_of_weight = name.split(".")
        assert_same(gradient, named[kind_of_weight[:-1] + layer])


@every_layer
@pytest.mark.parametrize("known", [0, 1, 3])
def test_gradients_of_a_layer_are_those_of_finite_differences(layer, known):
    made = layer_of(layer, 3, 2)
    state = state_of(1, layer, size=2).layers[0]
    inputs = (normal(BATCH, 2, 3, seed=2), *(part.clone() for part in state))

    def run(inputs: Tensor, hidden: Tensor, cell: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        outputs, last = steps_of(made, inputs, known, LayerState(hidden, cell))
        return (outputs, last.cell) if layer.has_cell else (outputs,)

    assert torch.autograd.gradcheck(run, (*(part.requires_grad_() for part in inputs), *made.parameters()))


@pytest.mark.parametrize("layer", NORMED_CELLS.values(), ids=NORMED_CELLS)
def test_a_normalized_layer_does_not_feel_the_scale_of_its_weights(layer):
    """What layer normalization is for (Ba et al. 2016, table 1): all weights of a product ten times as large."""
    made, inputs = layer_of(layer, KNOWN), normal(BATCH, LENGTH, KNOWN, seed=2)
    before = made.read(inputs, state_of(1, layer).layers[0])[0]
    with torch.no_grad():
        made.weight_ih_l0 *= 10.0
        made.weight_hh_l0 *= 3.0
    after = made.read(inputs, state_of(1, layer).layers[0])[0]
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)
    with torch.no_grad():
        made.gain_hh_l0 *= 2.0
    assert not torch.allclose(made.read(inputs, state_of(1, layer).layers[0])[0], before, atol=1e-2)


@pytest.mark.parametrize("layer", NORMED_CELLS.values(), ids=NORMED_CELLS)
def test_normalization_begins_with_gains_of_one_and_biases_of_the_plain_layer(layer):
    torch.manual_seed(1)
    made = layer(KNOWN, HIDDEN)
    plain = CELLS[next(name for name, cls in NORMED_CELLS.items() if cls is layer)](KNOWN, HIDDEN)
    own = dict(made.named_parameters())
    for name, value in own.items():
        if name.startswith("gain"):
            assert (value == 1).all()
        elif name.startswith("bias"):
            assert value.tolist() == dict(plain.named_parameters()).get(name, torch.zeros(HIDDEN)).tolist()
    assert len([name for name in own if name.startswith("gain")]) == (3 if layer.has_cell else 2)


@every_layer
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("layers", "shared"), [(1, 0), (3, 0), (3, SHARED)])
def test_every_step_of_a_stack_is_that_of_the_equations(layer, layers, shared, residual):
    stack, state = stack_of(layers, layer, residual=residual, shared=shared), state_of(layers, layer)
    known, fed = normal(BATCH, LENGTH, KNOWN, seed=2), normal(BATCH, LENGTH, FED, seed=3)
    besides = normal(BATCH, LENGTH, shared, seed=4)
    unrolled = stack.unroll(known, state)
    outputs = []
    for number in range(LENGTH):
        lowest = unrolled.lowest(number, fed[:, number])
        outputs.append(unrolled.upper(number, lowest, besides[:, number] if shared else None))
    own = {f"stack.{name}": value for name, value in numbers(stack).items()}
    reference = references.Decoder(own, references.attention_of("none", {}), residual=residual)
    for row in range(BATCH):
        hidden, cell = state.hidden[row].tolist(), state.cell[row].tolist()
        for number in range(LENGTH):
            inputs = torch.cat([known, fed], -1)[row, number].tolist()
            first = references.layer_step(reference.layer(0), inputs, hidden[0], cell[0])
            output, hidden, cell = reference.update_upper(first, hidden, cell, shared=besides[row, number].tolist())
            assert_same(outputs[number][row], output)
        assert_same(unrolled.state.hidden[row], hidden)
        assert_same(unrolled.state.cell[row], cell)
        assert_same(unrolled.top[row], hidden[-1])


@every_layer
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_step_by_step_is_all_at_once(layer, layers, residual):
    stack, state = stack_of(layers, layer, residual=residual, fed=0), state_of(layers, layer)
    known = normal(BATCH, LENGTH, KNOWN, seed=2)
    outputs, last = stack(known, state)
    unrolled = stack.unroll(known, state)
    assert_same(torch.stack([unrolled.step(number, None) for number in range(LENGTH)], 1), outputs)
    assert_same(unrolled.state.hidden, last.hidden)
    assert_same(unrolled.state.cell, last.cell)
    first, between = stack(known[:, :2], state)
    second, end = stack(known[:, 2:], between)
    assert_same(torch.cat([first, second], 1), outputs)
    assert_same(end.cell, last.cell)


@every_layer
def test_gradients_of_a_stack_are_those_of_finite_differences(layer):
    stack = RecurrentStack(
        layer=layer,
        known_size=2,
        fed_size=3,
        hidden_size=2,
        num_layers=2,
        residual=True,
        dropout=SequenceDropout(0.0),
    )
    randomize(stack, seed=1)
    stack.double()
    inputs = [normal(2, 2, 2, seed=2), normal(2, 2, 3, seed=3), *state_of(2, layer, size=2)]

    def run(known: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        unrolled = stack.unroll(known, RecurrentState(hidden, cell))
        outputs = [unrolled.step(number, fed[:, number]) for number in range(2)]
        return torch.stack(outputs), unrolled.state.hidden

    assert torch.autograd.gradcheck(run, tuple(part.requires_grad_() for part in inputs))


@every_layer
def test_autocast_steps_as_it_reads(layer):
    """Products in bfloat16, whatever is carried along in float32."""
    stack, known = stack_of(2, layer, fed=0).float(), normal(BATCH, LENGTH, KNOWN, seed=2).float()
    state = RecurrentState(*(part.float() for part in state_of(2, layer)))
    exact, _ = stack(known, state)
    with torch.autocast("cpu", torch.bfloat16):
        unrolled = stack.unroll(known, state)
        outputs = torch.stack([unrolled.step(number, None) for number in range(LENGTH)], 1)
    assert unrolled.dtype == torch.bfloat16
    assert unrolled.state.hidden.dtype == torch.float32
    assert not torch.equal(outputs, exact)
    torch.testing.assert_close(outputs.float(), exact, rtol=0, atol=0.05)


def make_top_transparent(stack: RecurrentStack) -> None:
    """Let the upper layer give zero exactly where it reads zero: no recurrence, no bias, a cell input of 1 x."""
    upper = stack.recurrent_layers[-1]
    size = upper.hidden_size
    with torch.no_grad():
        for parameter in upper.parameters():
            parameter.zero_()
        upper.weight_ih_l0[2 * size : 3 * size] = torch.eye(size)
        upper.bias_ih_l0[size : 2 * size] = -1e9  # the forget gate is shut


def dropped(outputs: Tensor) -> Tensor:
    return outputs == 0


def outputs_of(stack: RecurrentStack, state: RecurrentState, *, stepwise: bool) -> Tensor:
    known = normal(BATCH, LENGTH, KNOWN, seed=2)
    if not stepwise:
        return stack(known, state)[0]
    unrolled = stack.unroll(known, state)
    return torch.stack([unrolled.step(number, None) for number in range(LENGTH)], 1)


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("variational", [False, True])
def test_dropout_along_time(variational, stepwise):
    """Both ways to run a stack drop alike: one mask over time when variational, one for each step when not."""
    torch.manual_seed(1)
    stack = stack_of(2, fed=0, dropout=SequenceDropout(0.5, variational=variational)).train()
    make_top_transparent(stack)
    zeros = dropped(outputs_of(stack, state_of(2), stepwise=stepwise))
    assert 0.25 < zeros.double().mean() < 0.75
    assert bool((zeros == zeros[:, :1]).all()) is variational
    assert not torch.equal(zeros[0], zeros[1]), "sentences must not share a mask"


@pytest.mark.parametrize("stepwise", [False, True])
def test_dropout_is_off_in_evaluation(stepwise):
    stack = stack_of(2, fed=0, dropout=SequenceDropout(0.5)).eval()
    wanted = outputs_of(stack_of(2, fed=0), state_of(2), stepwise=stepwise)
    assert torch.equal(outputs_of(stack, state_of(2), stepwise=stepwise), wanted)


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_single_layer_drops_nothing(stepwise):
    """What attention asks with is whole: dropout is between layers only."""
    stack = stack_of(1, fed=0, dropout=SequenceDropout(0.5)).train()
    wanted = outputs_of(stack_of(1, fed=0), state_of(1), stepwise=stepwise)
    assert torch.equal(outputs_of(stack, state_of(1), stepwise=stepwise), wanted)


def test_dropout_never_touches_what_is_carried_over_time():
    """The lowest layer reads nothing that is dropped, so its states are those without dropout."""
    torch.manual_seed(1)
    stack = stack_of(2, fed=0, dropout=SequenceDropout(0.5)).train()
    known = normal(BATCH, LENGTH, KNOWN, seed=2)
    _, wanted = stack_of(2, fed=0)(known, state_of(2))
    _, last = stack(known, state_of(2))
    unrolled = stack.unroll(known, state_of(2))
    for number in range(LENGTH):
        unrolled.step(number, None)
    assert_same(last.hidden[:, 0], wanted.hidden[:, 0])
    assert_same(unrolled.state.hidden[:, 0], wanted.hidden[:, 0])
    assert_same(unrolled.state.cell[:, 0], wanted.cell[:, 0])


@every_layer
@pytest.mark.parametrize("stepwise", [False, True])
def test_recurrent_weights_are_left_out_for_a_whole_sequence(layer, stepwise):
    """The layer of a draw, gradients included: that of its weights with zeros in them, the rest scaled up."""
    made, inputs = layer_of(layer, KNOWN), normal(BATCH, LENGTH, KNOWN, seed=2)
    made.weight_dropout = 0.25
    first = state_of(1, layer).layers[0]

    def read(one: RecurrentLayer) -> Tensor:
        torch.manual_seed(1)
        outputs = steps_of(one, inputs, KNOWN, first)[0] if stepwise else one.read(inputs, first)[0]
        outputs.square().sum().backward()
        return outputs

    torch.manual_seed(1)
    weights = made.train().recurrent_weight().detach()
    gone = weights == 0
    assert 0.15 < gone.double().mean() < 0.35
    assert_same(weights[~gone], made.weight_hh_l0[~gone] / 0.75)

    thinned = layer_of(layer, KNOWN)
    with torch.no_grad():
        thinned.weight_hh_l0.copy_(weights)
    assert_same(read(made), read(thinned))
    assert_same(made.weight_ih_l0.grad, thinned.weight_ih_l0.grad)
    assert_same(made.weight_hh_l0.grad, (thinned.weight_hh_l0.grad / 0.75).masked_fill(gone, 0.0))
    assert_same(read(made.eval()), read(layer_of(layer, KNOWN)))


@every_layer
def test_first_values(layer):
    """An LSTM's forget gates begin half open; recurrence keeps lengths, gate by gate."""
    torch.manual_seed(1)
    made = layer(KNOWN, HIDDEN)
    bias, zeros = made.bias_ih_l0 + made.bias_hh_l0, [0.0] * HIDDEN
    assert bias.tolist() == ([*zeros, *[1.0] * HIDDEN, *zeros, *zeros] if layer.has_cell else zeros * 3)
    for gate in made.weight_hh_l0.chunk(4 if layer.has_cell else 3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN))
    limit = (6 / (KNOWN + HIDDEN)) ** 0.5
    assert 0.9 * limit < made.weight_ih_l0.abs().max() <= limit


def test_selected_rows_of_a_state():
    for layer in CELLS.values():
        state, rows = state_of(3, layer), torch.tensor([1, 0, 1])
        chosen = state.select(rows)
        assert torch.equal(chosen.hidden, state.hidden[rows])
        assert torch.equal(chosen.cell, state.cell[rows])
