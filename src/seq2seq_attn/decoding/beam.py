"""Beam search: the best hypotheses of every length side by side.

The beam of a sentence is its ``beam_size`` best hypotheses by score. One that
has reached the end of the sentence keeps its place while its score holds it,
and is remembered whether or not it does; the live ones in the other places are
extended. So a beam of one is greedy search, and a poor early ending does not
narrow the beam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import Any

from jaxtyping import Bool, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.beam_run import BeamRun, Settings
from seq2seq_attn.decoding.beam_watch import BeamStep
from seq2seq_attn.decoding.choices import SpecialTokens
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.pool import Outcome
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, Rule, StateT, StepModel
from seq2seq_attn.decoding.ranking import Ranking
from seq2seq_attn.decoding.required import RequiredPhrases
from seq2seq_attn.decoding.scoring import Scoring
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


@dataclass(kw_only=True)
class BeamSearch:
    """Follow the ``beam_size`` best hypotheses of each sentence at once.

    A sentence ends when no live hypothesis can still enter its ``n_best``, or
    at its length limit. Equal scores are ordered by the earlier end, then by
    the order of the hypotheses they continue, then by the lower token.

    Args:
        bos: begin-of-sentence token.
        eos: end-of-sentence token.
        beam_size: hypotheses per sentence, finished ones included.
        n_best: hypotheses to return per sentence.
        scoring: what they are ranked by.
        limit: how long they must be and may be.
        forbidden: tokens that are never chosen, apart from ``bos``.
        rules: what else may not come next.
        groups: beams of ``beam_size / groups`` hypotheses, each of which avoids the tokens of those before it.
        diversity: what a token costs for every hypothesis of an earlier group that has it at the same place.
        word_starts: which target tokens start a word; a required phrase is met only where one of them, or the end
            of the sentence, follows it. None: any token may.
        watch: called after every step with what was considered and what became of it; None costs nothing.

    Raises:
        ConfigError: if a number makes no sense.
    """

    bos: int
    eos: int
    beam_size: int
    n_best: int = 1
    scoring: Scoring = field(default_factory=Scoring)
    limit: LengthLimit = field(default_factory=LengthLimit)
    forbidden: Sequence[int] = ()
    rules: Sequence[Rule] = ()
    groups: int = 1
    diversity: float = 0.0
    word_starts: Bool[Array, " vocab"] | None = None
    watch: Callable[[BeamStep], None] | None = None

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise ConfigError(f"beam_size is {self.beam_size}, but a beam holds at least 1 hypothesis")
        if not 1 <= self.n_best <= self.beam_size:
            raise ConfigError(
                f"n_best is {self.n_best}, but a beam of {self.beam_size} gives 1 to {self.beam_size} hypotheses; "
                f"make beam_size larger"
            )
        if self.groups < 1 or self.beam_size % self.groups:
            raise ConfigError(
                f"diverse_groups is {self.groups}, but groups must divide the beam of {self.beam_size} evenly"
            )
        if not (math.isfinite(self.diversity) and self.diversity >= 0):
            raise ConfigError(f"diversity is {self.diversity}, but it must be a finite number of at least 0")
        self.special = SpecialTokens(bos=self.bos, eos=self.eos, forbidden=self.forbidden)

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Array, " batch"],
        demands: Demands | None = None,
    ) -> list[list[Hypothesis]]:
        """Return up to ``n_best`` hypotheses per sentence, at least one.

        They are all different; groups that found the same give it once. Finished ones come first, best first;
        those that were cut off at the limit only fill what is left.

        Raises:
            ConfigError: if a demand cannot be met.
        """
        if not len(source_lengths):
            return []
        with arrays.without_gradients(source_lengths):
            ranking = Ranking(self.special, self.limit, self.rules, source_lengths, demands)
            required = None
            if demands is not None and any(demands.required):
                if self.groups > 1:
                    raise ConfigError(
                        f"phrases that must appear need a beam of one group, but diverse_groups is {self.groups}"
                    )
                required = RequiredPhrases(demands, ranking, self.special, self.word_starts)
            outcome = BeamRun(self._settings(), ranking, required, source_lengths).search(model, source)
        return self._hypotheses(outcome, source_lengths.tolist())

    def _settings(self) -> Settings:
        beam = self.beam_size // self.groups
        n_best = min(self.n_best, beam)
        return Settings(beam, self.groups, self.diversity, n_best, self.bos, self.eos, self.scoring, self.watch)

    def _hypotheses(self, outcome: Outcome, source_lengths: list[int]) -> list[list[Hypothesis]]:
        paths = outcome.trellis.paths()
        pools = [(pool.scores.tolist(), pool.nodes.tolist()) for pool in (outcome.finished, outcome.unfinished)]
        found = []
        for sentence, source_length in enumerate(source_lengths):
            beams = range(sentence * self.groups, (sentence + 1) * self.groups)
            best: dict[tuple[tuple[int, ...], bool], Hypothesis] = {}
            for scores, nodes in pools:
                ends = merge(*(zip(scores[beam], nodes[beam], strict=True) for beam in beams), key=lambda end: -end[0])
                for score, node in ends:
                    if score == _NEVER or len(best) == self.n_best:
                        break
                    path = paths.hypothesis(node, eos=self.eos, source_length=source_length, score=score)
                    best.setdefault((path.tokens, path.finished), path)
            found.append(list(best.values()))
        return found
