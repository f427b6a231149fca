"""What every translation model offers: teacher forcing for training, start and step for search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq_attn.models.heads import watch_heads


class Forced(NamedTuple):
    """What a model makes of a target it is given."""

    features: Float[Tensor, "batch target_len features"]  # what the output layer reads
    weights: Float[Tensor, "batch target_len source_len"]
    generate: Float[Tensor, "batch target_len"] | None = None  # probability of not copying; None: never copied


class ModelStep(NamedTuple):
    """One step of search, for all hypotheses alive."""

    log_probs: Float[Tensor, "rows vocabulary"]
    weights: Float[Tensor, "rows source_len"]
    state: Any


AttentionPart = Literal["encoder", "decoder", "cross"]
"""Who looks at whom: source at source, target at target, or target at source."""


class AttentionMap(NamedTuple):
    """Where one head of one layer looked."""

    part: AttentionPart
    layer: int  # counted from 1, the lowest
    head: int  # counted from 1; 0: the mean of all heads, or the weights of a mechanism without heads
    weights: Float[Tensor, "batch query_len key_len"]


class Seq2Seq(nn.Module, ABC):
    """An encoder-decoder over token ids. Knows no text, no files and no configuration."""

    attends: bool = True
    """Whether the weights say anything: False without attention."""

    output: nn.Linear
    """From features to logits over the target vocabulary."""

    @abstractmethod
    def forward(
        self,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_len"],
    ) -> Forced:
        """Run the decoder over a given target (teacher forcing).

        Args:
            source: token ids; what stands behind a sentence's length is never read.
            source_lengths: tokens of each source sentence, at least 1.
            target_in: the target behind a beginning-of-sentence symbol.
        """

    @abstractmethod
    def start(self, source: Int[Tensor, "batch source_len"], source_lengths: Int[Tensor, " batch"]) -> Any:
        """Encode a source batch; return the state before the first target token."""

    @abstractmethod
    def step(self, tokens: Int[Tensor, " rows"], state: Any) -> ModelStep:
        """Read one target token per row and return the distribution of the next."""

    def attention_maps(
        self,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_len"],
    ) -> list[AttentionMap]:
        """Return the weights over a given target, head by head; see :meth:`forward`.

        The first map stands for the model: what :meth:`forward` gives, the mean of heads where there are
        several. Those of the single heads follow. Row t of a map from the target holds where the
        model looked to predict the token behind ``target_in[t]``.
        """
        with watch_heads(self) as seen:
            forced = self(source, source_lengths, target_in)
        heads = seen.whole()
        maps = [AttentionMap("cross", 1, 0, forced.weights)]
        if heads is not None:
            maps += [AttentionMap("cross", 1, head, weights) for head, weights in enumerate(heads.unbind(1), start=1)]
        return maps

    def log_probs(self, features: Float[Tensor, "*axes features"]) -> Float[Tensor, "*axes vocabulary"]:
        """Return log-probabilities over the target vocabulary, float32 at least."""
        logits = self.output(features)
        return torch.log_softmax(logits, dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))

    @property
    def num_parameters(self) -> int:
        """Trainable numbers, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)
