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

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.decoding.choices import SpecialTokens
from seq2seq_attn.decoding.prefixes import check_tokens, padded
from seq2seq_attn.decoding.protocol import Demands
from seq2seq_attn.decoding.ranking import Ranking, Ranks, Rows
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")


class Progress(NamedTuple):
    """How far each row is with each phrase of its sentence."""

    spelled: Int[Tensor, "*rows phrases"]  # the most tokens of it that the row ends with
    met: Bool[Tensor, "*rows phrases"]  # it stands somewhere, and the word after it has begun

    def select(self, rows: Int[Tensor, " kept"]) -> Progress:
        """Return those of ``rows``."""
        return Progress(self.spelled[rows], self.met[rows])


class Going(NamedTuple):
    """The hypotheses of sentences with demands, and what has come of them."""

    rows: Rows
    progress: Progress
    given: Bool[Tensor, " rows"]  # whether what comes next is given
    has_result: Bool[Tensor, " batch"]  # whether a sentence has a finished hypothesis


class Offers(NamedTuple):
    """What each row could be continued with, best first."""

    values: Float[Tensor, "rows chosen"]  # ranks
    tokens: Int[Tensor, "rows chosen"]
    log_probs: Float[Tensor, "rows chosen"]  # the model's own
    banks: Int[Tensor, "rows chosen"] | None = None  # required tokens that are there then; None: nothing is required


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
        word_starts: Bool[Tensor, " vocab"] | None,
    ) -> None:
        limits = ranking.limits
        if len(demands.required) != len(limits):
            raise ValueError(f"there are required phrases of {len(demands.required)} sentences, but {len(limits)}")
        device = limits.device
        self._limits = limits
        self._eos = special.eos
        self._word_starts = None if word_starts is None else word_starts.to(device)
        for row, phrases in enumerate(demands.required):
            for phrase in phrases:
                self._check(phrase, f"a required phrase of sentence {demands.number(row)}", ranking, special)
        distinct = [self._not_in_others(list(dict.fromkeys(map(tuple, phrases)))) for phrases in demands.required]
        most = max(map(len, distinct))
        every = [phrase for phrases in distinct for phrase in [*phrases, *[()] * (most - len(phrases))]]
        self._phrases = padded(every, device).view(len(distinct), most, -1)
        self._lengths = (self._phrases >= 0).sum(dim=2)
        self._totals = self._lengths.sum(dim=1)
        self.longest_total = int(self._totals.max())
        tails = torch.tensor([_tails(phrase, self._phrases.shape[2]) for phrase in every], device=device)
        self._tails = tails.view(len(distinct), most, *tails.shape[1:])
        self._check_room(demands)

    def first(self, sentences: Int[Tensor, " rows"]) -> Progress:
        """Return the progress of rows that have written nothing."""
        lengths = self._lengths[sentences]
        return Progress(torch.zeros_like(lengths), lengths == 0)

    def narrow(self, ranks: Ranks, rows: Rows, progress: Progress) -> Ranks:
        """Let only words begin where a phrase has just been written, and writing it again would not fit."""
        if self._word_starts is None:
            return ranks
        lengths = self._lengths[rows.sentences]
        waiting = lengths * (~progress.met & (progress.spelled == lengths))
        again = rows.length + self._missing(progress, rows.sentences) + waiting.sum(dim=1)
        late = (waiting > 0).any(dim=1) & (again >= self._limits[rows.sentences])
        if not bool(late.any()):
            return ranks
        inside = ~self._word_starts.index_fill(0, torch.tensor([self._eos], device=late.device), True)
        return ranks._replace(ranks=ranks.ranks.masked_fill(late.unsqueeze(1) & inside, _NEVER))

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
        same = more.unsqueeze(2) == more.unsqueeze(1)
        wanted = wanted & ~(same & wanted.unsqueeze(1)).tril(diagonal=-1).any(dim=2)
        twice = ((best.tokens.unsqueeze(2) == more.unsqueeze(1)) & wanted.unsqueeze(1)).any(dim=2)

        tokens = torch.cat([best.tokens, more], dim=1)
        log_probs = torch.cat([best.log_probs, ranks.log_probs.gather(1, more)], dim=1)
        allowed = ranks.allowed.gather(1, more).masked_fill(~wanted, _NEVER)
        values = torch.cat([best.values.masked_fill(twice, _NEVER), allowed], dim=1)
        left = self._missing_after(progress, sentences, tokens)
        fits = rows.length + left < self._limits[sentences].unsqueeze(1)
        fits = torch.where(tokens == self._eos, (missing == 0).unsqueeze(1), fits) | ~demanding.unsqueeze(1)
        values = values.masked_fill(~fits, _NEVER)
        lost = self._lost(values, sentences, live.has_result) & demanding
        anyway = fits & torch.cat([torch.zeros_like(twice), wanted[:, :-1], torch.ones_like(wanted[:, -1:])], dim=1)
        values = torch.where(lost.unsqueeze(1), log_probs.masked_fill(~anyway, _NEVER), values)
        return Offers(values, tokens, log_probs, self._totals[sentences].unsqueeze(1) - left)

    def _more(self, rows: Rows, progress: Progress, demanding: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens that bring phrases nearer, and the end, and which of them each row should have a look at."""
        sentences = rows.sentences
        whole = progress.spelled == self._lengths[sentences]
        onward = ~progress.met & ~whole & demanding.unsqueeze(1)
        # beginning anew may be shorter than going on, if that would spoil a phrase that waits for a word to start
        anew = onward & (~progress.met & whole).any(dim=1, keepdim=True)
        firsts = self._phrases[sentences, :, 0].clamp(min=0)
        end = demanding & (self._limits[sentences] == rows.length)
        ends = torch.full_like(sentences, self._eos).unsqueeze(1)
        return (
            torch.cat([self._next(progress, sentences), firsts, ends], dim=1),
            torch.cat([onward, anew, end.unsqueeze(1)], dim=1),
        )

    def _missing_after(self, progress: Progress, sentences: Tensor, tokens: Tensor) -> Int[Tensor, "rows chosen"]:
        after = self.follow(progress, sentences, tokens)
        flat = Progress(after.spelled.flatten(0, 1), after.met.flatten(0, 1))
        return self._missing(flat, sentences.repeat_interleave(tokens.shape[1])).view_as(tokens)

    def _lost(self, values: Tensor, sentences: Tensor, has_result: Bool[Tensor, " batch"]) -> Bool[Tensor, " rows"]:
        """Tell which rows belong to a sentence that nothing can come of."""
        goes_on = (values > _NEVER).any(dim=1)
        hopes = has_result.long().index_add(0, sentences, goes_on.long())
        return hopes[sentences] == 0

    def follow(
        self, progress: Progress, sentences: Int[Tensor, " rows"], tokens: Int[Tensor, "rows chosen"]
    ) -> Progress:
        """Return the progress of each row with each of its ``tokens``, as (rows, chosen, phrases)."""
        phrases, lengths = self._phrases[sentences], self._lengths[sentences]
        each = torch.arange(phrases.shape[1], device=tokens.device)
        tails = self._tails[sentences.unsqueeze(1), each, progress.spelled]
        longer = (tokens[:, :, None, None] == phrases.unsqueeze(1)) & tails.unsqueeze(1)
        numbers = torch.arange(1, phrases.shape[2] + 1, device=tokens.device)
        complete = (progress.spelled == lengths).unsqueeze(1)
        if self._word_starts is not None:
            complete = complete & (self._word_starts[tokens] | (tokens == self._eos)).unsqueeze(2)
        spelled = (longer * numbers).amax(dim=3)
        return Progress(spelled, (progress.met.unsqueeze(1) | complete).expand_as(spelled))

    def _next(self, progress: Progress, sentences: Int[Tensor, " rows"]) -> Int[Tensor, "rows phrases"]:
        """Return the token that goes on with each phrase; any at all for one that is complete."""
        phrases = self._phrases[sentences]
        place = progress.spelled.clamp(max=phrases.shape[2] - 1).unsqueeze(2)
        return phrases.gather(2, place).squeeze(2).clamp(min=0)

    def _missing(self, progress: Progress, sentences: Int[Tensor, " rows"]) -> Int[Tensor, " rows"]:
        """Return how many tokens of phrases are still to be written, the shortest way; see the top of the file."""
        lengths = self._lengths[sentences]
        pending = ~progress.met & (progress.spelled == lengths)  # until a word starts
        begun = ~progress.met & ~pending
        saved = progress.spelled * begun
        if self._word_starts is not None:
            inside = ~self._word_starts[self._next(progress, sentences)]
            saved = saved - (lengths * pending).sum(dim=1, keepdim=True) * inside
        return (lengths * begun).sum(dim=1) - (saved * begun).amax(dim=1).clamp(min=0)

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
        sentences = torch.arange(len(self._limits), device=self._limits.device)
        progress = self.first(sentences)
        prefixes = padded(demands.prefixes or [()] * len(sentences), self._limits.device)
        for tokens in prefixes.unbind(1):
            after = self.follow(progress, sentences, tokens.unsqueeze(1))
            given = (tokens >= 0).unsqueeze(1)
            progress = Progress(*(new.squeeze(1).where(given, old) for new, old in zip(after, progress, strict=True)))
        needed = (prefixes >= 0).sum(dim=1) + self._missing(progress, sentences) + 1
        for row in ((needed > self._limits) & (self._totals > 0)).nonzero().flatten().tolist():
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
