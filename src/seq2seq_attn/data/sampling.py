"""Training text encoded anew for each epoch: subword regularization."""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data import mixture
from seq2seq_attn.data.encoded import EncodedCorpus, text_path
from seq2seq_attn.data.ragged import Ragged, smallest_dtype
from seq2seq_attn.data.tokenizers import TaggedTokenizer, Tokenizer, Tokenizers
from seq2seq_attn.data.word_links import WordLinks
from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.data.tokenizers.subwords import SubwordSampler


class SampledCorpus:
    """The training pairs, cut into subwords differently in each epoch.

    What an epoch looks like depends on the seed and the number of the epoch, and on nothing else. A corpus of one
    pool is encoded before its epoch begins. The sentences of a larger one are encoded when a batch needs them:
    their batches are planned by the lengths without sampling, and may have some more tokens than planned.

    Args:
        folder: the encoded corpus, with its text.
        encoded: the same corpus without sampling; it stands in where a draw is longer than ``max_length``.
        tokenizers: sentencepiece tokenizers.
        strength: see :func:`~seq2seq_attn.data.tokenizers.subwords.subword_sampler`.
        max_length: tokens a sentence may have.
        seed: of the draws.
    """

    def __init__(
        self,
        folder: Path,
        encoded: EncodedCorpus,
        tokenizers: Tokenizers,
        *,
        strength: float,
        max_length: int,
        seed: int,
    ) -> None:
        self._text = [Ragged.open(text_path(folder, side)) for side in ("source", "target")]
        self._encoded = encoded
        self._dtypes = [smallest_dtype(len(tokenizer)) for tokenizer in (tokenizers.source, tokenizers.target)]
        self._samplers = [_sampler(tokenizers.source, strength)]
        self._samplers.append(self._samplers[0] if tokenizers.shared else _sampler(tokenizers.target, strength))
        self._tokenizers = (tokenizers.source, tokenizers.target)
        self._max_length = max_length
        self._seed = seed
        self._newest: tuple[int, EncodedCorpus] | None = None

    def epoch(self, number: int) -> EncodedCorpus:
        """Encode the corpus for one epoch; the newest epoch is kept."""
        if self._newest is None or self._newest[0] != number:
            # words are numbered for the whole epoch, so gold alignments need the whole epoch
            is_large = len(self._encoded) > mixture.POOL_PAIRS and self._encoded.links is None
            self._newest = (number, _Later(self, number) if is_large else self._now(number))
        return self._newest[1]

    def _now(self, epoch: int) -> EncodedCorpus:
        source, target = (self._side(side, epoch) for side in (0, 1))
        links = None
        if self._encoded.links is not None:
            links = WordLinks(self._encoded.links.links, self._words(0, source), self._words(1, target))
        return EncodedCorpus(source, target, links, parts=self._encoded.parts)

    def _side(self, side: int, epoch: int) -> Ragged:
        random = _uniform(np.random.default_rng([self._seed, epoch, side]))
        rows = [self._draw(side, number, random) for number in range(len(self._encoded))]
        return Ragged.of(rows, self._dtypes[side])

    def _draw(self, side: int, number: int, random: Iterator[float]) -> list[int]:
        tokenizer = self._tokenizers[side]
        tags, text = tokenizer.split_tags(self._sentence(side, number))
        ids = [*map(tokenizer.token_to_id, tags), *self._samplers[side].sample(text, random)]
        if len(ids) <= self._max_length:
            return ids
        plain = (self._encoded.source, self._encoded.target)[side]
        return plain(number).tolist()

    def _words(self, side: int, sentences: Ragged) -> Ragged:
        """Number the words that the tokens belong to, however their words were cut."""
        tokenizer = self._tokenizers[side]
        starts = np.array([tokenizer.is_word_start(token) for token in range(len(tokenizer))])
        rows = []
        for number in range(len(sentences)):
            parts = starts[sentences[number]]
            parts[:1] = True
            # A token starts at most one part of what single spaces separate; a part may hold no word, or several.
            words = np.cumsum([0, *(len(part.split()) for part in self._sentence(side, number).split(" "))])
            rows.append(words[np.cumsum(parts) - 1].tolist())
        return Ragged.of(rows, np.int32)

    def _sentence(self, side: int, number: int) -> str:
        return str(self._text[side][number].tobytes().decode())


class _Later(EncodedCorpus):
    """An epoch whose sentences are encoded one by one, when they are asked for; lengths are those without sampling."""

    def __init__(self, corpus: SampledCorpus, epoch: int) -> None:
        plain = corpus._encoded
        super().__init__(plain._source, plain._target, parts=plain.parts)
        self._corpus = corpus
        self._epoch = epoch

    def source(self, number: SupportsIndex) -> NDArray[Any]:
        """Draw a source sentence."""
        return self._drawn(0, index(number))

    def target(self, number: SupportsIndex) -> NDArray[Any]:
        """Draw a target sentence."""
        return self._drawn(1, index(number))

    def release(self) -> None:
        """Let the memory go that parts of the mapped files take."""
        super().release()
        for text in self._corpus._text:
            text.release()

    def _drawn(self, side: int, number: int) -> NDArray[Any]:
        corpus = self._corpus
        random = _uniform(np.random.default_rng([corpus._seed, self._epoch, side, number]), 64)
        return np.array(corpus._draw(side, number, random), dtype=corpus._dtypes[side])


def _sampler(tokenizer: Tokenizer, strength: float) -> SubwordSampler:
    from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
    from seq2seq_attn.data.tokenizers.subwords import subword_sampler

    if isinstance(tokenizer, TaggedTokenizer):
        tokenizer = tokenizer.plain
    if not isinstance(tokenizer, SentencePieceTokenizer):
        raise ConfigError("tokenizer.sampling works with sentencepiece only; set it to 0")
    return subword_sampler(tokenizer, strength)


def _uniform(generator: np.random.Generator, at_once: int = 8192) -> Iterator[float]:
    while True:
        yield from generator.random(at_once).tolist()
