"""Phrases in a stream of characters: which of them are being spelled, and which have just been."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACE, WORD, SIGN = "space", "word", "sign"
_OTHERS = (SPACE, WORD, SIGN)  # symbols for all characters that no phrase has


# Thai, Lao, Burmese, Khmer, Chinese and Japanese put no spaces between words: any place in them may be a boundary.
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def kind(character: str) -> str:
    """Return what a character is in a text; letters, digits, ``_`` and marks upon them make words."""
    if character.isspace():
        return SPACE
    if _NO_SPACES.match(character):
        return SIGN
    if character.isalnum() or character == "_" or unicodedata.category(character).startswith("M"):
        return WORD
    return SIGN


def holds(text: str, phrase: str) -> bool:
    """Tell whether ``phrase`` is in ``text`` as whole words: no letter where a word of it begins or ends."""
    text, phrase = (" ".join(part.split()) for part in (text, phrase))
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        begins = at == 0 or kind(text[at - 1]) != WORD or kind(phrase[0]) != WORD
        ends = end == len(text) or kind(text[end]) != WORD or kind(phrase[-1]) != WORD
        if begins and ends:
            return True
        at = text.find(phrase, at + 1)
    return False


class State(NamedTuple):
    """What of the text so far can matter: phrases begun, as (phrase, characters), and the last character's kind."""

    begun: frozenset[tuple[int, int]]
    before: str


class PhraseAutomaton:
    """A deterministic automaton that reads characters and notices phrases as whole words.

    A space is one space, however many there are. A phrase that ends in a letter is noticed at the character
    behind it, or at the end of the text: before that it may be the beginning of a longer word. This is the
    automaton of Aho and Corasick (1975) with word boundaries, https://doi.org/10.1145/360825.360855.

    Attributes:
        following: the next state, by state and symbol; 0 is the first.
        noticed: whether a phrase is complete for certain, by state and symbol.
        pending: whether one is complete if the text ends here, by state.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = [" ".join(phrase.split()) for phrase in phrases]
        letters = sorted({character for phrase in self._phrases for character in phrase})
        self._symbols = {symbol: number for number, symbol in enumerate([*_OTHERS, *letters])}
        first = State(frozenset(), SPACE)
        states, queue = {first: 0}, [first]
        following, noticed, pending = [], [], []
        for state in queue:  # grows meanwhile
            steps = [self._step(state, symbol) for symbol in self._symbols]
            for new, _ in steps:
                if new not in states:
                    states[new] = len(states)
                    queue.append(new)
            following.append([states[new] for new, _ in steps])
            noticed.append([found for _, found in steps])
            pending.append(self._is_pending(state))
        self.following: NDArray[np.int32] = np.array(following, dtype=np.int32)
        self.noticed: NDArray[np.bool_] = np.array(noticed, dtype=np.bool_)
        self.pending: NDArray[np.bool_] = np.array(pending, dtype=np.bool_)

    def over(self, surfaces: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return ``following`` and ``noticed`` by state and token; one without text counts as an unknown sign."""
        spelled = [[self._symbol(character) for character in text] or [self._symbols[SIGN]] for text in surfaces]
        lengths = np.array([len(symbols) for symbols in spelled])
        order = np.argsort(-lengths, kind="stable")
        states = np.arange(len(self.following), dtype=np.int32)[:, None]
        reached = np.repeat(states, len(surfaces), axis=1)
        noticed = np.zeros(reached.shape, dtype=np.bool_)
        for place in range(int(lengths.max(initial=0))):
            longer = order[: int((lengths > place).sum())]
            symbols = np.array([spelled[token][place] for token in longer])
            now = reached[:, longer]
            noticed[:, longer] |= self.noticed[now, symbols]
            reached[:, longer] = self.following[now, symbols]
        return reached, noticed

    def _symbol(self, character: str) -> int:
        known = self._symbols.get(character)
        return self._symbols[kind(character)] if known is None or character.isspace() else known

    def _kind(self, symbol: str) -> str:
        return symbol if symbol in _OTHERS else kind(symbol)

    def _step(self, state: State, symbol: str) -> tuple[State, bool]:
        """Return the state behind ``symbol``, and whether a phrase is complete now."""
        this = self._kind(symbol)
        if this == SPACE and state.before == SPACE:
            return state, False
        letter = " " if this == SPACE else symbol
        begun = {
            (number, place + 1)
            for number, place in state.begun
            if place < len(self._phrases[number]) and self._phrases[number][place] == letter
        }
        begun |= {
            (number, 1)
            for number, phrase in enumerate(self._phrases)
            if phrase[0] == letter and (state.before != WORD or this != WORD)
        }
        complete = {(number, place) for number, place in begun if place == len(self._phrases[number])}
        certain = {(number, place) for number, place in complete if kind(self._phrases[number][-1]) != WORD}
        found = bool(certain) or (this != WORD and self._is_pending(state))
        return State(frozenset(begun - certain), this), found

    def _is_pending(self, state: State) -> bool:
        return any(place == len(self._phrases[number]) for number, place in state.begun)
