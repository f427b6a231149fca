"""Which word a token belongs to, where search has written it and where it was given."""

from __future__ import annotations

import numpy as np
from translators import small_translator, some_sentences

from seq2seq_attn.data.tokenizers import Tokenizers, WordTokenizer
from seq2seq_attn.decoding import Hypothesis
from seq2seq_attn.translation.results import Results
from seq2seq_attn.translation.sources import Sentence


def test_a_space_at_the_end_is_no_word() -> None:
    """Standing for: links to the word number 3 of a sentence of three words."""
    translator = small_translator("luong-general")
    for text in some_sentences(20, seed=7):
        (found,) = translator.translate([f"{text} "])
        assert len(found.source_tokens) == len(text.split()) + 2, "the space is a token"
        assert max((source for source, _ in found.alignment), default=0) < len(text.split())
        (scored,) = translator.score([f"{text} "], ["t4 t5 "])
        assert {target for _, target in scored.alignment} <= {0, 1}


def test_signs_inside_a_word_are_of_that_word() -> None:
    """Standing for: what follows an apostrophe as a word of its own, to which the links of the next words belong."""
    text = "it's (ok) here"
    words = WordTokenizer.train([text], vocabulary_size=50)
    tokenizers = Tokenizers(words, words)
    tokens = tuple(words.encode(text))
    weights = np.eye(len(tokens) + 1, dtype=np.float32)
    found = Hypothesis(tokens=tokens, score=0.0, log_prob=0.0, finished=True, weights=weights, token_log_probs=())
    sentence = Sentence(text, words.encode(text), truncated=False)
    assert Results(tokenizers).translation(sentence, found, score=0.0, text=text).alignment == [(0, 0), (1, 1), (2, 2)]
