"""What may come next in each row, and how likely: the model's word, then rules, lengths and given beginnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import SpecialTokens, best_choices, without
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.prefixes import Prefixes
from seq2seq_attn.decoding.protocol import Demands, Past, Rule
from seq2seq_attn.decoding.rules import ForbiddenPhrases

_NEVER = float("-inf")


class Rows(NamedTuple):
    """The hypotheses that are extended next."""

    sentences: Int[Array, " rows"]  # which sentence of the batch each translates
    past: Int[Array, "rows length"] | None  # what each has written; None if no rule asks
    length: int  # tokens with the one that comes next


class Ranks(NamedTuple):
    """Log-probabilities of the next token, one table after the other; they are one object where nothing changes."""

    log_probs: Float[Array, "rows vocab"]  # the model's own
    allowed: Float[Array, "rows vocab"]  # minus infinity for what would complete a forbidden phrase
    ranks: Float[Array, "rows vocab"]  # after all rules: what search ranks by

    def log_probs_of(
        self, values: Float[Array, "rows chosen"], tokens: Int[Array, "rows chosen"]
    ) -> Float[Array, "rows chosen"]:
        """Return the model's log-probabilities of tokens that rank with ``values``."""
        return values if self.ranks is self.log_probs else arrays.take_along(self.log_probs, tokens)


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
        source_lengths: Int[Array, " batch"],
        demands: Demands | None,
    ) -> None:
        self.limits = limit(source_lengths)
        self.reads_past = bool(rules)
        self.phrases = [rule for rule in rules if isinstance(rule, ForbiddenPhrases)]
        self._others = [rule for rule in rules if not isinstance(rule, ForbiddenPhrases)]
        self._eos = special.eos
        self._forbidden = arrays.array([special.forbidden], like=source_lengths, dtype="int64")
        self._fewest = limit.fewest(source_lengths)
        self._longest_fewest = int(self._fewest.max()) if len(source_lengths) else 0
        self._prefixes = None
        if demands is not None and any(demands.prefixes):
            self._prefixes = Prefixes(demands, self.limits, special)
            for row, prefix in enumerate(demands.prefixes):
                for rule in self.phrases:
                    rule.check(prefix, f"the prefix of sentence {demands.number(row)}")

    def first(self, sentences: Int[Array, " rows"]) -> Rows:
        """Return rows that have written nothing."""
        empty = arrays.full((len(sentences), 0), 0, like=sentences, dtype="int64") if self.reads_past else None
        return Rows(sentences, empty, 1)

    def follow(self, rows: Rows, kept: Int[Array, " kept"], tokens: Int[Array, " kept"]) -> Rows:
        """Return the rows that continue ``kept`` with ``tokens``."""
        past = None if rows.past is None else arrays.concat([rows.past[kept], tokens[:, None]], axis=1)
        return Rows(rows.sentences[kept], past, rows.length + 1)

    def ranks(self, log_probs: Float[Array, "rows vocab"], rows: Rows) -> Ranks:
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
    ) -> tuple[Float[Array, "rows chosen"], Int[Array, "rows chosen"]]:
        """Return the ``count`` tokens of each row that rank best, or all there are; see ``best_choices``."""
        values, tokens = best_choices(ranks.ranks, count, self._excluded(rows))
        given = self.given(rows)
        if given is not None:
            which, what = given
            first = arrays.arange(values.shape[1], like=values) == 0
            log_probs = arrays.take_along(ranks.log_probs, what[:, None])
            values = arrays.where(which[:, None], arrays.where(first, log_probs, _NEVER), values)
            tokens = arrays.where(which[:, None] & first, what[:, None], tokens)
        return values, tokens

    def all(self, ranks: Ranks, rows: Rows) -> Float[Array, "rows vocab"]:
        """Return the ranks of all tokens, minus infinity for what must not come next: for sampling."""
        found = without(ranks.ranks, self._excluded(rows))
        given = self.given(rows)
        if given is not None:
            which, what = given
            never = arrays.full(found.shape, _NEVER, like=found)
            only = arrays.put_along(never, what[:, None], arrays.take_along(ranks.log_probs, what[:, None]))
            found = arrays.where(which[:, None], only, found)
        return found

    def given(self, rows: Rows) -> tuple[Bool[Array, " rows"], Int[Array, " rows"]] | None:
        """Return which rows have no choice, and what they continue with; None if none of any sentence."""
        return None if self._prefixes is None else self._prefixes.at(rows.length, rows.sentences)

    def _excluded(self, rows: Rows) -> Int[Array, "any_rows excluded"]:
        """Return the tokens that no rule needs to look at the past for."""
        if rows.length > self._longest_fewest:
            return self._forbidden
        early = self._fewest[rows.sentences] >= rows.length
        end = arrays.where(early, self._eos, -1)
        forbidden = arrays.broadcast(self._forbidden, (len(end), self._forbidden.shape[1]))
        return arrays.concat([forbidden, end[:, None]], axis=1)
