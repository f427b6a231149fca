"""The decoder's layers: a step by the gate equations, and step by step == all at once."""

from __future__ import annotations

import pytest
import references
import torch
from building import assert_same, normal, numbers, randomize
from torch import Tensor

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.lstm import LSTMStack, LSTMState

BATCH, LENGTH, KNOWN, FED, HIDDEN = 2, 5, 7, 3, 11


def stack_of(
    layers: int, *, residual: bool = False, fed: int = FED, dropout: SequenceDropout | None = None
) -> LSTMStack:
    stack = LSTMStack(
        known_size=KNOWN,
        fed_size=fed,
        hidden_size=HIDDEN,
        num_layers=layers,
        residual=residual,
        dropout=dropout or SequenceDropout(0.0),
    )
    randomize(stack, seed=layers, scale=0.5)
    return stack.double()


def state_of(layers: int) -> LSTMState:
    return LSTMState(normal(BATCH, layers, HIDDEN, seed=5).tanh(), normal(BATCH, layers, HIDDEN, seed=6))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_every_step_is_that_of_the_gate_equations(layers, residual):
    stack, state = stack_of(layers, residual=residual), state_of(layers)
    known, fed = normal(BATCH, LENGTH, KNOWN, seed=2), normal(BATCH, LENGTH, FED, seed=3)
    unrolled = stack.unroll(known, state)
    outputs = torch.stack([unrolled.step(number, fed[:, number]) for number in range(LENGTH)], 1)
    own = {f"stack.{name}": value for name, value in numbers(stack).items()}
    reference = references.Decoder(own, references.Nothing({}), residual=residual)
    for row in range(BATCH):
        hidden, cell = state.hidden[row].tolist(), state.cell[row].tolist()
        for number in range(LENGTH):
            inputs = torch.cat([known, fed], -1)[row, number].tolist()
            output, hidden, cell = reference.update(inputs, hidden, cell)
            assert_same(outputs[row, number], output)
        assert_same(unrolled.state.hidden[row], hidden)
        assert_same(unrolled.state.cell[row], cell)
        assert_same(unrolled.top[row], hidden[-1])


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_step_by_step_is_all_at_once(layers, residual):
    stack, state = stack_of(layers, residual=residual, fed=0), state_of(layers)
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


def test_gradients_are_those_of_finite_differences():
    stack = LSTMStack(
        known_size=2, fed_size=3, hidden_size=2, num_layers=2, residual=True, dropout=SequenceDropout(0.0)
    )
    randomize(stack, seed=1)
    stack.double()
    inputs = [normal(2, 3, 2, seed=2), normal(2, 3, 3, seed=3), normal(2, 2, 2, seed=4), normal(2, 2, 2, seed=5)]

    def run(known: Tensor, fed: Tensor, hidden: Tensor, cell: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        unrolled = stack.unroll(known, LSTMState(hidden, cell))
        outputs = [unrolled.step(number, fed[:, number]) for number in range(3)]
        return torch.stack(outputs), *unrolled.state

    assert torch.autograd.gradcheck(run, (*(part.requires_grad_() for part in inputs), *stack.parameters()))


def make_top_transparent(stack: LSTMStack) -> None:
    """Let the upper layer give zero exactly where it reads zero: no recurrence, no bias, a cell input of 1 x."""
    upper = stack.lstms[-1]
    size = upper.hidden_size
    with torch.no_grad():
        for parameter in upper.parameters():
            parameter.zero_()
        upper.weight_ih_l0[2 * size : 3 * size] = torch.eye(size)
        upper.bias_ih_l0[size : 2 * size] = -1e9  # the forget gate is shut


def dropped(outputs: Tensor) -> Tensor:
    return outputs == 0


def outputs_of(stack: LSTMStack, state: LSTMState, *, stepwise: bool) -> Tensor:
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


def test_first_values_forget_little():
    """The forget gates begin half open, recurrence keeps lengths."""
    torch.manual_seed(1)
    stack = LSTMStack(
        known_size=7, fed_size=3, hidden_size=11, num_layers=2, residual=False, dropout=SequenceDropout(0)
    )
    for lstm in stack.lstms:
        weights = dict(lstm.named_parameters())
        bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
        assert bias.tolist() == [0.0] * 11 + [1.0] * 11 + [0.0] * 22
        for gate in weights["weight_hh_l0"].chunk(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(11))
