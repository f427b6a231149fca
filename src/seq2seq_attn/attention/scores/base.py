"""Step one: how relevant is each source position to the decoder's state?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq_attn.attention.base import Wiring


class Score(nn.Module, ABC):
    """Compare a query with the key of each source position.

    A new mechanism is a subclass: set the class attributes, write ``forward``
    and, where keys are not the encoder states themselves, ``project``. It then goes with
    every normalizer, window and history there is.

    Args of every constructor:
        query_size: features of the decoder state.
        value_size: features of an encoder state; twice the encoder's hidden
            size when it reads in both directions.
        hidden_size: features of the layer inside the score, where it has one.
    """

    paper: ClassVar[str] = ""
    """Authors, year and equation."""
    summary: ClassVar[str] = ""
    """One line for people who choose."""
    wiring: ClassVar[Wiring] = "luong"
    """The order of attending and updating in the mechanism's paper."""
    reads_keys: ClassVar[bool] = True
    """False for a score that knows positions only by their number."""

    def __init__(self, *, query_size: int, value_size: int, hidden_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.value_size = value_size
        self.hidden_size = hidden_size

    def project(self, values: Float[Tensor, "batch source_len value"]) -> Float[Tensor, "batch source_len key"]:
        """Turn encoder states into keys, once per source sentence."""
        return values

    @abstractmethod
    def forward(
        self,
        query: Float[Tensor, "batch target_len query"],
        keys: Float[Tensor, "batch source_len key"],
    ) -> Float[Tensor, "batch target_len source_len"]:
        """Return the energies: unnormalized, unmasked, any real number."""
