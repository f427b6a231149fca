"""What a beam search does at a step, written down for whoever wants to look.

Nothing here runs unless a search is watched; then a step costs several times what it does else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from jaxtyping import Bool, Float, Int, Shaped

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.pool import Candidates, Live, Pool
from seq2seq_attn.decoding.required import Offers

_NEVER = float("-inf")

MORE = 3
"""Continuations of each hypothesis that are looked at beyond those that there is room for."""

Fate: TypeAlias = Literal["kept", "finished", "outscored", "overtaken", "yielded", "forbidden", "settled", "limit"]
"""What became of a continuation:

=============  ======================================================================================
``kept``       it is extended at the next step
``finished``   it has reached the end of the sentence and is remembered
``outscored``  the beam is full of better ones
``overtaken``  it would fit among those of this step, but better ones that have finished hold the places
``yielded``    another has its place, so that groups differ or phrases that must appear get on
``forbidden``  a rule does not let it come; it would have stayed
``settled``    it would have stayed, but its sentence is done: nothing that can follow enters the n best
``limit``      it is as long as it may be
=============  ======================================================================================
"""


class Considered(NamedTuple):
    """One continuation of a hypothesis."""

    sentence: int  # of the batch
    parent: int  # the node that it continues; the first nodes are the roots, one per sentence
    node: int | None  # its own; None where it was not written down
    token: int
    log_prob: float  # of the token
    score: float  # of the hypothesis, as search ranks it
    fate: Fate
    rival: int | None = None  # the node of the hypothesis it fell behind: the last that stayed, or a finished one


class BeamStep(NamedTuple):
    """All that was considered at one step: what stayed, and the best of what did not."""

    length: int  # tokens of a hypothesis, the new one included
    considered: list[Considered]


class Seen(NamedTuple):
    """The arrays of one step; see ``BeamRun.search``."""

    live: Live
    log_probs: Float[Array, "rows vocab"]  # the model's own
    allowed: Float[Array, "rows vocab"]  # minus infinity for what must not come
    offers: Offers
    offered: Float[Array, "rows chosen"]  # the scores of hypotheses that go on with them
    candidates: Candidates
    nodes: Int[Array, "beams beam"]
    scores: Float[Array, "beams beam"]  # of candidates: at the end with coverage
    kept: Bool[Array, "beams beam"]
    settled: Bool[Array, " beams"]
    finished: Pool
    eos: int
    n_best: int


def beam_step(seen: Seen, limits: Int[Array, " beams"]) -> BeamStep:
    """Write down one step.

    Args:
        seen: the step.
        limits: the most tokens of a hypothesis, by beam.
    """
    length = seen.live.rows.length
    beams, beam = seen.kept.shape
    rows: list[list[int]] = [[] for _ in range(beams)]
    for row, place in enumerate(seen.live.places.tolist()):
        rows[place // beam].append(row)
    tables = _Tables(seen)
    considered = [
        one
        for number, (limit, own) in enumerate(zip(limits.tolist(), rows, strict=True))
        if own
        for one in _Beam(tables, number, own, at_limit=limit <= length).considered()
    ]
    return BeamStep(length, considered)


class _Tables:
    """The arrays as lists."""

    def __init__(self, seen: Seen) -> None:
        most = min(seen.kept.shape[1] + 1, seen.log_probs.shape[1])
        log_probs, tokens = arrays.top(seen.log_probs, most)
        self.eos, self.n_best = seen.eos, seen.n_best
        self.parents, self.sentences = seen.live.nodes.tolist(), seen.live.rows.sentences.tolist()
        self.totals = seen.live.totals.tolist()
        allowed = arrays.take_along(seen.allowed, tokens) > _NEVER
        self.likely = _by_row(tokens, log_probs, allowed)  # token, its log-probability, whether it may come
        totals = seen.live.totals[:, None] + seen.offers.values
        # token, its log-probability, total and score of the hypothesis then
        self.offered = _by_row(seen.offers.tokens, seen.offers.log_probs, totals, seen.offered)
        self.candidates = [part.tolist() for part in seen.candidates]
        self.nodes, self.scores, self.kept = seen.nodes.tolist(), seen.scores.tolist(), seen.kept.tolist()
        self.settled = seen.settled.tolist()
        self.finished = [part.tolist() for part in seen.finished]


def _by_row(*parts: Shaped[Array, "rows chosen"]) -> list[list[tuple[Any, ...]]]:
    """Return for every row its entries of all parts, side by side."""
    return [list(zip(*row, strict=True)) for row in zip(*(part.tolist() for part in parts), strict=True)]


class _Beam:
    """One beam at one step."""

    def __init__(self, tables: _Tables, number: int, rows: list[int], *, at_limit: bool) -> None:
        self.tables = tables
        self.number = number
        self.rows = rows
        self.at_limit = at_limit
        totals, parents, tokens, log_probs = (part[number] for part in tables.candidates)
        self.chosen = {
            (row, token): (place, total, log_prob)
            for place, (total, row, token, log_prob) in enumerate(zip(totals, parents, tokens, log_probs, strict=True))
            if total > _NEVER
        }
        self.lowest = min((total for _, total, _ in self.chosen.values()), default=_NEVER)
        self.stayed = [place for place, _, _ in self.chosen.values() if tables.kept[number][place]]
        self.last = max(self.stayed, default=None, key=lambda place: (-tables.scores[number][place], place))

    def considered(self) -> Iterator[Considered]:
        """Give those that the beam had room for, then the others."""
        tables, number = self.tables, self.number
        for (row, token), (place, _, log_prob) in self.chosen.items():
            node, score = tables.nodes[number][place], tables.scores[number][place]
            fate, rival = self._fate(token, place, score)
            yield Considered(tables.sentences[row], tables.parents[row], node, token, log_prob, score, fate, rival)
        yield from self._fallen()
        yield from self._forbidden()

    def _fate(self, token: int, place: int, score: float) -> tuple[Fate, int | None]:
        tables, number = self.tables, self.number
        scores, nodes = (part[number] for part in tables.finished)
        if not tables.kept[number][place]:
            ahead = [node for better, node in zip(scores, nodes, strict=True) if better >= score]
            return "overtaken", ahead[-1] if ahead else None
        if token == tables.eos:
            return "finished", None
        if self.at_limit:
            return "limit", None
        if tables.settled[number]:
            return "settled", nodes[tables.n_best - 1]
        return "kept", None

    def _fallen(self) -> Iterator[Considered]:
        """Give the best of what was offered and found no place: as many as there are places, and some more."""
        tables, number = self.tables, self.number
        others = [
            (row, *offer)
            for row in self.rows
            for offer in tables.offered[row]
            if offer[2] > _NEVER and (row, offer[0]) not in self.chosen
        ]
        others.sort(key=lambda other: -other[3])
        last = None if self.last is None else tables.nodes[number][self.last]
        for row, token, log_prob, total, score in others[: len(tables.kept[number]) + MORE]:
            fate: Fate = "yielded" if total > self.lowest else "outscored"
            yield Considered(tables.sentences[row], tables.parents[row], None, token, log_prob, score, fate, last)

    def _forbidden(self) -> Iterator[Considered]:
        """Give what the model would have written, and would have stayed, had it been allowed."""
        tables = self.tables
        for row in self.rows:
            refused = {token for token, _, total, _ in tables.offered[row] if total == _NEVER}
            for token, log_prob, allowed in tables.likely[row]:
                if (not allowed or token in refused) and tables.totals[row] + log_prob > self.lowest:
                    yield Considered(
                        tables.sentences[row], tables.parents[row], None, token, log_prob, _NEVER, "forbidden"
                    )
