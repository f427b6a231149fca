"""What follows from how translations are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import EOS, Tokenizers
from seq2seq_attn.decoding import BeamSearch, Hypothesis, Search, StepModel
from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.translation.constraints import Constraint, EncodedConstraint, demands_of, encode_constraint
from seq2seq_attn.translation.results import Results
from seq2seq_attn.translation.risk import least_risk
from seq2seq_attn.translation.searches import Scores, TargetTokens, build_scoring, build_search, length_limit
from seq2seq_attn.translation.sources import Sentence, SourceBatch
from seq2seq_attn.translation.translation import Translation
from seq2seq_attn.translation.unknown_words import UnknownWords, read_lexicon
from seq2seq_attn.translation.word_ends import WordEnds


class Asked(NamedTuple):
    """How translations are asked for."""

    decoding: DecodingConfig
    wanted: int  # of each sentence
    demanding: bool  # whether phrases must appear


class Plan(NamedTuple):
    """All that follows, made once for many calls."""

    asked: Asked
    search: Search
    results: Results
    scores: Scores

    def score(self, found: Hypothesis) -> float:
        """Return what beam search has ranked a hypothesis by, or would have where another search has found it."""
        return found.score if isinstance(self.search, BeamSearch) else self.scores(found)

    def run(
        self, model: StepModel[Any], batch: SourceBatch, constraints: Sequence[EncodedConstraint], tokens: TargetTokens
    ) -> list[list[Hypothesis]]:
        """Search the translations of a batch.

        Args:
            model: what search runs.
            batch: the sentences.
            constraints: what the translation of each must have; empty if nothing is asked.
            tokens: of the target.

        Raises:
            UserError: if a constraint does not fit the length that a translation may have.
        """
        decoding, count, demanding = self.asked
        most = length_limit(decoding)(batch.lengths).tolist()
        for constraint, limit in zip(constraints, most, strict=False):
            constraint.check_length(limit)
        search = self.search
        ends = [constraint.prefix if tokens.end_in_a_word(constraint.prefix) else () for constraint in constraints]
        if any(ends):
            rule = WordEnds(ends, tokens.word_starts, EOS)
            search = build_search(decoding, tokens, count=count, demanding=demanding, more_rules=[rule])
        return search(model, batch.source, batch.lengths, demands_of(constraints))


def encode_constraints(
    constraints: Sequence[Constraint] | None, count: int, tokens: TargetTokens, decoding: DecodingConfig
) -> list[EncodedConstraint]:
    """Encode what the translations of ``count`` sentences must have; nothing if nothing is asked.

    Raises:
        UserError: if there are not as many as sentences, or one cannot be written.
        ConfigError: if one asks for what is forbidden.
    """
    if constraints is None:
        return []
    if len(constraints) != count:
        raise UserError(f"there are {len(constraints)} constraints for {count} sentences; give one to each")
    encoded: dict[Constraint, EncodedConstraint] = {}
    for constraint in constraints:
        if constraint not in encoded:
            encoded[constraint] = encode_constraint(constraint, tokens.tokenizer)
            if decoding.forbidden:
                encoded[constraint].check_allowed(tokens.without(decoding.forbidden))
    return [encoded[constraint]._replace(place=constraint.place) for constraint in constraints]


def make_plan(asked: Asked, tokens: TargetTokens, tokenizers: Tokenizers, *, attends: bool) -> Plan:
    """Make the search, and what turns hypotheses into translations.

    Args:
        asked: how to search.
        tokens: of the target.
        tokenizers: of both languages.
        attends: whether any model looks anywhere.

    Raises:
        ConfigError: if the search cannot be made, or unknown words are to be replaced and no model attends.
        DataError: if there is something wrong with the lexicon.
    """
    decoding = asked.decoding
    if asked.wanted < 1:
        raise ConfigError(f"n_best is {asked.wanted}, but it must be at least 1")
    search = build_search(decoding, tokens, count=asked.wanted, demanding=asked.demanding)
    unknown_words = None
    if decoding.replace_unknown:
        if not attends:
            raise ConfigError(
                "replace_unknown needs a model with attention, which says what source word is meant; this model has "
                "none"
            )
        lexicon = {} if decoding.lexicon is None else read_lexicon(decoding.lexicon)
        unknown_words = UnknownWords(tokenizers, lexicon)
    return Plan(asked, search, Results(tokenizers, unknown_words), Scores(build_scoring(decoding)))


def choose(plan: Plan, sentence: Sentence, candidates: Sequence[Hypothesis]) -> list[Translation]:
    """Return as many of the candidates as are wanted."""
    results, risk = plan.results, plan.asked.decoding.minimum_risk
    texts = [results.text(sentence, found) for found in candidates]
    if risk is not None:
        chosen = least_risk(candidates, texts, risk, count=plan.asked.wanted)
    else:
        scores = [plan.score(found) for found in candidates]
        # finished ones first; beam search has them in this order already
        order = sorted(range(len(scores)), key=lambda place: (not candidates[place].finished, -scores[place]))
        chosen = [(place, scores[place]) for place in order]
    return [results.translation(sentence, candidates[place], score=score, text=texts[place]) for place, score in chosen]
