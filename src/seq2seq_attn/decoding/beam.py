"""Beam search: the best hypotheses of every length side by side.

The beam of a sentence is its ``beam_size`` best hypotheses by score. One that
has reached the end of the sentence keeps its place while its score holds it,
and is remembered whether or not it does; the live ones in the other places are
extended. So a beam of one is greedy search, and a poor early ending does not
narrow the beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.decoding.choices import SpecialTokens, best_choices
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, Rule, StateT, StepModel
from seq2seq_attn.decoding.scoring import Scoring
from seq2seq_attn.decoding.trellis import Trellis
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


class Pool(NamedTuple):
    """Hypotheses that are no longer extended, best first; an empty place scores minus infinity."""

    scores: Float[Tensor, "batch beam"]
    nodes: Int[Tensor, "batch beam"]

    def add(
        self, which: Bool[Tensor, "batch beam"], scores: Float[Tensor, "batch beam"], nodes: Int[Tensor, "batch beam"]
    ) -> Pool:
        """Return the best of these and ``which`` of the new ones; of equals the older comes first."""
        both = torch.cat([self.scores, scores.masked_fill(~which, _NEVER)], dim=1)
        order = both.argsort(dim=1, descending=True, stable=True)[:, : self.scores.shape[1]]
        return Pool(both.gather(1, order), torch.cat([self.nodes, nodes], dim=1).gather(1, order))


class Live(NamedTuple):
    """The hypotheses that the model extends next, one per row, those of a sentence together, best first."""

    places: Int[Tensor, " rows"]  # sentence times beam size, plus the place in its beam
    totals: Float[Tensor, " rows"]  # log-probability so far, float64: rounding must not decide a ranking
    nodes: Int[Tensor, " rows"]
    tokens: Int[Tensor, " rows"]


class Candidates(NamedTuple):
    """The best continuations of each sentence, best first; an empty place has a total of minus infinity."""

    totals: Float[Tensor, "batch beam"]
    rows: Int[Tensor, "batch beam"]  # what each continues
    tokens: Int[Tensor, "batch beam"]
    log_probs: Float[Tensor, "batch beam"]


class Outcome(NamedTuple):
    """What a search leaves behind: the record, and where in it the hypotheses end."""

    trellis: Trellis
    finished: Pool
    unfinished: Pool


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
        groups: that divide the beam.
        diversity: how much groups avoid one another's tokens.
        word_starts: which target tokens start a word.
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
    word_starts: Bool[Tensor, " vocab"] | None = None

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise ConfigError(f"beam_size is {self.beam_size}, but a beam holds at least 1 hypothesis")
        if not 1 <= self.n_best <= self.beam_size:
            raise ConfigError(
                f"n_best is {self.n_best}, but a beam of {self.beam_size} gives 1 to {self.beam_size} hypotheses; "
                f"make beam_size larger"
            )

    @cached_property
    def special(self) -> SpecialTokens:
        """The tokens that mean something."""
        return SpecialTokens(bos=self.bos, eos=self.eos, forbidden=self.forbidden)

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Tensor, " batch"],
        demands: Demands | None = None,
    ) -> list[list[Hypothesis]]:
        """Return up to ``n_best`` hypotheses per sentence, at least one.

        They are all different. Finished ones come first, best first; those that
        were cut off at the limit only fill what is left.
        """
        if not len(source_lengths):
            return []
        with torch.inference_mode():
            outcome = self._search(model, source, source_lengths)
        paths = outcome.trellis.paths()
        ends = torch.cat([outcome.finished.nodes, outcome.unfinished.nodes], dim=1).tolist()
        scores = torch.cat([outcome.finished.scores, outcome.unfinished.scores], dim=1).tolist()
        found = []
        for row, source_length in enumerate(source_lengths.tolist()):
            pairs = zip(ends[row], scores[row], strict=True)
            best = [(node, score) for node, score in pairs if score > _NEVER][: self.n_best]
            found.append(
                [
                    paths.hypothesis(node, eos=self.special.eos, source_length=source_length, score=score)
                    for node, score in best
                ]
            )
        return found

    def _search(self, model: StepModel[StateT], source: Any, source_lengths: Tensor) -> Outcome:
        limits = self.limit(source_lengths)
        penalty = self.scoring.upto(int(limits.max()), source_lengths.device)
        trellis = Trellis(len(source_lengths), source_lengths.device)
        live = self._first(trellis.roots)
        finished = unfinished = self._empty_pool(trellis.roots)
        state = model.start(source, source_lengths)
        length = 0
        while len(live.places):
            length += 1
            log_probs, weights, state = model.step(live.tokens, state)
            candidates = self._extend(live, log_probs, len(source_lengths))
            nodes = trellis.grow(
                parents=live.nodes[candidates.rows.flatten()],
                tokens=candidates.tokens.flatten(),
                log_probs=candidates.log_probs.flatten(),
                rows=candidates.rows.flatten(),
                weights=weights,
            ).view_as(candidates.rows)
            scores = penalty.score(candidates.totals, length)
            kept = self._kept(candidates, scores, finished)
            ended = kept & (candidates.tokens == self.special.eos)
            going = kept & ~ended
            finished = finished.add(ended, scores, nodes)

            at_limit = limits <= length
            unfinished = unfinished.add(going & at_limit.unsqueeze(1), scores, nodes)
            stuck = ~kept.any(dim=1) & (finished.scores[:, 0] == _NEVER)
            unfinished = self._add_dead_ends(unfinished, stuck, live, penalty.score(live.totals, length - 1))

            best_live = candidates.totals.masked_fill(~going, _NEVER).amax(dim=1)
            settled = finished.scores[:, self.n_best - 1] >= penalty.best_possible(best_live, limits)
            going = going & ~(at_limit | settled).unsqueeze(1)
            places = going.flatten().nonzero().squeeze(1)
            if len(places):
                state = state.select(candidates.rows.flatten()[places])
            live = Live(
                places,
                candidates.totals.flatten()[places],
                nodes.flatten()[places],
                candidates.tokens.flatten()[places],
            )
        return Outcome(trellis, finished, unfinished)

    def _first(self, roots: Int[Tensor, " batch"]) -> Live:
        """Return the one empty hypothesis of each sentence, in the first place of its beam."""
        totals = torch.zeros(len(roots), dtype=torch.float64, device=roots.device)
        return Live(roots * self.beam_size, totals, roots, torch.full_like(roots, self.special.bos))

    def _empty_pool(self, roots: Int[Tensor, " batch"]) -> Pool:
        nodes = roots.unsqueeze(1).expand(-1, self.beam_size)
        return Pool(torch.full_like(nodes, _NEVER, dtype=torch.float64), nodes)

    def _extend(self, live: Live, log_probs: Float[Tensor, "rows vocab"], sentences: int) -> Candidates:
        """Return the best continuations of each sentence's live hypotheses."""
        # What is not among the best of its own row is not among the best of its sentence.
        values, tokens = best_choices(self.special.allow(log_probs), self.beam_size)
        choices = values.shape[1]
        totals = live.totals.new_full((sentences * self.beam_size, choices), _NEVER)
        totals[live.places] = live.totals.unsqueeze(1) + values
        ranked, order = totals.view(sentences, -1).sort(dim=1, descending=True, stable=True)
        ranked, order = ranked[:, : self.beam_size], order[:, : self.beam_size]

        row_at = live.places.new_zeros(sentences * self.beam_size)
        row_at[live.places] = torch.arange(len(live.places), device=row_at.device)
        rows = row_at.view(sentences, -1).gather(1, order // choices)
        choice = order % choices
        return Candidates(ranked, rows, tokens[rows, choice], values[rows, choice])

    def _kept(
        self, candidates: Candidates, scores: Float[Tensor, "batch beam"], finished: Pool
    ) -> Bool[Tensor, "batch beam"]:
        """Say which candidates are among the best of all: themselves and what has finished before."""
        ahead = torch.arange(self.beam_size, device=scores.device)
        ahead = ahead + (finished.scores.unsqueeze(1) >= scores.unsqueeze(2)).sum(dim=2)
        return (ahead < self.beam_size) & (candidates.totals > _NEVER)

    def _add_dead_ends(
        self, unfinished: Pool, stuck: Bool[Tensor, " batch"], live: Live, scores: Float[Tensor, " rows"]
    ) -> Pool:
        """Keep what could not be continued, in sentences that have nothing else to show."""
        dead = stuck[live.places // self.beam_size]
        if not bool(dead.any()):
            return unfinished
        which = torch.zeros_like(unfinished.nodes, dtype=torch.bool)
        which.view(-1)[live.places] = dead
        all_scores = torch.zeros_like(unfinished.scores)
        all_scores.view(-1)[live.places] = scores
        nodes = torch.zeros_like(unfinished.nodes)
        nodes.view(-1)[live.places] = live.nodes
        return unfinished.add(which, all_scores, nodes)
