"""From what a configuration says of decoding to the search that does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from seq2seq_attn.config.schema import DecodingConfig, SamplingConfig
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, UNK, Tokenizer
from seq2seq_attn.data.tokenizers.base import is_word_character
from seq2seq_attn.decoding import BeamSearch, BeamStep, GreedySearch, Hypothesis, LengthLimit, Scoring, Search, arrays
from seq2seq_attn.decoding.protocol import Rule
from seq2seq_attn.decoding.rules import ForbiddenPhrases, NoRepeatNGram, RepetitionPenalty
from seq2seq_attn.decoding.sampling import SamplingSearch
from seq2seq_attn.decoding.scoring import LengthScores, log_coverage
from seq2seq_attn.errors import ConfigError

# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese.
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class TargetTokens:
    """What search has to know of the target vocabulary beyond its size.

    Args:
        tokenizer: of the target.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._rule: tuple[tuple[str, ...], ForbiddenPhrases] | None = None

    @cached_property
    def surfaces(self) -> list[str]:
        """The text that each token adds."""
        return [self.tokenizer.surface(number) for number in range(len(self.tokenizer))]

    @cached_property
    def word_starts(self) -> Bool[np.ndarray, " vocab"]:
        """Which tokens do not go on with a word: they begin with a space, a sign, or in a script without spaces."""
        return np.array([not _goes_on(surface) for surface in self.surfaces])

    def end_in_a_word(self, ids: Sequence[int]) -> bool:
        """Tell whether a letter or digit is the last that these tokens write, in a script with spaces."""
        text = "".join(self.surfaces[number] for number in ids)
        return text != "" and _goes_on(text[-1])

    def without(self, phrases: tuple[str, ...]) -> ForbiddenPhrases:
        """Return the rule that forbids phrases: the one of the call before, if they are the same."""
        if self._rule is None or self._rule[0] != phrases:
            spelled = [self.tokenizer.spell(phrase) for phrase in phrases]
            self._rule = phrases, ForbiddenPhrases(spelled, self.surfaces, EOS)
        return self._rule[1]


def build_search(
    decoding: DecodingConfig,
    tokens: TargetTokens,
    *,
    count: int,
    demanding: bool = False,
    more_rules: Sequence[Rule] = (),
) -> Search:
    """Return the search that gives ``count`` translations of every sentence, or the candidates to choose them from.

    Args:
        decoding: how to search.
        tokens: of the target.
        count: translations wanted.
        demanding: whether phrases must appear, for which greedy search is too simple.
        more_rules: beside those of the configuration.

    Raises:
        ConfigError: if the search cannot give so many, or cannot be made.
    """
    limit, rules = length_limit(decoding), [*_rules(decoding, tokens), *more_rules]
    # where unknown words are replaced, the model has to say where they are
    forbidden = (PAD,) if decoding.replace_unknown else (PAD, UNK)
    risk = decoding.minimum_risk
    if risk is not None and count > risk.candidates:
        raise ConfigError(
            f"n_best is {count}, but minimum_risk.candidates is {risk.candidates}; there must be as many to choose from"
        )
    wanted = count if risk is None else risk.candidates
    sampling = decoding.sampling
    if sampling is None and risk is not None and risk.of == "samples":
        sampling = SamplingConfig()
    if sampling is not None:
        if demanding:
            raise ConfigError(
                "sampling cannot promise that a phrase appears; use beam search, or minimum_risk with of: n-best, for "
                "phrases that must"
            )
        return SamplingSearch(
            bos=BOS,
            eos=EOS,
            samples=wanted,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            seed=sampling.seed,
            limit=limit,
            forbidden=forbidden,
            rules=rules,
        )
    if demanding and decoding.diverse_groups > 1:
        raise ConfigError("diverse_groups and phrases that must appear exclude one another; ask for one of them")
    if decoding.beam_size == wanted == 1 and not demanding:
        return GreedySearch(bos=BOS, eos=EOS, forbidden=forbidden, limit=limit, rules=rules)
    return _beam_search(decoding, tokens, wanted=wanted, limit=limit, forbidden=forbidden, rules=rules)


def beam_search(
    decoding: DecodingConfig, tokens: TargetTokens, *, count: int, watch: Callable[[BeamStep], None]
) -> BeamSearch:
    """Return a beam search that is watched; also for a beam of 1.

    Args:
        decoding: how to search.
        tokens: of the target.
        count: translations wanted.
        watch: see :class:`BeamSearch`.

    Raises:
        ConfigError: if what is configured is no beam search, or cannot give so many.
    """
    if decoding.sampling is not None or decoding.minimum_risk is not None:
        raise ConfigError("sampling and minimum_risk leave no beam to show; ask for a beam without them")
    limit, rules = length_limit(decoding), _rules(decoding, tokens)
    forbidden = (PAD,) if decoding.replace_unknown else (PAD, UNK)
    search = _beam_search(decoding, tokens, wanted=count, limit=limit, forbidden=forbidden, rules=rules)
    return replace(search, watch=watch)


def _beam_search(
    decoding: DecodingConfig,
    tokens: TargetTokens,
    *,
    wanted: int,
    limit: LengthLimit,
    forbidden: Sequence[int],
    rules: Sequence[Rule],
) -> BeamSearch:
    return BeamSearch(
        bos=BOS,
        eos=EOS,
        beam_size=decoding.beam_size,
        n_best=wanted,
        scoring=build_scoring(decoding),
        limit=limit,
        forbidden=forbidden,
        rules=rules,
        groups=decoding.diverse_groups,
        diversity=decoding.diversity if decoding.diverse_groups > 1 else 0.0,
        word_starts=tokens.word_starts,
    )


def build_scoring(decoding: DecodingConfig) -> Scoring:
    """Return what translations are ranked by."""
    return Scoring(
        normalization=decoding.length_normalization,
        length_penalty=decoding.length_penalty,
        coverage_penalty=decoding.coverage_penalty,
    )


class Scores:
    """The scores of hypotheses, whatever has found them.

    Args:
        scoring: what they are ranked by.
    """

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._longest = -1
        self._by_length: LengthScores

    def __call__(self, found: Hypothesis) -> float:
        """Return the score of one."""
        length = len(found.token_log_probs)
        weights = found.weights
        if length > self._longest:
            self._longest = 2 * length
            self._by_length = self._scoring.upto(self._longest, like=weights)
        score = self._by_length.score(arrays.array([found.log_prob], like=weights, dtype="float64"), length)
        if self._scoring.coverage_penalty:
            attended = arrays.cast(weights, "float64").sum(axis=0)[None]
            covered = log_coverage(attended, arrays.array([attended.shape[1]], like=weights, dtype="int64"))
            score = score + self._scoring.coverage_penalty * covered
        return float(score[0])


def length_limit(decoding: DecodingConfig) -> LengthLimit:
    """Return how long a translation must be and may be."""
    return LengthLimit(
        ratio=decoding.max_length_ratio,
        longest=decoding.max_length,
        shortest_ratio=decoding.min_length_ratio,
        shortest=decoding.min_length,
    )


def _rules(decoding: DecodingConfig, tokens: TargetTokens) -> list[Rule]:
    rules: list[Rule] = []
    if decoding.no_repeat_ngram:
        rules.append(NoRepeatNGram(decoding.no_repeat_ngram))
    if decoding.repetition_penalty != 1:
        rules.append(RepetitionPenalty(decoding.repetition_penalty))
    if decoding.forbidden:
        rules.append(tokens.without(decoding.forbidden))
    return rules


def _goes_on(surface: str) -> bool:
    return surface != "" and is_word_character(surface[0]) and _NO_SPACES.match(surface) is None
