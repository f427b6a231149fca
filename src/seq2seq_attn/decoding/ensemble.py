"""Several models that translate as one: the mean of their probabilities at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.protocol import DecodingState, Step, StepModel
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


class EnsembleState(NamedTuple):
    """What every member carries, and whose attention can be shown."""

    members: tuple[DecodingState, ...]
    readers: tuple[int, ...]  # numbers of the members that read the same source tokens as the first

    def select(self, rows: Int[Array, " kept"]) -> EnsembleState:
        """Keep ``rows`` in every member, repeats allowed."""
        return EnsembleState(tuple(member.select(rows) for member in self.members), self.readers)


class Ensemble:
    """A model of models: to a search it is one more model, whatever its members are.

    The probability of a token is the mean of what the members say, a uniform mixture at every step
    (Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215, translate with ensembles, but do not say
    what they average). Where a mean of log-probabilities would let one member forbid what the others want, this lets
    them outvote it. Members need one target vocabulary; their sources may be encoded in different ways.

    Args:
        members: anything that can start and step.
    """

    def __init__(self, members: Sequence[StepModel[Any]]) -> None:
        if not members:
            raise ConfigError("an ensemble has no members; name at least one model")
        self.members = tuple(members)

    def start(
        self,
        source: Sequence[tuple[Any, Int[Array, " batch"]]],
        source_lengths: Int[Array, " batch"],
        /,
    ) -> EnsembleState:
        """Let every member read the sentences.

        Args:
            source: for every member, in their order, what its own ``start`` takes: source and lengths.
            source_lengths: those that limits of length follow from; members do not see them.
        """
        if len(source) != len(self.members):
            raise ConfigError(
                f"an ensemble of {len(self.members)} models got {len(source)} sources; give one pair of source and "
                f"lengths to each member"
            )
        pairs = zip(self.members, source, strict=True)
        states = tuple(member.start(tokens, lengths) for member, (tokens, lengths) in pairs)
        readers = tuple(number for number, read in enumerate(source) if number == 0 or _equal(read, source[0]))
        return EnsembleState(states, readers)

    def step(self, tokens: Int[Array, " rows"], state: EnsembleState, /) -> Step:
        """Let every member read a token; return the mean of their probabilities and of their attention.

        Attention is the mean over those that read the same source tokens as the first and look anywhere at all:
        a model without attention has weights of zero.
        """
        steps = [member.step(tokens, own) for member, own in zip(self.members, state.members, strict=True)]
        sizes = [log_probs.shape[1] for log_probs, _, _ in steps]
        if len(set(sizes)) > 1:
            raise ConfigError(
                f"the models of an ensemble need one target vocabulary, but theirs have {', '.join(map(str, sizes))} "
                f"tokens"
            )
        log_probs = mean_log_probs([log_probs for log_probs, _, _ in steps])
        weights = _mean_weights([steps[number][1] for number in state.readers])
        return Step(log_probs, weights, EnsembleState(tuple(own for _, _, own in steps), state.readers))


def mean_log_probs(several: Sequence[Float[Array, "rows vocab"]]) -> Float[Array, "rows vocab"]:
    """Return the logarithm of the mean of probabilities, float32 at least; equal ones stay exactly as they are."""
    stacked = arrays.stack([arrays.at_least_float32(one) for one in several])
    best = arrays.largest(stacked, axis=0)
    # What every member calls impossible has a best of minus infinity, which cannot be subtracted from itself.
    shares = arrays.exp(stacked - arrays.masked(best, best == _NEVER, 0))
    return best + arrays.log(shares.mean(axis=0))


def _mean_weights(several: Sequence[Float[Array, "rows _"]]) -> Float[Array, "rows source_len"]:
    # a model may have padded its sources further; there its weights are zero
    width = min(one.shape[1] for one in several)
    stacked = arrays.stack([one[:, :width] for one in several])
    looking = (stacked.sum(axis=2) > 0).sum(axis=0).clip(min=1)
    return stacked.sum(axis=0) / arrays.cast_like(looking[:, None], stacked)


def _equal(one: tuple[Any, Array], other: tuple[Any, Array]) -> bool:
    """Say whether two members read the same tokens; of sources that are no tokens, whether it is the same object."""
    (source, lengths), (other_source, other_lengths) = one, other
    if source is other_source:
        return bool((lengths == other_lengths).all())
    if not (arrays.is_array(source) and arrays.is_array(other_source)):
        return False
    if source.shape != other_source.shape or not bool((lengths == other_lengths).all()):
        return False
    inside = arrays.arange(source.shape[1], like=source) < lengths[:, None]
    return bool(((source == other_source) | ~inside).all())
