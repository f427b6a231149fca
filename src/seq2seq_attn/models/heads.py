"""What each head of a recurrent decoder's attention looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Attended
from seq2seq_attn.attention.multi_head import MultiHeadAttention


class HeadsSeen:
    """The weights of the heads, one entry for each time that the attention was asked."""

    def __init__(self, heads: int) -> None:
        self.heads = heads
        self.steps: list[Float[Tensor, "batch heads target_len source_len"]] = []

    def whole(self) -> Float[Tensor, "batch heads target_len source_len"] | None:
        """Return the weights over the whole target; None if there were no heads."""
        return torch.cat(self.steps, dim=2) if self.steps else None


@contextmanager
def watch_heads(model: nn.Module) -> Iterator[HeadsSeen]:
    """Note, inside this block, what the heads of a model's attention look at.

    A decoder's loop hands on the mean of the heads, which is all that training and search need. So
    the one who wants more listens at the mechanism, for this block and to this thread only.
    """
    found = next((module for module in model.modules() if isinstance(module, MultiHeadAttention)), None)
    seen = HeadsSeen(0 if found is None else found.heads)
    if found is None:
        yield seen
        return
    listener = threading.get_ident()

    def note(module: nn.Module, inputs: Any, output: Attended) -> None:
        del module, inputs
        if threading.get_ident() == listener:
            seen.steps.append(output.weights.unflatten(0, (-1, seen.heads)))  # type: ignore[no-untyped-call]

    handle = found.inner.register_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
