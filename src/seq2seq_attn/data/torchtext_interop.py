"""The one door between torchtext (0.6.0, the last release in pure Python) and this package."""

from __future__ import annotations

from collections import Counter

from seq2seq_attn.data.tokenizers.base import SPECIALS


def build_vocabulary(counts: Counter[str], *, size: int, minimum_frequency: int) -> list[str]:
    """Choose the words of a vocabulary with torchtext's ``Vocab``: by frequency, ties by the alphabet.

    Args:
        counts: how often each word occurs.
        size: largest size of the vocabulary, special symbols included.
        minimum_frequency: rarer words are left out.

    Returns:
        The words, without the special symbols.
    """
    from torchtext.vocab import Vocab

    words = max(0, size - len(SPECIALS))
    vocabulary = Vocab(counts, max_size=words, min_freq=minimum_frequency, specials=list(SPECIALS))
    return list(vocabulary.itos[len(SPECIALS) :])
