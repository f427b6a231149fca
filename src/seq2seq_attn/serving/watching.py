"""A search that is watched from outside while it runs: what it has so far, and whether anybody still wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from seq2seq_attn.decoding import DecodingState, StepModel


class Abandoned(Exception):  # noqa: N818 - no error: nobody waits for the result
    """Nobody waits for what is searched for."""


class Path(NamedTuple):
    """What a row has read so far, and where the model looked before it was written."""

    sentence: int  # number in the batch
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    log_prob: float
    looks: tuple[tuple[Any, int], ...]  # for each token the weights of its step and the row in them

    def weights(self, source_length: int) -> list[list[float]]:
        """Return where the model looked, (tokens, source_length)."""
        return [weights[row][:source_length].tolist() for weights, row in self.looks]


See = Callable[[Path], None]


class Followed(NamedTuple):
    """The state of a model, and what each of its rows has behind it."""

    state: DecodingState
    paths: tuple[Path, ...]
    log_probs: Any  # (rows of the last step, vocab); None before the first
    weights: Any  # (rows of the last step, source_len)
    rows: tuple[int, ...]  # of each path its row there

    def select(self, rows: Any) -> Followed:
        """Keep ``rows``, repeats allowed."""
        kept = rows.tolist()
        paths, origins = tuple(self.paths[row] for row in kept), tuple(self.rows[row] for row in kept)
        return Followed(self.state.select(rows), paths, self.log_probs, self.weights, origins)


class WatchedModel:
    """A model that shows how far the search is that steps it.

    To a search it is the model itself: it hands on every number as it is. The live hypotheses of a sentence are
    equally long at any step, so the most probable of them is the best so far under every length normalization.

    Args:
        model: what is stepped.

    Attributes:
        wanted: is asked before every step whether to go on.
        see: is told before every step the best hypothesis so far of each watched sentence; None where nothing is
            watched, which then costs nothing.
        watched: numbers in the batch.
    """

    def __init__(self, model: StepModel[Any]) -> None:
        self.model = model
        self.wanted: Callable[[], bool] = lambda: True
        self.see: See | None = None
        self.watched: frozenset[int] = frozenset()

    def start(self, source: Any, source_lengths: Any, /) -> Any:
        """Read the source sentences."""
        state = self.model.start(source, source_lengths)
        if self.see is None:
            return state
        sentences = range(len(source_lengths))
        paths = tuple(Path(number, (), (), 0.0, ()) for number in sentences)
        return Followed(state, paths, None, None, tuple(sentences))

    def step(self, tokens: Any, state: Any, /) -> Any:
        """Read one target token per row.

        Raises:
            Abandoned: if nobody wants the result any more.
        """
        if not self.wanted():
            raise Abandoned
        if not isinstance(state, Followed):
            return self.model.step(tokens, state)
        paths = _go_on(state, tokens.tolist())
        self._show(paths)
        log_probs, weights, inner = self.model.step(tokens, state.state)
        return log_probs, weights, Followed(inner, paths, log_probs, weights, tuple(range(len(paths))))

    def _show(self, paths: Sequence[Path]) -> None:
        best: dict[int, Path] = {}
        for path in paths:
            if path.sentence in self.watched and path.tokens:
                other = best.get(path.sentence)
                if other is None or path.log_prob > other.log_prob:
                    best[path.sentence] = path
        if self.see is not None:
            for path in best.values():
                self.see(path)


def _go_on(before: Followed, tokens: Sequence[int]) -> tuple[Path, ...]:
    """Return the paths with one more token; the first one of all begins the sentence and is part of none."""
    if before.log_probs is None:
        return before.paths
    added = before.log_probs[list(before.rows), list(tokens)].tolist()
    return tuple(
        Path(
            path.sentence,
            (*path.tokens, token),
            (*path.log_probs, log_prob),
            path.log_prob + log_prob,
            (*path.looks, (before.weights, row)),
        )
        for path, token, log_prob, row in zip(before.paths, tokens, added, before.rows, strict=True)
    )
