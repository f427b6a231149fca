"""Text in, translations out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_attn.alignment import Links, align_words
from seq2seq_attn.checkpoint import load_checkpoint
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.batching import collate_source
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, SPECIALS, UNK, Tokenizers
from seq2seq_attn.decoding import BeamSearch, GreedySearch, Hypothesis, Search
from seq2seq_attn.models.base import Seq2Seq

MAX_SOURCE_TOKENS = 1024
"""Longer source sentences are cut, and say so: their attention alone would fill the memory."""


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence.

    Attributes:
        source: the sentence as it was given.
        text: the translation.
        score: what search ranked by.
        log_prob: natural logarithm of the model's probability.
        tokens: target tokens, ``</s>`` included when the sentence was finished.
        source_tokens: source tokens, ``</s>`` included.
        attention: weights, shape (target tokens, source tokens); rows sum to 1, or are zero
            for a model without attention.
        finished: False when the length limit cut the translation off.
        truncated: whether the source was longer than a model reads.
        alignment: links (source word, target word), both counted from 0; words are
            what whitespace separates, for subwords and characters too.
    """

    source: str
    text: str
    score: float
    log_prob: float
    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]
    attention: NDArray[np.float32]
    finished: bool
    truncated: bool
    alignment: Links


class Translator:
    """A model with its tokenizers: translates texts in batches, in any order, one at a time or many.

    Args:
        model: in evaluation mode.
        tokenizers: of both languages.
        decoding: how to search when a call does not say.
    """

    def __init__(self, model: Seq2Seq, tokenizers: Tokenizers, decoding: DecodingConfig) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", checkpoint: str = "best") -> Translator:
        """Open a run folder, or a checkpoint folder inside one.

        Args:
            run: the folder.
            device: ``auto``, ``cpu`` or ``cuda``.
            checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.

        Raises:
            CheckpointError: if the folder is no run, or something in it is missing, damaged or foreign.
        """
        loaded = load_checkpoint(run, device=device, checkpoint=checkpoint)
        return cls(loaded.model, loaded.tokenizer, loaded.config.decoding)

    @cached_property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
    ) -> list[Translation]:
        """Translate sentences; the result has their order. A blank one gives a blank one.

        Args:
            texts: one sentence each.
            beam_size: hypotheses kept per sentence; 1 is greedy search.
            length_penalty: exponent of the length a log-probability is divided by.
            batch_sentences: sentences translated at once.

        Raises:
            ConfigError: if a number makes no sense.
        """
        found = self.n_best(
            texts, count=1, beam_size=beam_size, length_penalty=length_penalty, batch_sentences=batch_sentences
        )
        return [translations[0] for translations in found]

    def n_best(
        self,
        texts: Sequence[str],
        *,
        count: int,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
    ) -> list[list[Translation]]:
        """Return the ``count`` best translations of each sentence, best first; see :meth:`translate`."""
        search = self._search(count, beam_size, length_penalty)
        size = batch_sentences or self.decoding.batch_sentences
        found: list[list[Translation]] = [[_blank(text)] * count for text in texts]
        encoded = self.tokenizers.source.encode_batch(texts)
        wanted = [number for number, text in enumerate(texts) if text.strip()]
        # sentences of like length side by side: less padding to compute
        wanted.sort(key=lambda number: len(encoded[number]), reverse=True)
        for begin in range(0, len(wanted), size):
            numbers = wanted[begin : begin + size]
            sources = [encoded[number][: MAX_SOURCE_TOKENS - 1] for number in numbers]
            source, lengths = collate_source(sources)
            hypotheses = search(self.model, source.to(self.device), lengths.to(self.device))
            for number, ids, candidates in zip(numbers, sources, hypotheses, strict=True):
                truncated = len(ids) < len(encoded[number])
                found[number] = [self._translation(texts[number], ids, best, truncated) for best in candidates]
        return found

    def _search(self, count: int, beam_size: int | None, length_penalty: float | None) -> Search:
        beam_size = self.decoding.beam_size if beam_size is None else beam_size
        length_penalty = self.decoding.length_penalty if length_penalty is None else length_penalty
        ratio = self.decoding.max_length_ratio
        forbidden = (PAD, UNK)
        if beam_size == 1 and count == 1:
            return GreedySearch(bos=BOS, eos=EOS, forbidden=forbidden, max_length_ratio=ratio)
        return BeamSearch(
            bos=BOS,
            eos=EOS,
            beam_size=beam_size,
            length_penalty=length_penalty,
            n_best=count,
            forbidden=forbidden,
            max_length_ratio=ratio,
        )

    def _translation(self, text: str, ids: Sequence[int], best: Hypothesis, truncated: bool) -> Translation:
        source, target = self.tokenizers.source, self.tokenizers.target
        end = (SPECIALS[EOS],)
        weights = best.weights.float().numpy()
        return Translation(
            source=text,
            text=target.decode(best.tokens),
            score=best.score,
            log_prob=best.log_prob,
            tokens=tuple(target.id_to_token(token) for token in best.tokens) + (end if best.finished else ()),
            source_tokens=tuple(source.id_to_token(token) for token in ids) + end,
            attention=weights,
            finished=best.finished,
            truncated=truncated,
            alignment=align_words(
                weights,
                [source.is_word_start(token) for token in ids],
                [target.is_word_start(token) for token in best.tokens],
            ),
        )


def _blank(text: str) -> Translation:
    return Translation(
        source=text,
        text="",
        score=0.0,
        log_prob=0.0,
        tokens=(),
        source_tokens=(),
        attention=np.zeros((0, 0), dtype=np.float32),
        finished=True,
        truncated=False,
        alignment=[],
    )
