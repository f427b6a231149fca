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
        distinct = [list(dict.fromkeys(map(tuple, phrases))) for phrases in demands.required]
        for row, phrases in enumerate(distinct):
            for phrase in phrases:
                self._check(phrase, f"a required phrase of sentence {demands.number(row)}", ranking, special)
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

    def offer(
        self, ranks: Ranks, rows: Rows, progress: Progress, best: Offers, given: tuple[Tensor, Tensor] | None
    ) -> Offers:
        """Add to the best tokens of each row what goes on with a phrase, and leave out what does not fit.

        Post and Vilar (2018), section 3.1, https://aclanthology.org/N18-1119. What goes on with a phrase comes
        through every rule that is not about phrases; and, like the end, through all of them where nothing else fits.

        Args:
            ranks: of all tokens.
            rows: the hypotheses.
            progress: theirs.
            best: as many of their best tokens as there are places in a beam.
            given: which rows have no choice, and what it is; they are offered nothing more.
        """
        sentences = rows.sentences
        missing = self._missing(progress, sentences)
        demanding = self._totals[sentences] > 0
        if given is not None:
            demanding = demanding & ~given[0]
        forced = demanding & (rows.length + missing >= self._limits[sentences])
        begun = progress.spelled < self._lengths[sentences]
        wanted = torch.cat([~progress.met & begun & demanding.unsqueeze(1), (forced & (missing == 0)).unsqueeze(1)], 1)
        ends = torch.full_like(sentences, self._eos).unsqueeze(1)
        tokens = torch.cat([self._next(progress, sentences), ends], dim=1)
        # of equal tokens the first, and none twice
        same = tokens.unsqueeze(2) == tokens.unsqueeze(1)
        wanted = wanted & ~(same & wanted.unsqueeze(1)).tril(diagonal=-1).any(dim=2)
        log_probs = ranks.log_probs.gather(1, tokens)
        values = torch.where(forced.unsqueeze(1), log_probs, ranks.allowed.gather(1, tokens))
        twice = ((best.tokens.unsqueeze(2) == tokens.unsqueeze(1)) & wanted.unsqueeze(1)).any(dim=2)
        values = torch.cat([best.values.masked_fill(twice, _NEVER), values.masked_fill(~wanted, _NEVER)], dim=1)
        tokens = torch.cat([best.tokens, tokens], dim=1)

        after = self.follow(progress, sentences, tokens)
        left = self._missing(
            Progress(*(part.flatten(0, 1) for part in after)), sentences.repeat_interleave(tokens.shape[1])
        ).view_as(tokens)
        is_end = tokens == self._eos
        fits = torch.where(
            is_end, (missing == 0).unsqueeze(1), rows.length + left < self._limits[sentences].unsqueeze(1)
        )
        values = values.masked_fill(~fits & demanding.unsqueeze(1), _NEVER)
        banks = self._totals[sentences].unsqueeze(1) - left
        return Offers(values, tokens, torch.cat([best.log_probs, log_probs], dim=1), banks)

    def follow(
        self, progress: Progress, sentences: Int[Tensor, " rows"], tokens: Int[Tensor, "rows chosen"]
    ) -> Progress:
        """Return the progress of each row with each of its ``tokens``, as (rows, chosen, phrases)."""
        phrases, lengths = self._phrases[sentences], self._lengths[sentences]
        spelled = progress.spelled
        each = torch.arange(phrases.shape[1], device=tokens.device)
        tails = self._tails[sentences.unsqueeze(1), each, spelled]
        longer = (tokens[:, :, None, None] == phrases.unsqueeze(1)) & tails.unsqueeze(1)
        numbers = torch.arange(1, phrases.shape[2] + 1, device=tokens.device)
        complete = (spelled == lengths).unsqueeze(1)
        if self._word_starts is not None:
            complete = complete & (self._word_starts[tokens] | (tokens == self._eos)).unsqueeze(2)
        met = progress.met.unsqueeze(1) | complete
        return Progress((longer * numbers).amax(dim=3), met)

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
