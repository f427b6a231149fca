"""Greedy search: the most probable token at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq_attn.decoding.choices import SpecialTokens, check_numbers
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, Rule, StateT, StepModel
from seq2seq_attn.decoding.trellis import Trellis


class GreedySearch:
    """Take the most probable token until the end of the sentence; equal ones go to the lower id.

    Args:
        bos: begin-of-sentence token.
        eos: end-of-sentence token.
        forbidden: tokens that are never chosen, apart from ``bos``.
        limit: how long a translation must be and may be.
        rules: what else may not come next.
    """

    def __init__(
        self,
        *,
        bos: int,
        eos: int,
        forbidden: Sequence[int] = (),
        limit: LengthLimit | None = None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.special = SpecialTokens(bos=bos, eos=eos, forbidden=forbidden)
        self.limit = limit or LengthLimit()
        self.rules = tuple(rules)

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Tensor, " batch"],
        demands: Demands | None = None,
    ) -> list[list[Hypothesis]]:
        """Return one hypothesis per sentence; its score is its log-probability."""
        if not len(source_lengths):
            return []
        with torch.inference_mode():
            trellis, leaves = self._search(model, source, source_lengths)
        paths = trellis.paths()
        return [
            [paths.hypothesis(leaf, eos=self.special.eos, source_length=source_length)]
            for leaf, source_length in zip(leaves.tolist(), source_lengths.tolist(), strict=True)
        ]

    def _search(
        self, model: StepModel[StateT], source: Any, source_lengths: Tensor
    ) -> tuple[Trellis, Int[Tensor, " batch"]]:
        """Run the model; return the record, and in it the newest token of every sentence."""
        limits = self.limit(source_lengths)
        trellis = Trellis(len(source_lengths), source_lengths.device)
        leaves = trellis.roots.clone()
        sentences = trellis.roots  # the sentence of each row that is still live
        tokens = torch.full_like(sentences, self.special.bos)
        state = model.start(source, source_lengths)
        length = 0
        while len(sentences):
            length += 1
            log_probs, weights, state = model.step(tokens, state)
            best, tokens = self.special.allow(log_probs).max(dim=1)  # the first of equals, as documented
            check_numbers(best)
            nodes = trellis.grow(
                parents=leaves[sentences],
                tokens=tokens,
                log_probs=best,
                rows=torch.arange(len(sentences), device=source_lengths.device),
                weights=weights,
            )
            possible = best > float("-inf")
            leaves[sentences] = torch.where(possible, nodes, leaves[sentences])
            live = possible & (tokens != self.special.eos) & (limits[sentences] > length)
            if not bool(live.all()):
                kept = live.nonzero().squeeze(1)
                sentences, tokens = sentences[kept], tokens[kept]
                state = state.select(kept) if len(kept) else state
        return trellis, leaves
