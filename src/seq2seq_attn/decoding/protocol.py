"""What search needs of a model, and what it gives back.

Search knows token ids, never text, and never the class of a model: whatever
has ``start`` and ``step`` can be searched, a lookup table included. Its arrays
may be numpy's or torch's, on any device: search computes with the same kind,
on the same device, and goes by the lengths of the sources it is given.

Axis names, the same in every signature of this package:
    batch       sentences
    rows        hypotheses that the model extends at once; as many as there are
                live ones, so their number changes from step to step
    source_len  encoder positions, padding included
    target_len  tokens of one hypothesis, the end-of-sentence token included
    vocab       target tokens
    beam        places for hypotheses of one sentence
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float, Int

from seq2seq_attn.decoding.arrays import Array

_State = TypeVar("_State", bound="DecodingState")
StateT = TypeVar("StateT", bound="DecodingState")


@runtime_checkable
class DecodingState(Protocol):
    """What a model carries from step to step, one entry per row; a value, never changed in place."""

    def select(self: _State, rows: Int[Array, " kept"], /) -> _State:
        """Return the state of ``rows``, in their order; repeats and omissions are allowed."""
        ...


class Step(NamedTuple):
    """What one step of a model gives; any tuple in this order will do."""

    log_probs: Float[Array, "rows vocab"]
    weights: Float[Array, "rows source_len"]
    state: DecodingState


@runtime_checkable
class StepModel(Protocol[StateT]):
    """A model that extends hypotheses by one token at a time.

    A row's numbers must depend on its own sentence and tokens only, never on
    its neighbors or on padding; then a sentence translates the same in any batch.
    """

    def start(self, source: Any, source_lengths: Int[Array, " batch"], /) -> StateT:
        """Read the source sentences; return a state of one row per sentence, in their order.

        Search hands ``source`` on as it got it: token ids for a model, something else for a model of models.
        """
        ...

    def step(
        self, tokens: Int[Array, " rows"], state: StateT, /
    ) -> tuple[Float[Array, "rows vocab"], Float[Array, "rows source_len"], StateT]:
        """Feed each row its newest token; return a ``Step``: what may come next, attention, new state."""
        ...


@runtime_checkable
class Attending(StepModel[Any], Protocol):
    """A model that says whether its attention means anything."""

    attends: bool


@dataclass(frozen=True)
class Hypothesis:
    """One translation of one sentence, as search found it.

    Attributes:
        tokens: target ids, without the begin- and end-of-sentence tokens.
        log_prob: natural logarithm of the model's probability, end-of-sentence token included.
        score: what the search ranks by; ``log_prob`` where it does not rank.
        finished: whether the end-of-sentence token was reached within the length limit.
        weights: attention while predicting each token and, when finished, the
            end-of-sentence token; of the model's kind, in the memory of the machine, columns cut to the sentence's own
            source length.
        token_log_probs: one per row of ``weights``; they sum to ``log_prob``.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float
    finished: bool
    weights: Float[Array, "target_len source_len"]
    token_log_probs: tuple[float, ...]


class Past(NamedTuple):
    """What the rows of a step have behind them: all that a rule may look at."""

    tokens: Int[Array, "rows length"]  # chosen so far, without the begin-of-sentence token
    sentences: Int[Array, " rows"]  # which sentence of the batch each row translates
    left: Int[Array, " rows"] | None = None  # tokens that still fit, the next one and the end counted, where known


@runtime_checkable
class Rule(Protocol):
    """What may be written next, beyond what the model says.

    A rule has no state of its own: the past of a row says everything. So it works under every search, and
    a row gets the same answer in any batch.
    """

    def __call__(self, log_probs: Float[Array, "rows vocab"], past: Past, /) -> Float[Array, "rows vocab"]:
        """Return what search ranks by, minus infinity for what must not come next; the argument stays as it is.

        No rank may be above 0: beam search stops as soon as nothing at most 0 that is still to come can help.
        """
        ...


@dataclass(frozen=True)
class Demands:
    """What the translations of a batch must have, sentence by sentence; empty where nothing is asked.

    Attributes:
        prefixes: target ids that each translation begins with.
        required: for each sentence the phrases, as target ids, that must appear in its translation.
        numbers: what to call the sentences in an error; from 1 on in the order of the batch if not given.
    """

    prefixes: Sequence[Sequence[int]] = ()
    required: Sequence[Sequence[Sequence[int]]] = ()
    numbers: Sequence[int] = ()

    def number(self, row: int) -> int:
        """Return what sentence ``row`` of the batch is called."""
        return self.numbers[row] if self.numbers else row + 1


@runtime_checkable
class Search(Protocol):
    """A way to find translations."""

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Array, " batch"],
        demands: Demands | None = None,
        /,
    ) -> list[list[Hypothesis]]:
        """Return the hypotheses of every sentence, best first, at least one each.

        Args:
            model: whatever can start and step.
            source: what its ``start`` takes.
            source_lengths: tokens of each source sentence; limits of length follow from them.
            demands: what the translations must have.

        Raises:
            ConfigError: if this search cannot meet a demand.
        """
        ...
