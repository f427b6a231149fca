"""One beam search over one batch, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.beam_watch import MORE, BeamStep, Seen, beam_step
from seq2seq_attn.decoding.pool import Candidates, Live, Outcome, Pool
from seq2seq_attn.decoding.protocol import StateT, StepModel
from seq2seq_attn.decoding.ranking import Ranking, Ranks
from seq2seq_attn.decoding.required import Going, Offers, RequiredPhrases
from seq2seq_attn.decoding.scoring import Scoring, log_coverage
from seq2seq_attn.decoding.selection import by_bank, by_group, by_total
from seq2seq_attn.decoding.trellis import Trellis

_NEVER = float("-inf")


class Settings(NamedTuple):
    """What one beam search has in common with all others of its kind."""

    beam: int  # places of one group, which is a beam of its own
    groups: int
    diversity: float
    n_best: int
    bos: int
    eos: int
    scoring: Scoring
    watch: Callable[[BeamStep], None] | None = None


class BeamRun:
    """Beam search over one batch.

    Every group of a sentence is a beam, with places and pools of its own: ``beams`` is sentences times groups.

    Args:
        settings: of the search.
        ranking: rules, lengths and given beginnings of this batch.
        required: its phrases that must appear; None if there are none.
        source_lengths: tokens of each source sentence.
    """

    def __init__(
        self,
        settings: Settings,
        ranking: Ranking,
        required: RequiredPhrases | None,
        source_lengths: Int[Array, " batch"],
    ) -> None:
        self.settings = settings
        self.ranking = ranking
        self.required = required
        self.source_lengths = source_lengths
        self.beams = len(source_lengths) * settings.groups
        self.limits = arrays.repeat(ranking.limits, settings.groups)
        self.shortest_limit = int(self.limits.min())
        self.scores = settings.scoring.upto(int(self.limits.max()), like=source_lengths)

    def search(self, model: StepModel[StateT], source: Any) -> Outcome:
        """Run the model until no sentence has anything better to come."""
        trellis = Trellis(len(self.source_lengths), like=self.source_lengths)
        live = self._first(trellis.roots)
        finished = unfinished = Pool.empty(self.beams, self.settings.beam, like=self.source_lengths)
        state = model.start(source, self.source_lengths)
        if self.settings.groups > 1:
            state = state.select(live.nodes)
        while len(live.places):
            length = live.rows.length
            log_probs, weights, state = model.step(live.tokens, state)
            live = self._look(live, weights)
            ranks = self.ranking.ranks(log_probs, live.rows)
            offers = self._offer(live, ranks, finished)
            candidates = self._choose(live, offers)
            parents = candidates.rows.reshape(-1)
            nodes = trellis.grow(
                parents=live.nodes[parents],
                tokens=candidates.tokens.reshape(-1),
                log_probs=candidates.log_probs.reshape(-1),
                rows=parents,
                weights=weights,
            ).reshape(candidates.rows.shape)
            scores = self.scores.score(candidates.totals, length)
            kept = self._kept(candidates, scores, finished)
            ended = kept & (candidates.tokens == self.settings.eos)
            going = kept & ~ended
            final = scores if live.attended is None else scores + self._coverage(live)[candidates.rows]
            finished = finished.add(ended, final, nodes)

            stuck = ~kept.any(axis=1) & (finished.scores[:, 0] == _NEVER)
            unfinished = self._add_dead_ends(unfinished, stuck, live)
            best_live = arrays.largest(arrays.masked(candidates.totals, ~going, _NEVER))
            settled = finished.scores[:, self.settings.n_best - 1] >= self.scores.best_possible(best_live, self.limits)
            if length >= self.shortest_limit:
                at_limit = self.limits <= length
                unfinished = unfinished.add(going & at_limit[:, None], final, nodes)
                settled = settled | at_limit
            if self.settings.watch is not None:
                shown = arrays.where(ended, final, scores)
                self.settings.watch(
                    self._seen(live, ranks, offers, (candidates, nodes, shown, kept, settled, finished))
                )
            places = arrays.places_of((going & ~settled[:, None]).reshape(-1))
            if len(places):
                state = state.select(parents[places])
            live = self._follow(live, candidates, nodes, places)
        return Outcome(trellis, finished, unfinished)

    def _first(self, roots: Int[Array, " batch"]) -> Live:
        """Return the one empty hypothesis of each beam, in its first place."""
        nodes = arrays.repeat(roots, self.settings.groups)
        return Live(
            places=arrays.arange(self.beams, like=roots) * self.settings.beam,
            totals=arrays.full((self.beams,), 0, like=roots, dtype="float64"),
            nodes=nodes,
            tokens=arrays.full(nodes.shape, self.settings.bos, like=nodes),
            rows=self.ranking.first(nodes),
            progress=None if self.required is None else self.required.first(nodes),
        )

    def _look(self, live: Live, weights: Float[Array, "rows source_len"]) -> Live:
        """Add up attention, if anybody asks for it."""
        if not self.settings.scoring.coverage_penalty:
            return live
        seen = arrays.cast(weights, "float64") if live.attended is None else live.attended + weights
        return live._replace(attended=seen)

    def _coverage(self, live: Live) -> Float[Array, " rows"]:
        assert live.attended is not None
        covered = log_coverage(live.attended, self.source_lengths[live.rows.sentences])
        return covered * self.settings.scoring.coverage_penalty

    def _offer(self, live: Live, ranks: Ranks, finished: Pool) -> Offers:
        """Return what live hypotheses could be continued with: for each at least what may stay in its beam."""
        # What is not among the best of its own row is not among the best of its beam. With groups, tokens of
        # earlier ones may fall behind: then it is not among the best of its row and as many as those.
        required, progress = self.required, live.progress
        if required is not None and progress is not None:
            ranks = required.narrow(ranks, live.rows, progress)
        values, tokens = self.ranking.best(ranks, live.rows, self.settings.beam * self.settings.groups)
        offers = Offers(values, tokens, ranks.log_probs_of(values, tokens))
        if required is not None and progress is not None:
            given = self.ranking.given(live.rows)
            none = arrays.full(live.places.shape, False, like=live.places, dtype="bool")
            free = none if given is None else given[0]
            offers = required.offer(ranks, Going(live.rows, progress, free, finished.scores[:, 0] > _NEVER), offers)
        return offers

    def _choose(self, live: Live, offers: Offers) -> Candidates:
        """Return the continuations of live hypotheses that stay in their beams."""
        choices = offers.tokens.shape[1]
        totals = self._by_place(live, live.totals[:, None] + offers.values, _NEVER)
        if offers.banks is not None and self.required is not None:
            banks = self._by_place(live, offers.banks, 0)
            order = by_bank(totals, banks, self.settings.beam, self.required.longest_total)
        elif self.settings.groups > 1:
            spread = self._by_place(live, offers.tokens, -1)
            order = by_group(totals, spread, self.settings.beam, self.settings.groups, self.settings.diversity)
        else:
            order = by_total(totals, self.settings.beam)
        numbers = self._by_place(live, arrays.arange(len(live.places), like=order)[:, None], 0)
        rows = arrays.take_along(numbers, order // choices)
        choice = order % choices
        chosen = arrays.take_along(totals, order)
        return Candidates(chosen, rows, offers.tokens[rows, choice], offers.log_probs[rows, choice])

    def _seen(
        self,
        live: Live,
        ranks: Ranks,
        offers: Offers,
        outcome: tuple[Candidates, Array, Array, Array, Array, Pool],
    ) -> BeamStep:
        """Write down what a watched search has done."""
        if self.required is None:  # a look at more than there is room for
            values, tokens = self.ranking.best(ranks, live.rows, offers.tokens.shape[1] + MORE)
            offers = Offers(values, tokens, ranks.log_probs_of(values, tokens))
        seen = Seen(
            live,
            ranks.log_probs,
            self.ranking.all(ranks, live.rows),
            offers,
            self.scores.score(live.totals[:, None] + offers.values, live.rows.length),
            *outcome,
            eos=self.settings.eos,
            n_best=self.settings.n_best,
        )
        return beam_step(seen, self.limits)

    def _by_place(self, live: Live, of_rows: Array, elsewhere: float) -> Array:
        """Return what rows have, (rows, each), as what places have, (beams, places in a beam times each)."""
        spread = arrays.full((self.beams * self.settings.beam, of_rows.shape[1]), elsewhere, like=of_rows)
        spread[live.places] = of_rows
        return spread.reshape(self.beams, -1)

    def _kept(
        self, candidates: Candidates, scores: Float[Array, "beams beam"], finished: Pool
    ) -> Bool[Array, "beams beam"]:
        """Say which candidates are among the best of all: themselves and what has finished before."""
        ahead = arrays.arange(self.settings.beam, like=scores)
        ahead = ahead + (finished.scores[:, None] >= scores[:, :, None]).sum(axis=2)
        return (ahead < self.settings.beam) & (candidates.totals > _NEVER)

    def _add_dead_ends(self, unfinished: Pool, stuck: Bool[Array, " beams"], live: Live) -> Pool:
        """Keep what could not be continued, in beams that have nothing else to show."""
        if not bool(stuck.any()):
            return unfinished
        scores = self.scores.score(live.totals, live.rows.length - 1)
        if live.attended is not None:
            scores = scores + self._coverage(live)
        dead = stuck[live.places // self.settings.beam][:, None]
        return unfinished.add(
            self._by_place(live, dead, 0),
            self._by_place(live, scores[:, None], 0),
            self._by_place(live, live.nodes[:, None], 0),
        )

    def _follow(
        self, live: Live, candidates: Candidates, nodes: Int[Array, "beams beam"], places: Int[Array, " kept"]
    ) -> Live:
        """Return the hypotheses in ``places``, which are extended next."""
        rows, tokens = candidates.rows.reshape(-1)[places], candidates.tokens.reshape(-1)[places]
        progress = live.progress
        if progress is not None and self.required is not None:
            sentences = live.rows.sentences[rows]
            after = self.required.follow(progress.select(rows), sentences, tokens[:, None])
            progress = type(after)(*(part.squeeze(1) for part in after))
        return Live(
            places=places,
            totals=candidates.totals.reshape(-1)[places],
            nodes=nodes.reshape(-1)[places],
            tokens=tokens,
            rows=self.ranking.follow(live.rows, rows, tokens),
            attended=None if live.attended is None else live.attended[rows],
            progress=progress,
        )
