"""Greedy search: the most probable token at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import SpecialTokens
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, Rule, StateT, StepModel
from seq2seq_attn.decoding.ranking import Ranking
from seq2seq_attn.decoding.trellis import Trellis
from seq2seq_attn.errors import ConfigError


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
        source_lengths: Int[Array, " batch"],
        demands: Demands | None = None,
    ) -> list[list[Hypothesis]]:
        """Return one hypothesis per sentence; its score is its log-probability.

        Raises:
            ConfigError: if a prefix does not fit, or phrases are required: finding a place for them takes a beam.
        """
        if not len(source_lengths):
            return []
        if demands is not None and any(demands.required):
            raise ConfigError("greedy search cannot place phrases that must appear; use beam search, beam_size 5 say")
        with arrays.without_gradients(source_lengths):
            ranking = Ranking(self.special, self.limit, self.rules, source_lengths, demands)
            trellis, leaves = self._search(model, source, source_lengths, ranking)
        paths = trellis.paths()
        return [
            [paths.hypothesis(leaf, eos=self.special.eos, source_length=source_length)]
            for leaf, source_length in zip(leaves.tolist(), source_lengths.tolist(), strict=True)
        ]

    def _search(
        self, model: StepModel[StateT], source: Any, source_lengths: Array, ranking: Ranking
    ) -> tuple[Trellis, Int[Array, " batch"]]:
        """Run the model; return the record, and in it the newest token of every sentence."""
        trellis = Trellis(len(source_lengths), like=source_lengths)
        leaves = arrays.copy(trellis.roots)
        rows = ranking.first(trellis.roots)
        every = trellis.roots
        tokens = arrays.full(every.shape, self.special.bos, like=every)
        state = model.start(source, source_lengths)
        while len(every):
            log_probs, weights, state = model.step(tokens, state)
            ranks = ranking.ranks(log_probs, rows)
            best, chosen = ranking.best(ranks, rows, 1)
            tokens, sentences = chosen.squeeze(1), rows.sentences
            nodes = trellis.grow(
                parents=leaves[sentences],
                tokens=tokens,
                log_probs=ranks.log_probs_of(best, chosen).squeeze(1),
                rows=every,
                weights=weights,
            )
            possible = best.squeeze(1) > float("-inf")
            leaves[sentences] = arrays.where(possible, nodes, leaves[sentences])
            live = possible & (tokens != self.special.eos) & (ranking.limits[sentences] > rows.length)
            if not bool(live.all()):
                every = arrays.places_of(live)
                state = state.select(every) if len(every) else state
            rows = ranking.follow(rows, every, tokens[every])
            tokens, every = tokens[every], arrays.arange(len(every), like=tokens)
        return trellis, leaves
