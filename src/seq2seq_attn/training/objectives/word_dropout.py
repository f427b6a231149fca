"""Word dropout: whole tokens are hidden from the model while it learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq_attn.data.batching import Batch, mask
from seq2seq_attn.data.tokenizers.base import PAD, SPECIALS, UNK
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.training.objectives.base import Lost, Objective

Replacement = Literal["unknown", "zero", "random"]


class WordDropout(Objective):
    """Hide tokens of what the encoder reads and of what the decoder is told, each with some probability.

    * ``zero``: the embedding is zeros (Sennrich, Haddow and Birch 2016, section 2.4,
      https://arxiv.org/abs/1606.02891, after Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287);
      a Transformer still sees that there is a token, by its position.
    * ``unknown``: the unknown token stands there (Bowman et al. 2016, section 3.1,
      https://arxiv.org/abs/1511.06349, who hide target tokens from a decoder).
    * ``random``: another token stands there, all equally probable (one of the noises that Wang et al. 2018
      compare, https://arxiv.org/abs/1808.07512).

    Departures: a place is dropped, not all places of a word; what is left is not scaled up. The symbols of
    beginning and end are never hidden, and what has to be said is what it was.

    Args:
        objective: what the batch is handed on to.
        source: share of the source tokens that are hidden.
        target: share of the tokens told to the decoder that are hidden.
        replacement: what stands in their place.
        source_vocabulary: number of source tokens, special ones included.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        source: float,
        target: float,
        replacement: Replacement,
        source_vocabulary: int,
    ) -> None:
        self.objective = objective
        self.source = source
        self.target = target
        self.replacement = replacement
        self.source_vocabulary = source_vocabulary

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of the objective."""
        return self.objective.parts

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return what is lost where tokens are hidden."""
        if self.source:
            inner = mask(batch.source_lengths - 1, batch.source.shape[1])  # the last is the end of the sentence
            hidden = self._hide(batch.source, inner, self.source, self.source_vocabulary)
            batch = replace(batch, source=hidden)
        if self.target:
            inner = batch.target_mask
            inner[:, 0] = False  # the beginning of the sentence
            hidden = self._hide(batch.target_in, inner, self.target, model.output.out_features)
            batch = replace(batch, target_in=hidden)
        with padding_is_zero(model) if self.replacement == "zero" else ExitStack():
            return self.objective(model, batch, step)

    def _hide(
        self, tokens: Int[Tensor, "batch len"], inner: Bool[Tensor, "batch len"], share: float, vocabulary: int
    ) -> Int[Tensor, "batch len"]:
        chosen = inner & (torch.rand(tokens.shape, device=tokens.device) < share)
        if self.replacement == "random" and vocabulary > len(SPECIALS):
            return torch.where(chosen, torch.randint_like(tokens, len(SPECIALS), vocabulary), tokens)
        return tokens.masked_fill(chosen, PAD if self.replacement == "zero" else UNK)


@contextmanager
def padding_is_zero(model: Seq2Seq) -> Iterator[None]:
    """Let, inside this block, the embedding of padding be zeros, which an output layer that shares the table moves."""

    def clear(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        del module
        return output.masked_fill((inputs[0] == PAD).unsqueeze(-1), 0.0)

    tables = [module for module in model.modules() if isinstance(module, TokenEmbedding)]
    with ExitStack() as stack:
        for table in tables:
            stack.callback(table.register_forward_hook(clear).remove)
        yield
