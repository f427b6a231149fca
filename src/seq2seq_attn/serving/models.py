"""The models that are served: opened once, each under a name of its own."""

from __future__ import annotations

import pathlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from seq2seq_attn.config import change_decoding
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import EOS
from seq2seq_attn.errors import did_you_mean
from seq2seq_attn.experiment.info import describe_run
from seq2seq_attn.exported import is_exported, read_manifest
from seq2seq_attn.serving.limits import Limits
from seq2seq_attn.serving.refusals import Refusal
from seq2seq_attn.serving.watching import Abandoned, Path, WatchedModel
from seq2seq_attn.serving.work import Ask, Piece
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Translation, Translator, split_runs


class ServedModel:
    """A translator with a name.

    Args:
        name: what requests call it.
        translator: what translates; from now on only :meth:`search` may use it, and one thread at a time.
        facts: what ``GET /models`` says of it beside its name.
        limits: how many sentences are translated at once, and how wide a beam may be.
    """

    def __init__(self, name: str, translator: Translator, facts: dict[str, Any], limits: Limits) -> None:
        self.name = name
        self.facts = facts
        decoding = translator.decoding
        beam_size = min(decoding.beam_size, limits.beam_size) if decoding.diverse_groups == 1 else decoding.beam_size
        self.decoding = change_decoding(decoding, {"batch_sentences": limits.batch_sentences, "beam_size": beam_size})
        self.translator = _WatchedTranslator(translator)

    def describe(self) -> dict[str, Any]:
        """Return what ``GET /models`` says of it."""
        return {"name": self.name, **self.facts, "beam_size": self.decoding.beam_size}

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of source and target."""
        return self.facts["source_language"], self.facts["target_language"]

    def decoding_of(self, ask: Ask) -> DecodingConfig:
        """Return how to search for what is asked.

        Raises:
            ConfigError: if numbers do not go together.
        """
        changes: dict[str, object] = {
            key: value
            for key, value in (("beam_size", ask.beam_size), ("length_penalty", ask.length_penalty))
            if value is not None
        }
        decoding = change_decoding(self.decoding, changes)
        drawn = decoding.sampling is not None or decoding.minimum_risk is not None
        if ask.beam_size is not None or drawn or ask.n_best <= decoding.beam_size:
            return decoding
        groups = decoding.diverse_groups
        return change_decoding(decoding, {"beam_size": -(-ask.n_best // groups) * groups})

    def tidy(self) -> None:
        """Give memory that is free but scattered back to the system."""
        if "torch" in sys.modules:  # an exported model is served without
            from seq2seq_attn.runtime import give_memory_back

            give_memory_back()

    def search(self, ask: Ask, pieces: Sequence[Piece]) -> list[list[Translation]]:
        """Translate, or score, sentences that are asked for in the same way; the result has their order.

        Raises:
            Seq2SeqError: if that cannot be done as asked.
            Abandoned: when nobody waits for any of them any more.
        """
        texts = [piece.text for piece in pieces]
        decoding = self.decoding_of(ask)
        if ask.kind == "score":
            targets = [(piece.job.targets or ())[piece.number] for piece in pieces]
            with self.translator.wanted_by(pieces, decoding.precision):
                return [[found] for found in self.translator.score(texts, targets, decoding=decoding)]
        return self.translator.watched_n_best(pieces, texts, ask.n_best, decoding)

    def render(self, piece: Piece, found: Sequence[Translation]) -> Any:
        """Make what is sent of the translations of a sentence.

        Raises:
            Seq2SeqError: if that cannot be done as asked.
            Abandoned: when nobody waits for it any more.
        """
        with self.translator.wanted_by([piece], self.decoding.precision):
            return piece.job.render(self.translator, found)


class _WatchedTranslator(Translator):
    """A translator whose searches can be watched and abandoned.

    Args:
        translator: the one that it takes the place of.
    """

    def __init__(self, translator: Translator) -> None:
        self.__dict__.update(translator.__dict__)
        self._inner = translator
        self._watched: dict[str, WatchedModel] = {}

    def stepper(self, precision: str) -> WatchedModel:
        """Return what search runs, see :meth:`Translator.stepper`."""
        if precision not in self._watched:
            self._watched[precision] = WatchedModel(self._inner.stepper(precision))
        return self._watched[precision]

    @contextmanager
    def wanted_by(self, pieces: Sequence[Piece], precision: str) -> Iterator[WatchedModel]:
        """Let what steps the model in this block end when nobody waits for any of the sentences any more.

        Raises:
            Abandoned: if that is so from the beginning.
        """
        model = self.stepper(precision)
        model.wanted = lambda: not all(piece.job.gone for piece in pieces)
        try:
            if not model.wanted():
                raise Abandoned
            yield model
        finally:
            model.wanted = lambda: True

    def watched_n_best(
        self, pieces: Sequence[Piece], texts: Sequence[str], count: int, decoding: DecodingConfig
    ) -> list[list[Translation]]:
        """Translate, and tell those who watch how far it is."""
        order = self._order(texts) if any(piece.job.watch for piece in pieces) else []

        def see(path: Path) -> None:
            job, number = pieces[order[path.sentence]]
            if job.watch is not None and not job.gone:
                job.watch(self, number, self._so_far(job.texts[number], path))

        with self.wanted_by(pieces, decoding.precision) as model:
            model.watched = frozenset(place for place, number in enumerate(order) if pieces[number].job.watch)
            model.see = see if model.watched else None
            try:
                return self.n_best(texts, count=count, decoding=decoding)
            finally:
                model.see = None

    def _so_far(self, text: str, path: Path) -> Translation:
        """Return a hypothesis that is not finished as a translation."""
        source, target = self.tokenizers.source, self.tokenizers.target
        read = [source.id_to_token(token) for token in [*source.encode(text)[: MAX_SOURCE_TOKENS - 1], EOS]]
        return Translation(
            source=text,
            text=target.decode(path.tokens),
            score=path.log_prob,
            log_prob=path.log_prob,
            tokens=tuple(target.id_to_token(token) for token in path.tokens),
            source_tokens=tuple(read),
            attention=np.array(path.weights(len(read)), dtype=np.float32),
            finished=False,
            truncated=False,
            alignment=[],
            token_log_probs=path.log_probs,
        )

    def _order(self, texts: Sequence[str]) -> list[int]:
        """Return the numbers of the texts in the order in which they are searched: the longest first."""
        lengths = [len(ids) for ids in self.tokenizers.source.encode_batch(texts)]
        wanted = (number for number, text in enumerate(texts) if text.strip())
        return sorted(wanted, key=lambda number: lengths[number], reverse=True)


def open_models(runs: Sequence[str], limits: Limits, *, device: str) -> dict[str, ServedModel]:
    """Open what the command line names, in its order; the first one answers who does not say which.

    Raises:
        CheckpointError: if one is no run, or damaged.
    """
    opened = [(_facts(run), Translator.load(run, device=device)) for run in runs]
    names = _different([facts.pop("name") for facts, _ in opened], runs)
    return {
        name: ServedModel(name, translator, facts, limits)
        for name, (facts, translator) in zip(names, opened, strict=True)
    }


def choose_model(models: dict[str, ServedModel], name: str | None) -> ServedModel:
    """Return the model that a request names, or the first one.

    Raises:
        Refusal: 404, which names those that there are.
    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise Refusal(
            404,
            "unknown_model",
            f"no model is called {name[:100]!r}{did_you_mean(name, models)}",
            f"use one of: {', '.join(models)}",
        )
    return models[name]


def _facts(run: str) -> dict[str, Any]:
    members = [_member_facts(path) for path in split_runs(run)]
    source, target = members[0]["languages"]
    return {
        "name": "+".join(member["name"] for member in members),
        "source_language": source,
        "target_language": target,
        "format": _joined(member["format"] for member in members),
        "architecture": _joined(member["architecture"] for member in members),
        "attention": _joined(member["attention"] for member in members),
        "parameters": sum(member["parameters"] for member in members),
        "models": len(members),
    }


def _member_facts(path: pathlib.Path) -> dict[str, Any]:
    if not is_exported(path):
        return {**describe_run(path), "format": "run"}
    manifest = read_manifest(path)
    return {
        "name": manifest.name,
        "languages": [manifest.source_language, manifest.target_language],
        "format": f"onnx {manifest.precision}",
        "architecture": manifest.architecture,
        "attention": manifest.attention,
        "parameters": manifest.parameters,
    }


def _joined(words: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(words))


def _different(names: Sequence[str], runs: Sequence[str]) -> list[str]:
    """Return names that tell the models apart: where two have the same, that of the folder, or else a number."""
    times = Counter(names)
    better = [
        name if times[name] == 1 else pathlib.Path(run).resolve().name for name, run in zip(names, runs, strict=True)
    ]
    times = Counter(better)
    seen: Counter[str] = Counter()
    found = []
    for name in better:
        seen[name] += 1
        found.append(name if times[name] == 1 else f"{name}-{seen[name]}")
    return found
