"""Text in, translations out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seq2seq_attn.config import change_decoding
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import EOS, Tokenizers
from seq2seq_attn.decoding import BeamSearch, Ensemble, Hypothesis, Search, StepModel
from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.inference import prepare
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.translation.constraints import Constraint, EncodedConstraint, demands_of, encode_constraint
from seq2seq_attn.translation.forced import force
from seq2seq_attn.translation.maps import token_maps, written_tokens
from seq2seq_attn.translation.members import Member, load_members
from seq2seq_attn.translation.results import Results
from seq2seq_attn.translation.risk import least_risk
from seq2seq_attn.translation.searches import Scores, TargetTokens, build_scoring, build_search, length_limit
from seq2seq_attn.translation.sources import Sentence, SourceBatch, Sources
from seq2seq_attn.translation.translation import TokenMap, Translation, blank
from seq2seq_attn.translation.unknown_words import UnknownWords, read_lexicon
from seq2seq_attn.translation.word_ends import WordEnds


class Plan(NamedTuple):
    """All that follows from how translations are asked for, made once for many calls."""

    decoding: DecodingConfig
    wanted: int
    demanding: bool
    search: Search
    results: Results
    scores: Scores

    def score(self, found: Hypothesis) -> float:
        """Return what beam search has ranked a hypothesis by, or would have where another search has found it."""
        return found.score if isinstance(self.search, BeamSearch) else self.scores(found)


class Translator:
    """A model with its tokenizers, or several: translates texts in batches, in any order, one at a time or many.

    The models must stay as they are: what runs in search is made from them once. After a step of training, make
    another translator.

    Args:
        model: in evaluation mode.
        tokenizers: of both languages.
        decoding: how to search when a call does not say.
        others: models that translate with it, as an ensemble; their target vocabulary is the same.
    """

    def __init__(
        self, model: Seq2Seq, tokenizers: Tokenizers, decoding: DecodingConfig, *, others: Sequence[Member] = ()
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding
        self.members = (Member(model, tokenizers), *others)
        self._steppers: dict[str, StepModel[Any]] = {}
        self._plan: Plan | None = None

    @classmethod
    def load(
        cls, run: str | Path | Sequence[str | Path], *, device: str = "auto", checkpoint: str = "best"
    ) -> Translator:
        """Open a run folder, or a checkpoint folder inside one; several are an ensemble.

        Args:
            run: the folder; several separated by commas, or a list of them. How to search, and what is
                said of source tokens and attention, is as in the first.
            device: ``auto``, ``cpu`` or ``cuda``.
            checkpoint: ``best``, ``last`` or ``step-...``; only for run folders.

        Raises:
            CheckpointError: if a folder is no run, something in it is missing, damaged or foreign, or the
                target vocabularies of an ensemble differ.
        """
        members, first = load_members(run, device=device, checkpoint=checkpoint)
        return cls(first.model, first.tokenizer, first.config.decoding, others=members[1:])

    @cached_property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def stepper(self, precision: str) -> StepModel[Any]:
        """Return what search runs, made once for each precision of its matrix products."""
        if precision not in self._steppers:
            models: list[StepModel[Any]] = [prepare(member.model, precision) for member in self.members]
            self._steppers[precision] = models[0] if len(models) == 1 else Ensemble(models)
        return self._steppers[precision]

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
        decoding: DecodingConfig | None = None,
        constraints: Sequence[Constraint] | None = None,
    ) -> list[Translation]:
        """Translate sentences; the result has their order. A blank one gives a blank one.

        Args:
            texts: one sentence each.
            beam_size: hypotheses kept per sentence; 1 is greedy search.
            length_penalty: see the configuration; an exponent of the length, as a rule.
            batch_sentences: sentences translated at once.
            decoding: how to search, in place of what the run is configured for.
            constraints: what each translation must have, in the order of ``texts``.

        Raises:
            ConfigError: if a number makes no sense, or things that are asked for do not go together.
            UserError: if a constraint cannot be met.
        """
        found = self.n_best(
            texts,
            count=1,
            beam_size=beam_size,
            length_penalty=length_penalty,
            batch_sentences=batch_sentences,
            decoding=decoding,
            constraints=constraints,
        )
        return [translations[0] for translations in found]

    def n_best(
        self,
        texts: Sequence[str],
        *,
        count: int,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_sentences: int | None = None,
        decoding: DecodingConfig | None = None,
        constraints: Sequence[Constraint] | None = None,
    ) -> list[list[Translation]]:
        """Return the ``count`` best translations of each sentence, best first; see :meth:`translate`.

        They are different, and may be fewer where a sentence has no more. Samples are as many as asked for, equal
        ones included.
        """
        changes = {"beam_size": beam_size, "length_penalty": length_penalty, "batch_sentences": batch_sentences}
        asked = change_decoding(
            decoding or self.decoding, {key: value for key, value in changes.items() if value is not None}
        )
        encoded = self._encode(constraints, len(texts), asked)
        plan = self._planned(asked, count, any(constraint.required for constraint in encoded))
        sources = Sources(texts, self.members, self.device)
        found: list[list[Translation]] = [[blank(text)] * count for text in texts]
        wanted = [number for number, text in enumerate(texts) if text.strip()]
        for batch in sources.batches(wanted, asked.batch_sentences):
            hypotheses = self._search(plan, batch, [encoded[number] for number in batch.numbers] if encoded else [])
            for number, candidates in zip(batch.numbers, hypotheses, strict=True):
                found[number] = _choose(plan, sources[number], candidates)
        return found

    def score(
        self,
        sources: Sequence[str],
        targets: Sequence[str | Translation],
        *,
        batch_sentences: int | None = None,
        decoding: DecodingConfig | None = None,
    ) -> list[Translation]:
        """Return given translations with the numbers a search would give them (forced decoding).

        A translation that a search has found gets the same score as there, but for what changes its ranking
        beyond the model's probabilities: a repetition penalty, diverse groups, minimum Bayes risk.

        Args:
            sources: one sentence each.
            targets: their translations: texts, or what :meth:`translate` gave, token by token.
            batch_sentences: sentence pairs at once.
            decoding: how translations are scored, in place of what the run is configured for.

        Raises:
            UserError: if there are not as many of one as of the other.
        """
        if len(sources) != len(targets):
            raise UserError(f"there are {len(sources)} sources, but {len(targets)} targets; give one to each")
        decoding = decoding or self.decoding
        scores, results, tokenizer = Scores(build_scoring(decoding)), Results(self.tokenizers), self.tokenizers.target
        read = Sources(sources, self.members, self.device)
        written = [written_tokens(target, tokenizer) for target in targets]
        found = [blank(source) for source in sources]
        wanted = [number for number, source in enumerate(sources) if source.strip() or len(written[number]) > 1]
        size = batch_sentences or decoding.batch_sentences
        for number, forced in force(self.stepper(decoding.precision), read, written, wanted=wanted, size=size):
            target = targets[number]
            score = scores(forced)
            if isinstance(target, Translation):
                found[number] = results.translation(read[number], forced, score=score, text=target.text)
            else:
                words = tokenizer.word_numbers(target)
                found[number] = results.translation(read[number], forced, score=score, text=target, words=words)
        return found

    def attention_maps(
        self, text: str, target: str | Translation | None = None, *, beam_size: int | None = None
    ) -> list[TokenMap]:
        """Return where every head of every layer of the first model looks; first the map that stands for it.

        Args:
            text: a source sentence; a blank one gives no maps.
            target: what the model is to write: a sentence, one of its own translations, or (None) the
                translation it finds now.
            beam_size: of the search for that.

        Raises:
            UserError: if the target is longer than anything a model is shown.
        """
        if not text.strip():
            return []
        if target is None:
            target = self.translate([text], beam_size=beam_size)[0]
        return token_maps(self.members[0], text, target)

    @cached_property
    def _target_tokens(self) -> TargetTokens:
        return TargetTokens(self.tokenizers.target)

    def _planned(self, decoding: DecodingConfig, count: int, demanding: bool) -> Plan:
        """Return how to search: the plan of the call before, where that was asked for in the same way."""
        if count < 1:
            raise ConfigError(f"n_best is {count}, but it must be at least 1")
        last = self._plan
        if last is not None and last[:3] == (decoding, count, demanding):
            return last
        search = build_search(decoding, self._target_tokens, count=count, demanding=demanding)
        unknown_words = None
        if decoding.replace_unknown:
            if not any(member.model.attends for member in self.members):
                raise ConfigError(
                    "replace_unknown needs a model with attention, which says what source word is meant; this model "
                    "has none"
                )
            lexicon = {} if decoding.lexicon is None else read_lexicon(decoding.lexicon)
            unknown_words = UnknownWords(self.tokenizers, lexicon)
        results = Results(self.tokenizers, unknown_words)
        self._plan = Plan(decoding, count, demanding, search, results, Scores(build_scoring(decoding)))
        return self._plan

    def _encode(
        self, constraints: Sequence[Constraint] | None, count: int, decoding: DecodingConfig
    ) -> list[EncodedConstraint]:
        if constraints is None:
            return []
        if len(constraints) != count:
            raise UserError(f"there are {len(constraints)} constraints for {count} sentences; give one to each")
        encoded: dict[Constraint, EncodedConstraint] = {}
        for constraint in constraints:
            if constraint not in encoded:
                encoded[constraint] = encode_constraint(constraint, self.tokenizers.target)
                if decoding.forbidden:
                    encoded[constraint].check_allowed(self._target_tokens.without(decoding.forbidden))
        return [encoded[constraint]._replace(place=constraint.place) for constraint in constraints]

    def _search(
        self, plan: Plan, batch: SourceBatch, constraints: Sequence[EncodedConstraint]
    ) -> list[list[Hypothesis]]:
        most = length_limit(plan.decoding)(batch.lengths).tolist()
        for constraint, limit in zip(constraints, most, strict=False):
            constraint.check_length(limit)
        search, tokens = plan.search, self._target_tokens
        ends = [constraint.prefix if tokens.end_in_a_word(constraint.prefix) else () for constraint in constraints]
        if any(ends):
            rule = WordEnds(ends, tokens.word_starts, EOS)
            search = build_search(plan.decoding, tokens, count=plan.wanted, demanding=plan.demanding, more_rules=[rule])
        model = self.stepper(plan.decoding.precision)
        return search(model, batch.source, batch.lengths, demands_of(constraints))


def _choose(plan: Plan, sentence: Sentence, candidates: Sequence[Hypothesis]) -> list[Translation]:
    """Return as many of the candidates as are wanted."""
    results, risk = plan.results, plan.decoding.minimum_risk
    texts = [results.text(sentence, found) for found in candidates]
    if risk is not None:
        chosen = least_risk(candidates, texts, risk, count=plan.wanted)
    else:
        scores = [plan.score(found) for found in candidates]
        # finished ones first; beam search has them in this order already
        order = sorted(range(len(scores)), key=lambda place: (not candidates[place].finished, -scores[place]))
        chosen = [(place, scores[place]) for place in order]
    return [results.translation(sentence, candidates[place], score=score, text=texts[place]) for place, score in chosen]
