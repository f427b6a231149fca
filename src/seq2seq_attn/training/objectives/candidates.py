"""Translations drawn from a model while it learns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, UNK
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.objectives.tokens import draw, translating

CELLS = 1 << 24
"""Most (candidates x vocabulary) cells that are looked at together: 64 MiB in float32."""

Ids = tuple[int, ...]
"""Token ids of a candidate, without special symbols."""


@dataclass(frozen=True)
class CandidateSampler:
    """Draws translations token by token, by torch's own random numbers.

    They have neither unknown tokens nor special symbols inside. What is as long as it may be ends there.

    Attributes:
        candidates: for each sentence; equal ones are kept.
        temperature: of the draw; above 1 for more varied candidates.
        max_length_ratio: tokens of the longest, per token of the target, ends counted.
    """

    candidates: int
    temperature: float = 1.0
    max_length_ratio: float = 2.0

    def __call__(self, model: Seq2Seq, batch: Batch) -> list[list[Ids]]:
        """Return the candidates of every sentence; the model does as in translation."""
        found: list[list[Ids]] = []
        at_once = max(1, CELLS // (self.candidates * model.output.out_features))
        with translating(model):
            for begin in range(0, batch.size, at_once):
                rows = slice(begin, begin + at_once)
                limits = (batch.target_lengths[rows] * self.max_length_ratio).ceil().long()
                lengths = batch.source_lengths[rows]
                drawn = self._draw(model, batch.source[rows, : int(lengths.max())], lengths, limits).tolist()
                ids = [tuple(takewhile(lambda token: token != EOS, row)) for row in drawn]
                found += [ids[first : first + self.candidates] for first in range(0, len(ids), self.candidates)]
        return found

    def _draw(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "batch source_len"],
        source_lengths: Int[Tensor, " batch"],
        limits: Int[Tensor, " batch"],
    ) -> Int[Tensor, "rows longest"]:
        """Return all candidates of the first sentence, then those of the next; behind the end there are more ends."""
        sentences = torch.arange(len(source), device=source.device).repeat_interleave(self.candidates)
        state = model.start(source, source_lengths)
        if self.candidates > 1:
            state = state.select(sentences)
        places = torch.arange(len(sentences), device=source.device)
        limits = limits[sentences]
        tokens = torch.full_like(places, BOS)
        drawn = torch.full((len(places), int(limits.max())), EOS, device=source.device)
        for position in range(drawn.shape[1]):
            log_probs, _, state = model.step(tokens, state)
            log_probs[:, [PAD, UNK, BOS]] = float("-inf")
            numbers = torch.rand(len(places), device=source.device)
            tokens = draw(log_probs / self.temperature, numbers)
            tokens = tokens.masked_fill(limits <= position + 1, EOS)
            drawn[places, position] = tokens
            live = (tokens != EOS).nonzero().squeeze(1)
            if not len(live):
                break
            if len(live) < len(places):
                state = state.select(live)
                places, limits, tokens = places[live], limits[live], tokens[live]
        return drawn
