"""From a module to a program of ATen operations, with axes whose sizes stay open."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from seq2seq_attn.errors import UserError


class CannotExport(UserError):  # noqa: N818 - reads as what it is
    """A model has a part that no graph can be made of."""


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
    with torch.no_grad(), _silence():
        try:
            return torch.export.export(_Call(module), tuple(examples), dynamic_shapes=(open_axes,), strict=False)
        except Exception as error:  # a foreign module may do anything, and torch says so in many ways
            reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise CannotExport(f"its operations cannot be written down: {reason}") from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what torch prints and logs of a trace that fails: all of it, on many pages."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


class _Call(nn.Module):
    """Takes any number of tensors, whatever the module calls them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> object:
        return self.module(*tensors)
