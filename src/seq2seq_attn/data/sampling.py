"""Training text encoded anew for each epoch: subword regularization."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seq2seq_attn.data.encoded import EncodedCorpus, text_path
from seq2seq_attn.data.ragged import Ragged, smallest_dtype
from seq2seq_attn.data.tokenizers import TaggedTokenizer, Tokenizer, Tokenizers
from seq2seq_attn.data.word_links import WordLinks
from seq2seq_attn.errors import ConfigError

if TYPE_CHECKING:
    from seq2seq_attn.data.tokenizers.subwords import SubwordSampler


class SampledCorpus:
    """The training pairs, cut into subwords differently in each epoch.

    What an epoch looks like depends on the seed and the number of the epoch, and on nothing else.

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
            source, target = (self._side(side, number) for side in (0, 1))
            links = None
            if self._encoded.links is not None:
                links = WordLinks(self._encoded.links.links, self._words(0, source), self._words(1, target))
            self._newest = (number, EncodedCorpus(source, target, links, parts=self._encoded.parts))
        return self._newest[1]

    def _side(self, side: int, epoch: int) -> Ragged:
        random = _uniform(np.random.default_rng([self._seed, epoch, side]))
        sample = self._samplers[side].sample
        plain = (self._encoded.source, self._encoded.target)[side]
        rows: list[list[int]] = []
        tokenizer = self._tokenizers[side]
        for number in range(len(self._encoded)):
            tags, text = tokenizer.split_tags(self._sentence(side, number))
            ids = [*map(tokenizer.token_to_id, tags), *sample(text, random)]
            rows.append(ids if len(ids) <= self._max_length else plain(number).tolist())
        return Ragged.of(rows, self._dtypes[side])

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


def _sampler(tokenizer: Tokenizer, strength: float) -> SubwordSampler:
    from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
    from seq2seq_attn.data.tokenizers.subwords import subword_sampler

    if isinstance(tokenizer, TaggedTokenizer):
        tokenizer = tokenizer.plain
    if not isinstance(tokenizer, SentencePieceTokenizer):
        raise ConfigError("tokenizer.sampling works with sentencepiece only; set it to 0")
    return subword_sampler(tokenizer, strength)


def _uniform(generator: np.random.Generator) -> Iterator[float]:
    while True:
        yield from generator.random(8192).tolist()
