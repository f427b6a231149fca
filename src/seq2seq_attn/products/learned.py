"""How a vector is multiplied by a learned matrix: the one place that knows of precision and kernels.

Training casts a matrix once per pass, and makes its gradient once per pass, too: a loop over positions multiplies by
the same matrix many times, and one product over all of them takes half the time of many that are added up (and rounds
once). Search multiplies by the same matrix thousands of times, so it is worth to pack it first;
:mod:`seq2seq_attn.inference` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq_attn.products.first_order import first_order
from seq2seq_attn.products.kernels import multiply, multiply_back, weight_gradient
from seq2seq_attn.products.precision import product_dtype

Product = Callable[[Tensor], Tensor]
"""From ``(*axes, inputs)`` to ``(*axes, outputs)``: :math:`x W^\\top`, plus a bias where there is one."""


@runtime_checkable
class MakeProduct(Protocol):
    """A way to multiply by a matrix."""

    def __call__(self, weight: Tensor, bias: Tensor | None = None, /) -> Product:
        """Make ready to multiply by ``weight``, shape (outputs, inputs), and to add ``bias``."""
        ...


def cast_product(weight: Tensor, bias: Tensor | None = None) -> Product:
    """Multiply in the precision of autocast, with weights that are cast here, once.

    Autocast would cast them again at every step of a loop.
    """
    dtype = product_dtype(weight)
    if torch.is_grad_enabled() and weight.requires_grad and weight.numel() and not _is_transformed():
        return _learning_product(weight, bias, dtype)
    weight = weight.to(dtype)
    bias = None if bias is None else bias.to(dtype)

    def product(inputs: Tensor) -> Tensor:
        return F.linear(inputs.to(dtype), weight, bias)

    return product


def _is_transformed() -> bool:
    """Say whether a compiler, which takes a loop apart itself, or ``torch.func`` asks for operations it knows."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def _learning_product(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Product:
    uses = _Uses(weight.detach().to(dtype).contiguous(), None if bias is None else bias.detach().to(dtype))
    learned = _Learn.apply(weight, bias, uses)  # type: ignore[no-untyped-call]

    def product(inputs: Tensor) -> Tensor:
        rows = inputs.to(dtype).reshape(-1, weight.shape[1])
        found: Tensor = _Multiply.apply(rows, learned, uses)  # type: ignore[no-untyped-call]
        return found.view(*inputs.shape[:-1], weight.shape[0])

    return product


class _Uses:
    """A matrix, and all that a backward pass has seen of its uses so far."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.bias = bias
        self.number = 0
        self._version = weight._version
        self._seen: dict[int, tuple[int, Tensor, Tensor]] = {}

    def check(self) -> None:
        """Refuse to go on where torch would: the gradient of the inputs needs the matrix that they met."""
        if self.weight._version != self._version:
            raise RuntimeError(
                f"a weight of shape {tuple(self.weight.shape)} that is needed for a gradient has been changed in place "
                "since its product was made; call backward() before the optimizer's step, or make the product anew"
            )

    def note(self, number: int, inputs: Tensor, gradient: Tensor) -> None:
        """Keep what use ``number`` got and what came back; a second pass over it replaces the first.

        What is kept leads to no graph: of a pass that stops on its way, or has no need of the weights, it stays here,
        and the graph leads here. Nobody would ever find out that nobody needs the two any more.
        """
        self._seen[number] = (torch._C._current_graph_task_id(), inputs.detach(), gradient.detach())

    def gradients(self, *, of_bias: bool) -> tuple[Tensor | None, Tensor | None]:
        """Return those of weight and bias, over all uses that this pass has seen, and forget them."""
        this = torch._C._current_graph_task_id()
        seen = [(inputs, gradient) for of, inputs, gradient in self._seen.values() if of == this]
        self._seen = {number: one for number, one in self._seen.items() if one[0] != this}
        if not seen:
            return None, None
        inputs, gradient = (parts[0] if len(parts) == 1 else torch.cat(parts) for parts in zip(*seen, strict=True))
        exact = torch.promote_types(gradient.dtype, torch.float32)
        return weight_gradient(gradient, inputs), gradient.sum(0, dtype=exact) if of_bias else None


class _Learn(torch.autograd.Function):
    """Stands for the weights where they are used; reached by a backward pass when all uses have been."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, uses: _Uses) -> Tensor:
        ctx.uses = uses
        ctx.set_materialize_grads(False)  # the uses hand their gradients over without autograd
        ctx.dtypes = weight.dtype, None if bias is None else bias.dtype
        return weight.new_empty(())

    @staticmethod
    @first_order
    def backward(ctx: Any, _: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        of_weight, of_bias = ctx.uses.gradients(of_bias=ctx.needs_input_grad[1])
        weight_dtype, bias_dtype = ctx.dtypes
        return (
            None if of_weight is None else of_weight.to(weight_dtype),
            None if of_bias is None else of_bias.to(bias_dtype),
            None,
        )


class _Multiply(torch.autograd.Function):
    """One use of a matrix."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, learned: Tensor, uses: _Uses) -> Tensor:
        del learned
        ctx.uses, ctx.number = uses, uses.number
        uses.number += 1
        ctx.save_for_backward(inputs)
        return multiply(inputs, uses.weight, uses.bias)

    @staticmethod
    @first_order
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None]:
        (inputs,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        if ctx.needs_input_grad[1]:
            ctx.uses.note(ctx.number, inputs, gradient)
        if not ctx.needs_input_grad[0]:
            return None, None, None
        ctx.uses.check()
        return multiply_back(gradient, ctx.uses.weight), None, None
