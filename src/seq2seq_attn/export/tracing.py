"""From a module to a program of ATen operations, with axes whose sizes stay open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def trace(
    module: nn.Module, examples: Sequence[Tensor], axes: Sequence[Mapping[int, str]]
) -> torch.export.ExportedProgram:
    """Trace a module.

    Args:
        module: takes tensors one by one.
        examples: what it is called with; sizes that stay open are neither 0 nor 1.
        axes: of each example those whose size stays open.

    Raises:
        CannotExport: if the module does different things for different numbers or sizes.
    """
    open_axes = tuple({axis: torch.export.Dim.DYNAMIC for axis in names} for names in axes)
    with torch.no_grad():
        return torch.export.export(_Call(module), tuple(examples), dynamic_shapes=(open_axes,), strict=False)


class _Call(nn.Module):
    """Takes any number of tensors, whatever the module calls them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> object:
        return self.module(*tensors)
