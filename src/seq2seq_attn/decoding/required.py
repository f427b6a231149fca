"""Phrases that must appear: how much of them each hypothesis has, and what it may write so that all will fit.

A phrase is met where its tokens stand in a row and a word starts, or the sentence ends, behind them; one place may
serve several phrases. What is still missing is counted in tokens, by the shortest way from here: go on with one
phrase that has begun, if that is shorter, and write the others one after the other. A token that makes the missing
ones and the end of the sentence more than what fits is not allowed, and the next one on the shortest way always is:
so a sentence that can meet its demands at the beginning meets them at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import SpecialTokens
from seq2seq_attn.decoding.prefixes import check_tokens, padded
from seq2seq_attn.decoding.protocol import Demands
from seq2seq_attn.decoding.ranking import Ranking, Ranks, Rows
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


class Progress(NamedTuple):
    """How far each row is with each phrase of its sentence."""

    spelled: Int[Array, "*rows phrases"]  # the most tokens of it that the row ends with
    met: Bool[Array, "*rows phrases"]  # it stands somewhere, and the word after it has begun

    def select(self, rows: Int[Array, " kept"]) -> Progress:
        """Return those of ``rows``."""
        return Progress(self.spelled[rows], self.met[rows])


class Going(NamedTuple):
    """The hypotheses of sentences with demands, and what has come of them."""

    rows: Rows
    progress: Progress
    given: Bool[Array, " rows"]  # whether what comes next is given
    has_result: Bool[Array, " batch"]  # whether a sentence has a finished hypothesis


class Offers(NamedTuple):
    """What each row could be continued with, best first."""

    values: Float[Array, "rows chosen"]  # ranks
    tokens: Int[Array, "rows chosen"]
    log_probs: Float[Array, "rows chosen"]  # the model's own
    banks: Int[Array, "rows chosen"] | None = None  # required tokens that are there then; None: nothing is required


class RequiredPhrases:
    """The phrases that the translations of a batch must have.

    Args:
        demands: whose required phrases.
        ranking: of the same batch.
        special: the tokens that mean something.
        word_starts: which tokens start a word; None if any token may follow a phrase.

    Raises:
        ConfigError: if a phrase cannot be written, or all of a sentence do not fit.
    """

    def __init__(
        self,
        demands: Demands,
        ranking: Ranking,
        special: SpecialTokens,
        word_starts: Bool[Array, " vocab"] | None,
    ) -> None:
        limits = ranking.limits
        if len(demands.required) != len(limits):
            raise ValueError(f"there are required phrases of {len(demands.required)} sentences, but {len(limits)}")
        self._limits = limits
        self._eos = special.eos
        self._word_starts = None if word_starts is None else arrays.moved(word_starts, like=limits)
        for row, phrases in enumerate(demands.required):
            for phrase in phrases:
                self._check(phrase, f"a required phrase of sentence {demands.number(row)}", ranking, special)
        distinct = [self._not_in_others(list(dict.fromkeys(map(tuple, phrases)))) for phrases in demands.required]
        most = max(map(len, distinct))
        every = [phrase for phrases in distinct for phrase in [*phrases, *[()] * (most - len(phrases))]]
        self._phrases = padded(every, like=limits).reshape(len(distinct), most, -1)
        self._lengths = (self._phrases >= 0).sum(axis=2)
        self._totals = self._lengths.sum(axis=1)
        self.longest_total = int(self._totals.max())
        tails = [_tails(phrase, self._phrases.shape[2]) for phrase in every]
        table = arrays.array(tails, like=limits, dtype="bool")
        self._tails = table.reshape(len(distinct), most, *table.shape[1:])
        self._check_room(demands)

    def first(self, sentences: Int[Array, " rows"]) -> Progress:
        """Return the progress of rows that have written nothing."""
        lengths = self._lengths[sentences]
        return Progress(arrays.full(lengths.shape, 0, like=lengths), lengths == 0)

    def narrow(self, ranks: Ranks, rows: Rows, progress: Progress) -> Ranks:
        """Let only words begin where a phrase has just been written, and writing it again would not fit."""
        if self._word_starts is None:
            return ranks
        lengths = self._lengths[rows.sentences]
        waiting = lengths * (~progress.met & (progress.spelled == lengths))
        again = rows.length + self._missing(progress, rows.sentences) + waiting.sum(axis=1)
        late = (waiting > 0).any(axis=1) & (again >= self._limits[rows.sentences])
        if not bool(late.any()):
            return ranks
        inside = ~self._word_starts
        inside[self._eos] = False
        return ranks._replace(ranks=arrays.masked(ranks.ranks, late[:, None] & inside, _NEVER))

    def offer(self, ranks: Ranks, live: Going, best: Offers) -> Offers:
        """Add to the best tokens of each row what goes on with a phrase, and leave out what does not fit.

        Post and Vilar (2018), https://aclanthology.org/N18-1119. What goes on with a phrase comes
        through every rule that is not about phrases; and through those, too, where a sentence has nothing else left.

        Args:
            ranks: of all tokens.
            live: the hypotheses.
            best: as many of their best tokens as there are places in a beam.
        """
        rows, progress = live.rows, live.progress
        sentences = rows.sentences
        demanding = (self._totals[sentences] > 0) & ~live.given
        missing = self._missing(progress, sentences)
        more, wanted = self._more(rows, progress, demanding)
        numbers = arrays.arange(more.shape[1], like=more)
        same_before = (more[:, :, None] == more[:, None]) & (numbers[:, None] > numbers)
        wanted = wanted & ~(same_before & wanted[:, None]).any(axis=2)
        twice = ((best.tokens[:, :, None] == more[:, None]) & wanted[:, None]).any(axis=2)

        tokens = arrays.concat([best.tokens, more], axis=1)
        log_probs = arrays.concat([best.log_probs, arrays.take_along(ranks.log_probs, more)], axis=1)
        allowed = arrays.masked(arrays.take_along(ranks.allowed, more), ~wanted, _NEVER)
        values = arrays.concat([arrays.masked(best.values, twice, _NEVER), allowed], axis=1)
        left = self._missing_after(progress, sentences, tokens)
        fits = rows.length + left < self._limits[sentences][:, None]
        fits = arrays.where(tokens == self._eos, (missing == 0)[:, None], fits) | ~demanding[:, None]
        values = arrays.masked(values, ~fits, _NEVER)
        lost = self._lost(values, sentences, live.has_result) & demanding
        neither = arrays.full(twice.shape, False, like=twice)
        end = arrays.full((len(wanted), 1), True, like=wanted)
        anyway = fits & arrays.concat([neither, wanted[:, :-1], end], axis=1)
        values = arrays.where(lost[:, None], arrays.masked(log_probs, ~anyway, _NEVER), values)
        return Offers(values, tokens, log_probs, self._totals[sentences][:, None] - left)

    def _more(self, rows: Rows, progress: Progress, demanding: Array) -> tuple[Array, Array]:
        """Return tokens that bring phrases nearer, and the end, and which of them each row should have a look at."""
        sentences = rows.sentences
        whole = progress.spelled == self._lengths[sentences]
        onward = ~progress.met & ~whole & demanding[:, None]
        # beginning anew may be shorter than going on, if that would spoil a phrase that waits for a word to start
        anew = onward & (~progress.met & whole).any(axis=1)[:, None]
        firsts = self._phrases[sentences, :, 0].clip(min=0)
        end = demanding & (self._limits[sentences] == rows.length)
        ends = arrays.full((len(sentences), 1), self._eos, like=sentences)
        return (
            arrays.concat([self._next(progress, sentences), firsts, ends], axis=1),
            arrays.concat([onward, anew, end[:, None]], axis=1),
        )

    def _missing_after(self, progress: Progress, sentences: Array, tokens: Array) -> Int[Array, "rows chosen"]:
        after = self.follow(progress, sentences, tokens)
        phrases = after.met.shape[2]
        flat = Progress(after.spelled.reshape(-1, phrases), after.met.reshape(-1, phrases))
        return self._missing(flat, arrays.repeat(sentences, tokens.shape[1])).reshape(tokens.shape)

    def _lost(self, values: Array, sentences: Array, has_result: Bool[Array, " batch"]) -> Bool[Array, " rows"]:
        """Tell which rows belong to a sentence that nothing can come of."""
        goes_on = (values > _NEVER).any(axis=1)
        hopes = arrays.copy(has_result)
        hopes[sentences[goes_on]] = True
        return ~hopes[sentences]

    def follow(self, progress: Progress, sentences: Int[Array, " rows"], tokens: Int[Array, "rows chosen"]) -> Progress:
        """Return the progress of each row with each of its ``tokens``, as (rows, chosen, phrases)."""
        phrases, lengths = self._phrases[sentences], self._lengths[sentences]
        each = arrays.arange(phrases.shape[1], like=tokens)
        tails = self._tails[sentences[:, None], each, progress.spelled]
        longer = (tokens[:, :, None, None] == phrases[:, None]) & tails[:, None]
        numbers = arrays.arange(phrases.shape[2], start=1, like=tokens)
        complete = (progress.spelled == lengths)[:, None]
        if self._word_starts is not None:
            complete = complete & (self._word_starts[tokens] | (tokens == self._eos))[:, :, None]
        spelled = arrays.largest(longer * numbers, axis=3)
        return Progress(spelled, arrays.broadcast(progress.met[:, None] | complete, spelled.shape))

    def _next(self, progress: Progress, sentences: Int[Array, " rows"]) -> Int[Array, "rows phrases"]:
        """Return the token that goes on with each phrase; any at all for one that is complete."""
        phrases = self._phrases[sentences]
        place = progress.spelled.clip(max=phrases.shape[2] - 1)[:, :, None]
        return arrays.take_along(phrases, place, axis=2).squeeze(2).clip(min=0)

    def _missing(self, progress: Progress, sentences: Int[Array, " rows"]) -> Int[Array, " rows"]:
        """Return how many tokens of phrases are still to be written, the shortest way; see the top of the file."""
        lengths = self._lengths[sentences]
        pending = ~progress.met & (progress.spelled == lengths)  # until a word starts
        begun = ~progress.met & ~pending
        saved = progress.spelled * begun
        if self._word_starts is not None:
            inside = ~self._word_starts[self._next(progress, sentences)]
            saved = saved - (lengths * pending).sum(axis=1)[:, None] * inside
        return (lengths * begun).sum(axis=1) - arrays.largest(saved * begun).clip(min=0)

    def _not_in_others(self, phrases: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the phrases that are not met by meeting another one."""

        def is_in(phrase: tuple[int, ...], other: tuple[int, ...]) -> bool:
            places = range(len(phrase), len(other) + 1)
            ends = [end for end in places if other[end - len(phrase) : end] == phrase]
            return any(
                end == len(other) or self._word_starts is None or bool(self._word_starts[other[end]]) for end in ends
            )

        return [one for one in phrases if not any(is_in(one, other) for other in phrases if other != one)]

    def _check(self, phrase: Sequence[int], what: str, ranking: Ranking, special: SpecialTokens) -> None:
        check_tokens(phrase, special, what)
        if not phrase:
            raise ConfigError(f"{what} has no tokens; leave it out")
        for token in phrase:
            if token in special.forbidden:
                raise ConfigError(f"{what} has token {token}, which search may not choose; leave the phrase out")
        if self._word_starts is not None and not self._word_starts[phrase[0]]:
            raise ConfigError(f"{what} begins with token {phrase[0]}, inside of a word; ask for whole words")
        for rule in ranking.phrases:
            rule.check(phrase, what)

    def _check_room(self, demands: Demands) -> None:
        sentences = arrays.arange(len(self._limits), like=self._limits)
        progress = self.first(sentences)
        prefixes = padded(demands.prefixes or [()] * len(sentences), like=self._limits)
        for tokens in prefixes.T:
            after = self.follow(progress, sentences, tokens[:, None])
            given = (tokens >= 0)[:, None]
            pairs = zip(after, progress, strict=True)
            progress = Progress(*(arrays.where(given, new.squeeze(1), old) for new, old in pairs))
        needed = (prefixes >= 0).sum(axis=1) + self._missing(progress, sentences) + 1
        for row in arrays.places_of((needed > self._limits) & (self._totals > 0)).tolist():
            raise ConfigError(
                f"what must appear in sentence {demands.number(row)} has {int(needed[row])} tokens with its end, but "
                f"its translation may have {int(self._limits[row])} at most; ask for less, or make max_length or "
                f"max_length_ratio larger"
            )


def _tails(phrase: Sequence[int], longest: int) -> list[list[bool]]:
    """Return whether the first ``j`` tokens are also the last of the first ``i``, by i and j."""
    return [
        [j <= i <= len(phrase) and phrase[:j] == phrase[i - j : i] for j in range(longest)] for i in range(longest + 1)
    ]
