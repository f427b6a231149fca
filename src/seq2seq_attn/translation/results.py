"""What a search found, as translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.alignment import link_words, word_numbers
from seq2seq_attn.data.tokenizers import EOS, SPECIALS, UNK, Tokenizer, Tokenizers
from seq2seq_attn.decoding import Hypothesis, arrays
from seq2seq_attn.translation.sources import Sentence
from seq2seq_attn.translation.translation import Translation
from seq2seq_attn.translation.unknown_words import UnknownWords

_END = (SPECIALS[EOS],)


@dataclass(frozen=True)
class Results:
    """Turns hypotheses into translations.

    Attributes:
        tokenizers: of both languages; the first model's in an ensemble.
        unknown_words: what stands in the place of unknown tokens; None where there are none.
    """

    tokenizers: Tokenizers
    unknown_words: UnknownWords | None = None

    def text(self, sentence: Sentence, found: Hypothesis) -> str:
        """Return a hypothesis as text."""
        if self.unknown_words is None or UNK not in found.tokens:
            return self.tokenizers.target.decode(found.tokens)
        weights = _weights(found)[:, : len(sentence.ids)]
        return self.unknown_words.write(sentence.text, found.tokens, weights)

    def translation(
        self, sentence: Sentence, found: Hypothesis, *, score: float, text: str, words: Sequence[int] | None = None
    ) -> Translation:
        """Return all that is known of a hypothesis.

        Args:
            sentence: what it translates.
            found: the hypothesis.
            score: what it is ranked by.
            text: how it is written.
            words: of each token the number of its word, where that is known better than from the tokens alone.
        """
        source, target = self.tokenizers.source, self.tokenizers.target
        weights = _weights(found)
        if words is None:
            words = word_numbers(target.word_starts(found.tokens))
        sources = words_of(source, sentence.text)[: len(sentence.ids)]
        return Translation(
            source=sentence.text,
            text=text,
            score=score,
            log_prob=found.log_prob,
            tokens=tuple(target.id_to_token(token) for token in found.tokens) + (_END if found.finished else ()),
            source_tokens=tuple(source.id_to_token(token) for token in sentence.ids) + _END,
            attention=weights,
            finished=found.finished,
            truncated=sentence.truncated,
            alignment=link_words(weights, sources, words),
            token_log_probs=found.token_log_probs,
        )


def words_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the word of each token of a text; whitespace behind the last word belongs to none."""
    last = len(text.split()) - 1
    return [word for word in tokenizer.word_numbers(text) if word <= last]


def _weights(found: Hypothesis) -> NDArray[np.float32]:
    return arrays.to_numpy(found.weights).astype(np.float32, copy=False)
