"""Source sentences as the models read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxtyping import Int

from seq2seq_attn.data.padding import padded_sources
from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.translation.members import Member

MAX_SOURCE_TOKENS = 1024
"""Longer source sentences are cut, and say so: their attention alone would fill the memory."""


class Sentence(NamedTuple):
    """A source sentence, and what the first model reads of it."""

    text: str
    ids: Sequence[int]
    truncated: bool


class SourceBatch(NamedTuple):
    """Sentences that are searched together."""

    numbers: list[int]
    source: Any  # what the `start` of the model, or of the models, takes
    lengths: Int[Array, " batch"]  # the first model's


class Sources:
    """Sentences, encoded for every model that reads them.

    Args:
        texts: one sentence each.
        members: the models.
        like: an array of the kind that the models read, where they read it.
    """

    def __init__(self, texts: Sequence[str], members: Sequence[Member], *, like: Array) -> None:
        self.texts = texts
        self._like = like
        tokenizers = {id(member.tokenizers.source): member.tokenizers.source for member in members}
        encoded = {key: tokenizer.encode_batch(texts) for key, tokenizer in tokenizers.items()}
        self._encoded = [encoded[id(member.tokenizers.source)] for member in members]

    def __getitem__(self, number: int) -> Sentence:
        ids = [encoded[number] for encoded in self._encoded]
        return Sentence(self.texts[number], _cut(ids[0]), any(len(_cut(each)) < len(each) for each in ids))

    def batches(self, numbers: Iterable[int], size: int) -> Iterator[SourceBatch]:
        """Put sentences of like length side by side, the longest first: less padding to compute.

        Args:
            numbers: of the sentences wanted.
            size: of a batch.
        """
        wanted = sorted(numbers, key=lambda number: len(self._encoded[0][number]), reverse=True)
        for begin in range(0, len(wanted), size):
            chosen = wanted[begin : begin + size]
            read = []
            for encoded in self._encoded:
                padded = padded_sources([_cut(encoded[number]) for number in chosen])
                read.append(tuple(arrays.moved(part, like=self._like) for part in padded))
            (source, lengths) = read[0]
            yield SourceBatch(chosen, source if len(read) == 1 else read, lengths)


def _cut(ids: Sequence[int]) -> Sequence[int]:
    return ids[: MAX_SOURCE_TOKENS - 1]
