"""Products and their gradients: torch's own linear layer and autograd, and sums of plain loops."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_attn.products.kernels import multiply, multiply_back, weight_gradient
from seq2seq_attn.products.learned import cast_product
from seq2seq_attn.products.linear import Linear, is_linear, layer_product

ROWS, INPUTS, OUTPUTS = 19, 13, 17
SHAPES = [(1, 13, 17), (19, 1, 17), (19, 13, 1), (19, 13, 17), (64, 40, 24)]  # few and many of each


def drawn(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def views(matrix: Tensor) -> list[Tensor]:
    """The same numbers, laid out in other ways."""
    wide = torch.zeros(matrix.shape[0], 2 * matrix.shape[1], dtype=matrix.dtype)
    wide[:, ::2] = matrix
    padded = torch.cat([matrix, matrix], 1)
    return [matrix, matrix.t().contiguous().t(), padded[:, : matrix.shape[1]], wide[:, ::2]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_give_what_float64_gives_however_matrices_lie_in_memory(shape, dtype):
    rows, inputs, outputs = shape
    x, weight, gradient = drawn(rows, inputs), drawn(outputs, inputs, seed=2), drawn(rows, outputs, seed=3)
    bias = drawn(outputs, seed=4)
    exact = [part.double() for part in (x, weight, gradient, bias)]
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {}
    for a, b, c in zip(*(views(part.to(dtype)) for part in (x, weight, gradient)), strict=True):
        torch.testing.assert_close(multiply(a, b, bias.to(dtype)).double(), exact[0] @ exact[1].T + exact[3], **near)
        torch.testing.assert_close(multiply(a, b).double(), exact[0] @ exact[1].T, **near)
        torch.testing.assert_close(multiply_back(c, b).double(), exact[2] @ exact[1], **near)
        torch.testing.assert_close(weight_gradient(c, a).double(), exact[2].T @ exact[0], **near)


def recurrence(step: object, weight: Tensor, start: Tensor, steps: int = 4) -> Tensor:
    """A loop in which every product depends on the one before it."""
    state = start
    for number in range(steps):
        state = torch.tanh(step(state)) + number * start  # type: ignore[operator]
    return state


def leaves(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    weight, bias, start = (
        drawn(INPUTS, INPUTS, dtype=dtype),
        drawn(INPUTS, seed=2, dtype=dtype),
        drawn(5, INPUTS, seed=3),
    )
    return weight.requires_grad_(), bias.requires_grad_(), start.to(dtype).requires_grad_()


@pytest.mark.parametrize("with_bias", [True, False])
def test_a_loop_gets_the_gradients_of_autograd(with_bias):
    weight, bias, start = leaves()
    wanted_bias = bias if with_bias else None
    wanted = recurrence(lambda state: F.linear(state, weight, wanted_bias), weight, start)
    found = recurrence(cast_product(weight, wanted_bias), weight, start)
    torch.testing.assert_close(found, wanted)
    parts = [weight, start, bias] if with_bias else [weight, start]
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), parts), torch.autograd.grad(wanted.square().sum(), parts)
    )


def test_the_gradient_is_that_of_finite_differences():
    weight, bias, start = leaves()

    def run(weight: Tensor, bias: Tensor, start: Tensor) -> Tensor:
        return recurrence(cast_product(weight, bias), weight, start, steps=2)

    assert torch.autograd.gradcheck(run, (weight, bias, start))


def test_a_second_pass_over_the_same_graph_gives_the_same_gradient_once():
    weight, bias, start = leaves()
    loss = recurrence(cast_product(weight, bias), weight, start).sum()
    first = torch.autograd.grad(loss, (weight, bias), retain_graph=True)
    torch.autograd.grad(loss, start, retain_graph=True)  # a pass that does not reach the weights leaves nothing behind
    torch.testing.assert_close(torch.autograd.grad(loss, (weight, bias)), first, rtol=0, atol=0)


def test_two_losses_of_one_product_add_up():
    weight, bias, start = leaves()
    product = cast_product(weight, bias)
    one, two = product(start).sum(), product(start.detach() * 3).square().sum()
    one.backward(retain_graph=True)
    two.backward()
    expected = leaves()
    (
        F.linear(expected[2], *expected[:2]).sum() + F.linear(expected[2].detach() * 3, *expected[:2]).square().sum()
    ).backward()
    for ours, theirs in zip((weight, bias, start), expected, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_frozen_weights_get_no_gradient_and_let_it_through():
    weight, _, start = leaves()
    weight.requires_grad_(False)
    found = recurrence(cast_product(weight), weight, start).sum()
    found.backward()
    assert weight.grad is None
    assert start.grad is not None
    assert bool(start.grad.any())


def test_a_weight_that_is_not_used_gets_no_gradient():
    weight, bias, start = leaves()
    cast_product(weight, bias)
    start.sum().backward()
    assert weight.grad is None


def test_bfloat16_sums_the_gradient_of_a_loop_before_it_rounds():
    weight, _, start = leaves(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        product = cast_product(weight)
        rows = [product(start + number) for number in range(64)]
    assert rows[0].dtype == torch.bfloat16
    torch.stack(rows).float().sum().backward()
    inputs = torch.stack([(start.detach() + number).bfloat16() for number in range(64)]).double()
    expected = inputs.sum((0, 1)).expand(INPUTS, -1)
    # half a unit in the last of 8 bits, where a running sum of 64 roundings would be off by several
    torch.testing.assert_close(weight.grad.double(), expected, rtol=2**-8, atol=0)


@pytest.mark.parametrize("shape", [(7, INPUTS), (2, 3, INPUTS), (INPUTS,), (0, INPUTS)])
def test_the_layer_is_that_of_torch_in_values_and_gradients(shape):
    torch.manual_seed(5)
    ours, theirs = Linear(INPUTS, OUTPUTS), nn.Linear(INPUTS, OUTPUTS)
    theirs.load_state_dict(ours.state_dict())
    inputs = drawn(*shape)
    for layer in (ours, theirs):
        layer(inputs).square().sum().backward()
    torch.testing.assert_close(ours(inputs), theirs(inputs))
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad)
    with torch.no_grad():
        assert torch.equal(ours(inputs), theirs(inputs))


def test_a_layer_of_somebody_else_is_called_and_not_taken_apart():
    class Doubled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    torch.manual_seed(6)
    layer, inputs = Doubled(INPUTS, OUTPUTS), drawn(3, INPUTS)
    assert not is_linear(layer)
    assert is_linear(Linear(1, 1))
    assert is_linear(nn.Linear(1, 1))
    assert torch.equal(layer_product(layer)(inputs), 2 * F.linear(inputs, layer.weight, layer.bias))


def test_a_pass_that_stops_on_its_way_adds_nothing_to_the_next():
    weight, _, start = leaves()
    states = [start]
    product = cast_product(weight)
    for _ in range(5):
        states.append(product(states[-1]).tanh())
    torch.autograd.grad(states[5].sum(), start, retain_graph=True)  # sees all uses, and has no need of the weights
    (found,) = torch.autograd.grad(states[2].sum(), weight)
    (wanted,) = torch.autograd.grad((start @ weight.t()).tanh().matmul(weight.t()).tanh().sum(), weight)
    torch.testing.assert_close(found, wanted)


def fail(gradient: Tensor) -> None:
    raise RuntimeError("out of memory, let us say")


@pytest.mark.parametrize("stops", ["because of an error", "before the weights"])
def test_a_pass_that_stops_on_its_way_keeps_nothing_alive(stops):
    weight, bias, start = leaves()
    state = start
    product = cast_product(weight, bias)
    kept = weakref.WeakSet[nn.Module]()
    for _ in range(4):
        state = product(state).tanh()
        owner = nn.Identity()
        state.grad_fn.metadata["owner"] = owner  # dies with this place in the graph
        kept.add(owner)
    del owner
    if stops == "because of an error":
        start.register_hook(fail)
        with pytest.raises(RuntimeError, match="let us say"):
            state.sum().backward()
    else:
        torch.autograd.grad(state.sum(), start)
    del state
    assert not kept


def test_a_weight_that_changed_in_place_is_refused_where_its_old_numbers_are_needed():
    layer = Linear(INPUTS, OUTPUTS)
    found = layer(drawn(ROWS, INPUTS).requires_grad_()).sum()
    with torch.no_grad():
        layer.weight.add_(1)
    with pytest.raises(RuntimeError, match=r"changed in place .* call backward\(\) before the optimizer's step"):
        found.backward()
    found = layer(drawn(ROWS, INPUTS)).sum()  # there they are not
    with torch.no_grad():
        layer.weight.add_(1)
    found.backward()
    torch.testing.assert_close(layer.weight.grad, drawn(ROWS, INPUTS).sum(0).expand(OUTPUTS, -1), rtol=1e-4, atol=1e-4)


def test_gradients_of_gradients_are_refused_and_never_zeros():
    layer = Linear(INPUTS, OUTPUTS)
    with pytest.raises(RuntimeError, match="gradient of a gradient"):
        torch.autograd.functional.hessian(lambda x: layer(x).square().sum(), drawn(ROWS, INPUTS))


def test_the_layer_takes_what_torchs_own_takes():
    layer = Linear(INPUTS, OUTPUTS)
    with pytest.raises(RuntimeError, match="same dtype"):
        layer(drawn(ROWS, INPUTS, dtype=torch.float64))
    assert layer(drawn(INPUTS)).shape == (OUTPUTS,)
    assert layer(drawn(2, 0, INPUTS)).shape == (2, 0, OUTPUTS)


def test_the_layer_can_be_transformed_by_torch_func():
    layer, inputs = Linear(INPUTS, OUTPUTS), drawn(ROWS, INPUTS)

    def loss(parameters: dict[str, Tensor], one: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (one.unsqueeze(0),)).square().sum()

    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, inputs)
    layer(inputs).square().sum().backward()
    torch.testing.assert_close(each["weight"].sum(0), layer.weight.grad, rtol=1e-4, atol=1e-4)
