"""Given translations under the model: their probabilities, and where the model looks while it is made to write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from seq2seq_attn.data.tokenizers import BOS, EOS
from seq2seq_attn.decoding import ForcedSearch, Hypothesis, StepModel
from seq2seq_attn.translation.sources import Sources


def force(
    model: StepModel[Any], sources: Sources, written: Sequence[Sequence[int]], *, wanted: Iterable[int], size: int
) -> Iterator[tuple[int, Hypothesis]]:
    """Give the number of each sentence pair, in no certain order, and what the model makes of it.

    Args:
        model: what can start and step.
        sources: the sentences.
        written: the target ids of each, with or without the end of the sentence behind them.
        wanted: numbers of the pairs.
        size: of a batch.
    """
    for batch in sources.batches(wanted, size):
        given = [_without_end(written[number]) for number in batch.numbers]
        found = ForcedSearch(bos=BOS, eos=EOS, targets=given)(model, batch.source, batch.lengths)
        for number, ids, (whole,) in zip(batch.numbers, given, found, strict=True):
            yield number, whole if len(written[number]) > len(ids) else _cut(whole)


def _without_end(ids: Sequence[int]) -> Sequence[int]:
    return ids[:-1] if len(ids) and ids[-1] == EOS else ids


def _cut(whole: Hypothesis) -> Hypothesis:
    """Take the end of the sentence away, which every target is forced to have."""
    token_log_probs = whole.token_log_probs[:-1]
    log_prob = math.fsum(token_log_probs)
    return replace(
        whole,
        log_prob=log_prob,
        score=log_prob,
        finished=False,
        weights=whole.weights[:-1],
        token_log_probs=token_log_probs,
    )
