"""What may come next in each row, and how likely: the model's word, then rules, lengths and given beginnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.decoding.choices import SpecialTokens, best_choices, without
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.prefixes import Prefixes
from seq2seq_attn.decoding.protocol import Demands, Past, Rule
from seq2seq_attn.decoding.rules import ForbiddenPhrases

_NEVER = float("-inf")


class Rows(NamedTuple):
    """The hypotheses that are extended next."""

    sentences: Int[Tensor, " rows"]  # which sentence of the batch each translates
    past: Int[Tensor, "rows length"] | None  # what each has written; None if no rule asks
    length: int  # tokens with the one that comes next


class Ranks(NamedTuple):
    """Log-probabilities of the next token, one table after the other; they are one object where nothing changes."""

    log_probs: Float[Tensor, "rows vocab"]  # the model's own
    allowed: Float[Tensor, "rows vocab"]  # minus infinity for what would complete a forbidden phrase
    ranks: Float[Tensor, "rows vocab"]  # after all rules: what search ranks by

    def log_probs_of(
        self, values: Float[Tensor, "rows chosen"], tokens: Int[Tensor, "rows chosen"]
    ) -> Float[Tensor, "rows chosen"]:
        """Return the model's log-probabilities of tokens that rank with ``values``."""
        return values if self.ranks is self.log_probs else self.log_probs.gather(1, tokens)


class Ranking:
    """Rules, lengths and given beginnings of one batch, for any search.

    Args:
        special: the tokens that mean something.
        limit: how long translations must be and may be.
        rules: what else may not come next.
        source_lengths: tokens of each source sentence.
        demands: whose prefixes; phrases that must appear are left to beam search.

    Raises:
        ConfigError: if a prefix does not fit, or a rule forbids it.
    """

    def __init__(
        self,
        special: SpecialTokens,
        limit: LengthLimit,
        rules: Sequence[Rule],
        source_lengths: Int[Tensor, " batch"],
        demands: Demands | None,
    ) -> None:
        self.limits = limit(source_lengths)
        self.reads_past = bool(rules)
        self.phrases = [rule for rule in rules if isinstance(rule, ForbiddenPhrases)]
        self._others = [rule for rule in rules if not isinstance(rule, ForbiddenPhrases)]
        self._eos = special.eos
        self._forbidden = torch.tensor([special.forbidden], device=source_lengths.device)
        self._fewest = limit.fewest(source_lengths)
        self._longest_fewest = int(self._fewest.max()) if len(source_lengths) else 0
        self._prefixes = None
        if demands is not None and any(demands.prefixes):
            self._prefixes = Prefixes(demands, self.limits, special)
            for row, prefix in enumerate(demands.prefixes):
                for rule in self.phrases:
                    rule.check(prefix, f"the prefix of sentence {demands.number(row)}")

    def first(self, sentences: Int[Tensor, " rows"]) -> Rows:
        """Return rows that have written nothing."""
        empty = sentences.new_zeros(len(sentences), 0) if self.reads_past else None
        return Rows(sentences, empty, 1)

    def follow(self, rows: Rows, kept: Int[Tensor, " kept"], tokens: Int[Tensor, " kept"]) -> Rows:
        """Return the rows that continue ``kept`` with ``tokens``."""
        past = None if rows.past is None else torch.cat([rows.past[kept], tokens.unsqueeze(1)], dim=1)
        return Rows(rows.sentences[kept], past, rows.length + 1)

    def ranks(self, log_probs: Float[Tensor, "rows vocab"], rows: Rows) -> Ranks:
        """Apply the rules."""
        if rows.past is None:
            return Ranks(log_probs, log_probs, log_probs)
        past = Past(rows.past, rows.sentences, self.limits[rows.sentences] - rows.length + 1)
        allowed = log_probs
        for phrases in self.phrases:
            allowed = phrases(allowed, past)
        ranks = allowed
        for rule in self._others:
            ranks = rule(ranks, past)
        return Ranks(log_probs, allowed, ranks)

    def best(
        self, ranks: Ranks, rows: Rows, count: int
    ) -> tuple[Float[Tensor, "rows chosen"], Int[Tensor, "rows chosen"]]:
        """Return the ``count`` tokens of each row that rank best, or all there are; see ``best_choices``."""
        values, tokens = best_choices(ranks.ranks, count, self._excluded(rows))
        given = self.given(rows)
        if given is not None:
            which, what = given
            first = torch.arange(values.shape[1], device=values.device) == 0
            log_probs = ranks.log_probs.gather(1, what.unsqueeze(1))
            values = values.where(~which.unsqueeze(1), log_probs.where(first, _NEVER))
            tokens = tokens.where(~(which.unsqueeze(1) & first), what.unsqueeze(1))
        return values, tokens

    def all(self, ranks: Ranks, rows: Rows) -> Float[Tensor, "rows vocab"]:
        """Return the ranks of all tokens, minus infinity for what must not come next: for sampling."""
        found = without(ranks.ranks, self._excluded(rows))
        given = self.given(rows)
        if given is not None:
            which, what = given
            only = torch.full_like(found, _NEVER).scatter(
                1, what.unsqueeze(1), ranks.log_probs.gather(1, what.unsqueeze(1))
            )
            found = found.where(~which.unsqueeze(1), only)
        return found

    def given(self, rows: Rows) -> tuple[Bool[Tensor, " rows"], Int[Tensor, " rows"]] | None:
        """Return which rows have no choice, and what they continue with; None if none of any sentence."""
        return None if self._prefixes is None else self._prefixes.at(rows.length, rows.sentences)

    def _excluded(self, rows: Rows) -> Int[Tensor, "any_rows excluded"]:
        """Return the tokens that no rule needs to look at the past for."""
        if rows.length > self._longest_fewest:
            return self._forbidden
        end = torch.where(self._fewest[rows.sentences] >= rows.length, self._eos, -1)
        return torch.cat([self._forbidden.expand(len(end), -1), end.unsqueeze(1)], dim=1)
