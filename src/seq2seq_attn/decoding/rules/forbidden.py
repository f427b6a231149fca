"""Phrases that no translation may hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.decoding.protocol import Past
from seq2seq_attn.decoding.rules.automaton import PhraseAutomaton, holds
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


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
        self._tables = {
            torch.device("cpu"): (
                torch.from_numpy(following.astype(np.int16) if len(following) < 2**15 else following),
                torch.from_numpy(banned),
                torch.from_numpy(automaton.pending[following] & others),
            )
        }

    def __call__(self, log_probs: Float[Tensor, "rows vocab"], past: Past) -> Float[Tensor, "rows vocab"]:
        """Give no chance to a token that makes a phrase complete."""
        if not self._phrases:
            return log_probs
        following, banned, pending = self._on(log_probs.device)
        if log_probs.shape[1] != following.shape[1]:
            raise ValueError(f"there are surfaces of {following.shape[1]} tokens, but {log_probs.shape[1]} to choose")
        states = self._states(following, past.tokens)
        forbidden = banned[states]
        if past.left is not None and bool((past.left == 1).any()):
            # the text ends behind the last token that fits, with or without an end of the sentence
            forbidden = forbidden | (pending[states] & (past.left == 1).unsqueeze(1))
        return log_probs.masked_fill(forbidden, _NEVER)

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

    def _states(self, following: Tensor, tokens: Int[Tensor, "rows length"]) -> Int[Tensor, " rows"]:
        states = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
        for newest in tokens.unbind(1):
            states = following[states, newest].long()
        return states

    def _on(self, device: torch.device) -> tuple[Tensor, Bool[Tensor, "states vocab"], Bool[Tensor, "states vocab"]]:
        if device not in self._tables:
            following, banned, pending = self._tables[torch.device("cpu")]
            self._tables[device] = (following.to(device), banned.to(device), pending.to(device))
        return self._tables[device]
