"""Minimum risk training: the model learns to be right on average over what it would say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.losses import batch_loss
from seq2seq_attn.training.objectives.base import RISK, Lost, Objective
from seq2seq_attn.training.objectives.candidates import Ids
from seq2seq_attn.training.objectives.tokens import target_log_probs, told, without_gradient

GROUP = 4096
"""Target positions, padding included, of the candidates whose activations exist at a time."""

Gain = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""From hypotheses and as many references to the gain of each, 0 to 1."""


Draw = Callable[[Seq2Seq, Batch], Sequence[Sequence[Ids]]]
"""From a model and a batch to candidates for each of its sentences, such as a ``CandidateSampler``."""


class Texts(NamedTuple):
    """What candidates are judged by."""

    decode: Callable[[Sequence[int]], str]  # target token ids, no special symbols, to text
    gain: Gain


@dataclass(frozen=True)
class Risk:
    r"""How candidates are weighed.

    Attributes:
        sharpness: :math:`\alpha`, the power of their probabilities.
        length_normalization: divide log-probabilities by the number of tokens, the end counted.
        include_reference: whether the reference is a candidate.
        likelihood_weight: factor of what the other objective loses.
    """

    sharpness: float = 0.005
    length_normalization: bool = False
    include_reference: bool = True
    likelihood_weight: float = 0.0


class Candidates(NamedTuple):
    """All candidates of a batch, the shortest first, so that little is padded."""

    ids: list[Ids]
    sentences: list[int]  # whose candidate each is
    columns: list[int]  # its number among those of the sentence; the reference, if it is one, is number 0


class MinimumRisk(Objective):
    r"""The expected risk of a sentence's candidates :math:`C`, translations that are drawn from the model.

    .. math::
        \sum_{y \in C} Q(y) \, \big(1 - gain(y, y^*)\big) \qquad
        Q(y) = \frac{P(y | x)^\alpha}{\sum_{y' \in C} P(y' | x)^\alpha}

    Shen et al. (2016), equations 10 to 12 and algorithm 1, https://arxiv.org/abs/1512.02433. Candidates are drawn
    anew for every batch, as in translation (no dropout); equal ones count once. How probable they are is found in one
    forced pass over all of them, with dropout as ever.

    Departures: the risk of a sentence counts as often as its reference has tokens, as its likelihood does, so that
    the logged number is a mean, 0 to 1, and the same step can be made of any batches. A candidate that is as long as
    it may be gets its end there. The other objective can be added (Wu et al. 2016, section 5.2,
    https://arxiv.org/abs/1609.08144); noise that belongs to that does not touch candidates.

    Args:
        sampler: draws candidates; equal ones may be among them.
        risk: how they are weighed.
        texts: how they are judged.
        likelihood: what is added, with ``risk.likelihood_weight``.
    """

    def __init__(self, sampler: Draw, risk: Risk, texts: Texts, likelihood: Objective) -> None:
        self.sampler = sampler
        self.risk = risk
        self.texts = texts
        self.likelihood = likelihood

    @property
    def parts(self) -> tuple[str, ...]:
        """The risk, and the parts of the other objective if it counts."""
        return (RISK, *(self.likelihood.parts if self.risk.likelihood_weight else ()))

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return the expected risk, and what else is lost."""
        candidates, risks = self.candidates(model, batch)
        scores, log_probs = self._log_probs(model, batch, candidates)
        expected = expected_risks(scores * self.risk.sharpness, risks.to(scores.dtype), candidates)
        total = (expected * batch.target_lengths).sum()
        parts = {RISK: total}
        weight = self.risk.likelihood_weight
        if weight:
            lost = self.likelihood(model, batch, step)
            return Lost(total + weight * lost.total, lost.likelihood, {**parts, **lost.parts})
        if self.risk.include_reference:
            first = torch.tensor(candidates.columns, device=scores.device) == 0
            return Lost(total, -log_probs.detach()[first].sum(), parts)
        with without_gradient():
            return Lost(total, batch_loss(model, batch).negative_log_likelihood, parts)

    def candidates(self, model: Seq2Seq, batch: Batch) -> tuple[Candidates, Float[Tensor, " candidates"]]:
        """Draw candidates; return each that is different once, and its risk."""
        lengths = batch.target_lengths.tolist()
        references = [tuple(row[: length - 1]) for row, length in zip(batch.target_out.tolist(), lengths, strict=True)]
        entries: list[tuple[Ids, int, int]] = []
        for sentence, (reference, drawn) in enumerate(zip(references, self.sampler(model, batch), strict=True)):
            first = (reference,) if self.risk.include_reference else ()
            different = dict.fromkeys((*first, *drawn))
            entries += [(ids, sentence, column) for column, ids in enumerate(different)]
        entries.sort(key=lambda entry: len(entry[0]))
        found = Candidates(*(list(column) for column in zip(*entries, strict=True)))
        right = [self.texts.decode(reference) for reference in references]
        texts = [self.texts.decode(ids) for ids in found.ids]
        gains = self.texts.gain(texts, [right[sentence] for sentence in found.sentences])
        risks = [1.0 - gain for gain in gains]
        return found, torch.tensor(risks, dtype=torch.float64).to(batch.source.device, torch.float32)

    def _log_probs(
        self, model: Seq2Seq, batch: Batch, candidates: Candidates
    ) -> tuple[Float[Tensor, " candidates"], Float[Tensor, " candidates"]]:
        """Return the log-probability of each, divided by its length if that is asked for, and as it is.

        Where there are too many for one pass, the activations of each group are made again for its gradient.
        """
        groups = list(_groups([len(ids) + 1 for ids in candidates.ids]))
        found = []
        for group in groups:
            part = forced_batch(batch, candidates.ids[group], candidates.sentences[group])
            if len(groups) == 1:
                found.append(sentence_log_probs(model, part))
            else:
                found.append(checkpoint(sentence_log_probs, model, part, use_reentrant=False))
        log_probs = torch.cat(found)
        if not self.risk.length_normalization:
            return log_probs, log_probs
        return log_probs / torch.tensor([len(ids) + 1 for ids in candidates.ids], device=log_probs.device), log_probs


def expected_risks(
    scores: Float[Tensor, " candidates"], risks: Float[Tensor, " candidates"], candidates: Candidates
) -> Float[Tensor, " batch"]:
    """Return the expected risk of every sentence, under a softmax of the scores of its candidates."""
    places = tuple(torch.tensor(column, device=scores.device) for column in (candidates.sentences, candidates.columns))
    shape = (max(candidates.sentences) + 1, max(candidates.columns) + 1)
    shares = scores.new_full(shape, float("-inf")).index_put(places, scores).softmax(1)
    return (shares * risks.new_zeros(shape).index_put(places, risks)).sum(1)


def forced_batch(batch: Batch, ids: Sequence[Ids], sentences: Sequence[int]) -> Batch:
    """Make a batch of candidates and the sources of their sentences."""
    device = batch.source.device
    rows = torch.tensor(sentences, device=device)
    made = collate([()] * len(ids), ids, range(len(ids))).to(device)
    lengths = batch.source_lengths[rows]
    return replace(made, source=batch.source[rows, : int(lengths.max())], source_lengths=lengths)


def sentence_log_probs(model: Seq2Seq, batch: Batch) -> Float[Tensor, " batch"]:
    """Return the log-probability of every target, its end included, float32 at least."""
    forced = model(batch.source, batch.source_lengths, batch.target_in)
    found = target_log_probs(model, told(forced, batch))
    sentence = batch.target_mask.nonzero()[:, 0]
    return found.new_zeros(batch.size).index_add(0, sentence, found)


def _groups(lengths: Sequence[int]) -> list[slice]:
    """Cut candidates, the shortest first, into groups of no more than ``GROUP`` positions each."""
    groups: list[slice] = []
    begin = 0
    for number, length in enumerate(lengths):
        if number > begin and (number + 1 - begin) * length > GROUP:
            groups.append(slice(begin, number))
            begin = number
    return [*groups, slice(begin, len(lengths))]
