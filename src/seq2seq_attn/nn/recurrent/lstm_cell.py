"""What an LSTM does between its products, with a backward pass of few and in-place operations."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq_attn.products.first_order import first_order


def lstm_cell(
    gates: Float[Tensor, "batch gates"], more: Float[Tensor, "batch gates"] | None, cell: Float[Tensor, "batch hidden"]
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    r"""Return the new hidden state and the new cell state, in the precision of ``cell``.

    .. math:: c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(g) \qquad h_t = \sigma(o) \tanh(c_t)

    Args:
        gates: i, f, g and o side by side, before their activations.
        more: is added to them.
        cell: :math:`c_{t-1}`.
    """
    hidden, new_cell = _LSTMCell.apply(gates, more, cell)  # type: ignore[no-untyped-call]
    return hidden, new_cell


class _LSTMCell(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, more: Tensor | None, cell: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.dtypes = gates.dtype, None if more is None else more.dtype
        active = gates.to(cell.dtype, copy=True)
        if more is not None:
            active += more
        size = cell.shape[1]
        active[:, : 2 * size].sigmoid_()
        active[:, 2 * size : 3 * size].tanh_()
        active[:, 3 * size :].sigmoid_()
        enter, keep, update, leave = torch.split(active, size, dim=1)
        new_cell = (keep * cell).addcmul_(enter, update)
        squashed = new_cell.tanh()
        ctx.save_for_backward(active, cell, squashed)
        return leave * squashed, new_cell

    @staticmethod
    @first_order
    def backward(
        ctx: Any, of_hidden: Tensor | None, of_cell: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        active, cell, squashed = ctx.saved_tensors
        size = cell.shape[1]
        enter, keep, update, leave = torch.split(active, size, dim=1)
        if of_hidden is not None:
            through = torch.ops.aten.tanh_backward(of_hidden * leave, squashed)
            of_cell = through if of_cell is None else through.add_(of_cell)
        if of_cell is None:
            return None, None, None
        of_active = torch.empty_like(active)
        torch.mul(of_cell, update, out=of_active[:, :size])
        torch.mul(of_cell, cell, out=of_active[:, size : 2 * size])
        torch.mul(of_cell, enter, out=of_active[:, 2 * size : 3 * size])
        if of_hidden is None:
            of_active[:, 3 * size :].zero_()
        else:
            torch.mul(of_hidden, squashed, out=of_active[:, 3 * size :])
        for part, backward in (
            (slice(2 * size), torch.ops.aten.sigmoid_backward),
            (slice(2 * size, 3 * size), torch.ops.aten.tanh_backward),
            (slice(3 * size, None), torch.ops.aten.sigmoid_backward),
        ):
            backward.grad_input(of_active[:, part], active[:, part], grad_input=of_active[:, part])
        gates_dtype, more_dtype = ctx.dtypes
        of_gates = of_active.to(gates_dtype)
        return of_gates, None if more_dtype is None else of_active.to(more_dtype), of_cell * keep
