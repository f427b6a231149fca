"""Text in, translations out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_attn.config import change_decoding
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.decoding import BeamStep, StepModel
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.protocol import Attending
from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.translation.alternatives import Alternative, best_next
from seq2seq_attn.translation.beams import Beam, grow_beam
from seq2seq_attn.translation.constraints import Constraint
from seq2seq_attn.translation.forced import force
from seq2seq_attn.translation.maps import token_maps, written_tokens
from seq2seq_attn.translation.members import Member, is_trained, load_members, trained
from seq2seq_attn.translation.plan import Asked, Plan, choose, encode_constraints, make_plan
from seq2seq_attn.translation.results import Results, words_of
from seq2seq_attn.translation.searches import Scores, TargetTokens, beam_search, build_scoring
from seq2seq_attn.translation.sources import Sources
from seq2seq_attn.translation.stepper import stepper
from seq2seq_attn.translation.translation import TokenMap, Translation, blank

if TYPE_CHECKING:
    import torch

    from seq2seq_attn.models.base import Seq2Seq


class Translator:
    """A model with its tokenizers, or several: translates texts in batches, in any order, one at a time or many.

    The models must stay as they are: what runs in search is made from them once. After a step of training, make
    another translator.

    Args:
        model: in evaluation mode; or one that computes with numpy's arrays, such as an exported one.
        tokenizers: of both languages.
        decoding: how to search when a call does not say.
        others: models that translate with it, as an ensemble; their target vocabulary is the same.
    """

    def __init__(
        self, model: Attending, tokenizers: Tokenizers, decoding: DecodingConfig, *, others: Sequence[Member] = ()
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
        """Open a run folder, a checkpoint folder inside one, or an exported model; several are an ensemble.

        An exported model is translated with without torch. In an ensemble of both kinds all numbers pass through
        the memory of the machine.

        Args:
            run: the folder; several separated by commas, or a list of them. How to search, and what is
                said of source tokens and attention, is as in the first.
            device: ``auto``, ``cpu`` or ``cuda``.
            checkpoint: ``best``, ``last`` or ``step-...``; only for run folders.

        Raises:
            CheckpointError: if a folder is no run and no exported model, something in it is missing, damaged or
                foreign, or the target vocabularies of an ensemble differ.
            ConfigError: if there is no such device, or an exported model cannot run on it.
        """
        members, decoding = load_members(run, device=device, checkpoint=checkpoint)
        return cls(*members[0], decoding, others=members[1:])

    @property
    def attends(self) -> bool:
        """Whether any of the models looks anywhere."""
        return any(member.model.attends for member in self.members)

    def trained(self, what: str) -> Seq2Seq:
        """Return the first model as torch's, which ``what`` needs.

        Raises:
            UserError: if it is an exported one, which can be searched and nothing else.
        """
        return trained(self.model, what)

    @cached_property
    def device(self) -> torch.device:
        """Where the first model is, if it is torch's."""
        return next(self.trained("a device").parameters()).device

    @cached_property
    def _like(self) -> Array:
        """An array of the kind that search computes with, and where; numpy's, unless all models are torch's."""
        numpy = not all(is_trained(member.model) for member in self.members)
        return np.empty(0) if numpy else next(self.trained("torch").parameters())

    def stepper(self, precision: str) -> StepModel[Any]:
        """Return what search runs, made once for each precision of its matrix products.

        Raises:
            ConfigError: if a model does not have this precision.
        """
        if precision not in self._steppers:
            self._steppers[precision] = stepper([member.model for member in self.members], precision)
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
        encoded = encode_constraints(constraints, len(texts), self._target_tokens, asked)
        plan = self._planned(asked, count, any(constraint.required for constraint in encoded))
        sources = Sources(texts, self.members, like=self._like)
        found: list[list[Translation]] = [[blank(text)] * count for text in texts]
        wanted = [number for number, text in enumerate(texts) if text.strip()]
        for batch in sources.batches(wanted, asked.batch_sentences):
            demanded = [encoded[number] for number in batch.numbers] if encoded else []
            hypotheses = plan.run(self.stepper(asked.precision), batch, demanded, self._target_tokens)
            for number, candidates in zip(batch.numbers, hypotheses, strict=True):
                found[number] = choose(plan, sources[number], candidates)
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
        read = Sources(sources, self.members, like=self._like)
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
                words = words_of(tokenizer, target)
                found[number] = results.translation(read[number], forced, score=score, text=target, words=words)
        return found

    def alternatives(self, translation: Translation, *, count: int = 8) -> list[list[Alternative]]:
        """Return for every token of a translation the ``count`` that were most probable in its place, best first.

        Args:
            translation: one that this translator gave, found or scored.
            count: alternatives, the token that was written among them where it is one of the best.

        Raises:
            ConfigError: if ``count`` is below 1.
        """
        if count < 1:
            raise ConfigError(f"count is {count}, but at least 1 alternative must be asked for")
        if not translation.tokens:
            return []
        written = written_tokens(translation, self.tokenizers.target)
        (batch,) = Sources([translation.source], self.members, like=self._like).batches([0], 1)
        return best_next(self.stepper(self.decoding.precision), batch, written, self.tokenizers.target, count)

    def beam(
        self, text: str, *, beam_size: int | None = None, count: int = 1, decoding: DecodingConfig | None = None
    ) -> Beam:
        """Translate a sentence, and return all that beam search considered on the way.

        Args:
            text: a source sentence.
            beam_size: hypotheses kept; 1 is greedy search.
            count: hypotheses to return.
            decoding: how to search, in place of what the run is configured for.

        Raises:
            ConfigError: if the search is no beam search, or cannot give so many.
            UserError: if the sentence is blank.
        """
        if not text.strip():
            raise UserError("the sentence is empty, so there is no beam to show")
        asked = change_decoding(decoding or self.decoding, {} if beam_size is None else {"beam_size": beam_size})
        steps: list[BeamStep] = []
        search = beam_search(asked, self._target_tokens, count=count, watch=steps.append)
        (batch,) = Sources([text], self.members, like=self._like).batches([0], 1)
        ((*found,),) = search(self.stepper(asked.precision), batch.source, batch.lengths)
        return grow_beam(steps, found, self.tokenizers.target, beam_size=asked.beam_size, scoring=search.scoring)

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
        asked = Asked(decoding, count, demanding)
        if self._plan is None or self._plan.asked != asked:
            self._plan = make_plan(asked, self._target_tokens, self.tokenizers, attends=self.attends)
        return self._plan
