"""Phrases that no translation may hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.protocol import Past
from seq2seq_attn.decoding.rules.automaton import PhraseAutomaton, holds
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")
_Tables: TypeAlias = tuple[Int[Array, "states tokens"], Bool[Array, "states tokens"], Bool[Array, "states tokens"]]


class ForbiddenPhrases:
    """No translation holds these phrases as whole words, however it is cut into tokens.

    Phrases are looked for in the text, letter by letter: what has been spelled of them so far is the state of an
    automaton, and a table says where each token leads from there. A token is forbidden if it completes a phrase
    and the word after it begins, or the sentence ends; and if nothing but that could follow it. So ``cat`` may be
    the beginning of ``cats``. Capitals matter; a space is as good as several.

    The table has a row for each state, about one per letter of all phrases, and a column for each token.

    Args:
        phrases: each of one word or more, as they are written in a text.
        surfaces: the text that each token adds, with a space in front where it starts a word; tokens without a
            text of their own, "" here, stand between words.
        eos: end-of-sentence token.

    Raises:
        ConfigError: if a phrase is blank.
    """

    def __init__(self, phrases: Sequence[str], surfaces: Sequence[str], eos: int) -> None:
        for phrase in phrases:
            if not phrase.strip():
                raise ConfigError(f"the forbidden phrase {phrase!r} has no letters; remove it")
        self._phrases = tuple(phrases)
        self._surfaces = tuple(surfaces)
        automaton = PhraseAutomaton(phrases)
        following, banned = automaton.over(surfaces)
        banned[:, eos] = automaton.pending
        ways_on = np.array([bool(surface) for surface in surfaces])
        ways_on[eos] = True
        others = np.arange(len(surfaces)) != eos
        while True:  # what leads where nothing may follow is forbidden, too
            dead_ends = ~(~banned & ways_on).any(axis=1)
            more = dead_ends[following] & others & ~banned
            if not more.any():
                break
            banned |= more
        self._tables: _Tables = (
            following.astype(np.int16) if len(following) < 2**15 else following,
            banned,
            automaton.pending[following] & others,
        )
        self._elsewhere: dict[Any, _Tables] = {}  # by device

    def __call__(self, log_probs: Float[Array, "rows vocab"], past: Past) -> Float[Array, "rows vocab"]:
        """Give no chance to a token that makes a phrase complete."""
        if not self._phrases:
            return log_probs
        following, banned, pending = self._beside(log_probs)
        if log_probs.shape[1] != following.shape[1]:
            raise ValueError(f"there are surfaces of {following.shape[1]} tokens, but {log_probs.shape[1]} to choose")
        states = self._states(following, past.tokens)
        forbidden = banned[states]
        if past.left is not None and bool((past.left == 1).any()):
            # the text ends behind the last token that fits, with or without an end of the sentence
            forbidden = forbidden | (pending[states] & (past.left == 1)[:, None])
        return arrays.masked(log_probs, forbidden, _NEVER)

    def check(self, tokens: Sequence[int], what: str) -> None:
        """Refuse a demand that holds a forbidden phrase.

        Args:
            tokens: of the demand.
            what: it is called in the error.

        Raises:
            ConfigError: which phrase it is.
        """
        text = "".join(self._surfaces[token] for token in tokens)
        for phrase in self._phrases:
            if holds(text, phrase):
                raise ConfigError(f"{what} has the forbidden phrase {phrase!r} in it; ask for one, or forbid the other")

    def _states(self, following: Array, tokens: Int[Array, "rows length"]) -> Int[Array, " rows"]:
        states = arrays.full((len(tokens),), 0, like=tokens)
        for newest in tokens.T:
            states = arrays.cast(following[states, newest], "int64")
        return states

    def _beside(self, log_probs: Float[Array, "rows vocab"]) -> _Tables:
        """Return the tables where the model's numbers are, moved there once."""
        if isinstance(log_probs, np.ndarray):
            return self._tables
        if log_probs.device not in self._elsewhere:
            following, banned, pending = (arrays.moved(table, like=log_probs) for table in self._tables)
            self._elsewhere[log_probs.device] = following, banned, pending
        return self._elsewhere[log_probs.device]
