"""Each process learns from its share of every batch; the sum of their gradients is that of the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.training.guard_memory import rows_of
from seq2seq_attn.training.ranks import Ranks


def shares(batches: Sequence[Batch], ranks: Ranks, device: torch.device) -> list[Batch]:
    """Return what a process learns from: every so-manyth sentence of each batch, and none of some small ones.

    Batches are sorted by length, so the shares are of like length, too.

    Args:
        batches: of a step, over all processes.
        ranks: all of them.
        device: that the shares will be moved to.
    """
    if ranks.size == 1:
        return list(batches)
    rows = slice(ranks.number, None, ranks.size)
    mine = [rows_of(batch, rows) for batch in batches if batch.size > ranks.number]
    return [_pinned(share) for share in mine] if device.type == "cuda" else mine


def _pinned(batch: Batch) -> Batch:
    values: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    changed = {name: value.contiguous() for name, value in values.items() if isinstance(value, Tensor)}
    return Batch(**values | changed).pin_memory()


class GradientSum:
    """Sums the gradients of a model over all processes, in one message.

    Args:
        parameters: of the model; those that do not learn are left out.
        ranks: the processes.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], ranks: Ranks) -> None:
        self._learning = [parameter for parameter in parameters if parameter.requires_grad]
        self._ranks = ranks
        self._flat: Tensor | None = None

    def present(self) -> list[int]:
        """Tell for each parameter whether it has a gradient here: 0 or 1."""
        return [int(parameter.grad is not None) for parameter in self._learning]

    @torch.no_grad()
    def __call__(self, present: Sequence[int], sums: dict[str, Tensor]) -> None:
        """Replace all gradients by their sums, and the numbers of ``sums``, too.

        Args:
            present: in how many processes each parameter has a gradient; where it is none, it stays without.
            sums: what was lost.
        """
        sizes = [parameter.numel() for parameter in self._learning]
        if self._flat is None:
            self._flat = self._learning[0].new_empty(sum(sizes) + len(sums))
        *pieces, rest = torch.split_with_sizes(self._flat, [*sizes, len(sums)])
        views = [piece.view_as(parameter) for piece, parameter in zip(pieces, self._learning, strict=True)]
        for parameter, view in zip(self._learning, views, strict=True):
            if parameter.grad is None:
                view.zero_()
            else:
                view.copy_(parameter.grad)
        rest.copy_(torch.stack(list(sums.values())))
        self._ranks.sum(self._flat)
        for parameter, view, count in zip(self._learning, views, present, strict=True):
            parameter.grad = view if count else None
        sums.update(zip(sums, rest.clone().to(torch.float32).unbind(), strict=True))
