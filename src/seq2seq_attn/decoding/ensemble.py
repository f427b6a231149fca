"""Several models that translate as one: the mean of their probabilities at every step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.decoding.protocol import DecodingState, Step, StepModel
from seq2seq_attn.errors import ConfigError


class EnsembleState(NamedTuple):
    """What every member carries, and whose attention can be shown."""

    members: tuple[DecodingState, ...]
    readers: tuple[int, ...]  # numbers of the members that read the same source tokens as the first

    def select(self, rows: Int[Tensor, " kept"]) -> EnsembleState:
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
        source: Sequence[tuple[Any, Int[Tensor, " batch"]]],
        source_lengths: Int[Tensor, " batch"],
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

    def step(self, tokens: Int[Tensor, " rows"], state: EnsembleState, /) -> Step:
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


def mean_log_probs(several: Sequence[Float[Tensor, "rows vocab"]]) -> Float[Tensor, "rows vocab"]:
    """Return the logarithm of the mean of probabilities, float32 at least; equal ones stay exactly as they are."""
    dtype = reduce(torch.promote_types, (one.dtype for one in several), torch.float32)
    stacked = torch.stack([one.to(dtype) for one in several])
    best = stacked.amax(dim=0)
    # What every member calls impossible has a best of minus infinity, which cannot be subtracted from itself.
    shares = (stacked - best.clamp(min=torch.finfo(dtype).min)).exp_()
    return best + shares.mean(dim=0).log_()


def _mean_weights(several: Sequence[Float[Tensor, "rows source_len"]]) -> Float[Tensor, "rows source_len"]:
    dtype = reduce(torch.promote_types, (one.dtype for one in several))
    stacked = torch.stack([one.to(dtype) for one in several])
    looking = (stacked.sum(dim=2, keepdim=True) > 0).sum(dim=0).clamp(min=1)
    return stacked.sum(dim=0) / looking


def _equal(one: tuple[Any, Tensor], other: tuple[Any, Tensor]) -> bool:
    """Say whether two members read the same tokens; of sources that are no tokens, whether it is the same object."""
    (source, lengths), (other_source, other_lengths) = one, other
    if source is other_source:
        return torch.equal(lengths, other_lengths)
    if not (isinstance(source, Tensor) and isinstance(other_source, Tensor)):
        return False
    if source.shape != other_source.shape or not torch.equal(lengths, other_lengths):
        return False
    inside = torch.arange(source.shape[1], device=source.device) < lengths.unsqueeze(1)
    return bool(((source == other_source) | ~inside).all())
