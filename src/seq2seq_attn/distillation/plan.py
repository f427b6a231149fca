"""What is trained, and where: the settings of every teacher and of the student, made of those of one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_attn.config import Config, dump_config, load_config, parse_config
from seq2seq_attn.config.corpora import CorpusConfig, TextCorpus
from seq2seq_attn.config.load import Overrides
from seq2seq_attn.config.training import GuidedAlignmentConfig
from seq2seq_attn.data.record import Digests, digest_corpus
from seq2seq_attn.errors import ConfigError, DataError, Seq2SeqError
from seq2seq_attn.experiment.lock import LOCK
from seq2seq_attn.experiment.run_folder import differences
from seq2seq_attn.files import write_atomic

RECORD = "distillation.json"
"""File that says what the folder was begun with."""

SHOWN = 3
"""Differences that an error names; more are counted."""

MAY_CHANGE = frozenset(
    {"data.workers", "training.device", "training.threads", "training.log_every", "training.tensorboard"}
)
"""Keys of teachers that may change while a distillation is under way: they make no other translations."""


@dataclass(frozen=True)
class Teacher:
    """A model whose translations are learned from.

    Attributes:
        name: ``forward-1``, ``backward-2``.
        config: of its training.
        folder: of its run.
    """

    name: str
    config: Config
    folder: Path


@dataclass(frozen=True)
class Plan:
    """A distillation, in a folder.

    Attributes:
        config: of the student, as if it learned alone.
        teaching: of the teachers.
        forward: teachers that translate the sources.
        backward: teachers that translate the targets back.
        folder: of everything.
    """

    config: Config
    teaching: Config
    forward: int
    backward: int
    folder: Path

    @property
    def text(self) -> Path:
        """The folder of the plain text, and of what it was translated to."""
        return self.folder / "text"

    @property
    def student_folder(self) -> Path:
        """The run folder of the student."""
        return self.folder / "student"

    def corpus_folder(self, number: int) -> Path:
        """Return where the text of a training corpus lies; the first is 1."""
        return self.text / f"corpus-{number}"

    def forward_teachers(self) -> list[Teacher]:
        """Return the models that translate as the student will."""
        return [self._teacher("forward", number, self.teaching) for number in range(1, self.forward + 1)]

    def backward_teachers(self) -> list[Teacher]:
        """Return the models that translate the other way; they learn from the text turned round."""
        config = self._turned_round()
        return [self._teacher("backward", number, config) for number in range(1, self.backward + 1)]

    def student(self) -> Config:
        """Return the settings of the student: it learns from the text, and from what the teachers made of it."""
        parts: list[CorpusConfig] = list(self.config.data.train)
        for number, part in enumerate(self.config.data.train, start=1):
            folder = self.corpus_folder(number)
            if self.forward:
                parts.append(_files(part, folder / "source", folder / "target.translated"))
            if self.backward:
                parts.append(_files(part, folder / "source.translated", folder / "target"))
        data = self.config.data.model_copy(update={"train": tuple(parts)})
        tokenizer = self.config.tokenizer
        if self.forward and tokenizer.reuse is None and tokenizer == self.teaching.tokenizer:
            # as it was learned from what people wrote
            tokenizer = tokenizer.model_copy(update={"reuse": str(self._place("forward", 1))})
        return self.config.model_copy(update={"data": data, "tokenizer": tokenizer})

    def begin(self) -> None:
        """Write down what is to be made, or see that it is what the folder was begun with.

        Raises:
            ConfigError: if the folder holds something else.
            DataError: if its record cannot be read, or a text is missing.
        """
        path = self.folder / RECORD
        before: dict[str, Any] = {}
        if path.exists():
            before = self._check_record(path)
        elif self.folder.is_dir():
            foreign = sorted(one.name for one in self.folder.iterdir() if one.name != LOCK)
            if foreign:
                raise ConfigError(
                    f"{self.folder}: holds other files ({foreign[0]}) and no distillation; choose another folder with "
                    "--output"
                )
        digests = Digests(before.get("files"))
        text = digest_corpus(self.config.data.train, digests)
        if before.get("text", text) != text:
            raise ConfigError(
                f"{self.folder}: its teachers learned from another text; put back what was there, or choose another "
                "folder with --output"
            )
        record = {
            "forward": self.forward,
            "backward": self.backward,
            "teachers": dump_config(self.teaching),
            "text": text,
            "files": digests.found,
        }
        write_atomic(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")

    def _check_record(self, path: Path) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            teaching = parse_config(record["teachers"])
            numbers = {key: record[key] for key in ("forward", "backward")}
        except (OSError, ValueError, KeyError, TypeError, Seq2SeqError) as error:
            raise DataError(
                f"{path}: is damaged or of another release ({error}); choose another folder with --output"
            ) from error
        changed = {key: (was, getattr(self, key)) for key, was in numbers.items() if was != getattr(self, key)}
        changed |= {
            key: values for key, values in differences(teaching, self.teaching).items() if key not in MAY_CHANGE
        }
        if changed:
            shown = "; ".join(f"{key} was {was!r}, now {now!r}" for key, (was, now) in list(changed.items())[:SHOWN])
            more = f"; and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            raise ConfigError(
                f"{self.folder}: was begun with other teachers ({shown}{more}); restore these values, or choose "
                "another folder with --output"
            )
        return record

    def _teacher(self, direction: str, number: int, config: Config) -> Teacher:
        name = f"{direction}-{number}"
        data = config.data.model_copy(update={"test": {}})
        own = config.model_copy(update={"name": name, "seed": config.seed + number - 1, "data": data})
        return Teacher(name, own, self._place(direction, number))

    def _place(self, direction: str, number: int) -> Path:
        return self.folder / "teachers" / f"{direction}-{number}"

    def _turned_round(self) -> Config:
        """Return the teachers' settings with source and target in each other's place."""
        config, data, model = self.teaching, self.teaching.data, self.teaching.model
        train = [
            _files(part, self.corpus_folder(number) / "target", self.corpus_folder(number) / "source")
            for number, part in enumerate(data.train, start=1)
        ]
        validation = [
            _files(part, self.text / f"validation-{number}" / "target", self.text / f"validation-{number}" / "source")
            for number, part in enumerate(data.validation, start=1)
        ]
        turned = {
            "source_language": data.target_language,
            "target_language": data.source_language,
            "train": tuple(train),
            "validation": tuple(validation),
        }
        vectors = {"source_vectors": model.target_vectors, "target_vectors": model.source_vectors}
        tokenizer = config.tokenizer if config.tokenizer.shared else config.tokenizer.model_copy(update={"reuse": None})
        return config.model_copy(
            update={
                "data": data.model_copy(update=turned),
                "tokenizer": tokenizer,
                "model": model.model_copy(update=vectors),
                # gold links, and a lexicon, are of the other direction
                "training": config.training.model_copy(update={"guided_alignment": GuidedAlignmentConfig()}),
                "decoding": config.decoding.model_copy(update={"lexicon": None}),
            }
        )


def make_plan(
    path: str | Path, overrides: Overrides, teacher: Sequence[str], *, forward: int, backward: int, output: Path | None
) -> Plan:
    """Read the settings.

    Args:
        path: the configuration file.
        overrides: of all models.
        teacher: of the teachers, in place of those of all where they name the same key.
        forward: number of teachers that translate as the student will.
        backward: number of teachers that translate the other way.
        output: the folder of everything; ``runs/<name>`` when not given.

    Raises:
        ConfigError: if something is wrong in them, or nobody would teach.
    """
    for name, number in (("--forward", forward), ("--backward", backward)):
        if number < 0:
            raise ConfigError(f"{name} {number}: expected a whole number of at least 0")
    if forward + backward == 0:
        raise ConfigError("--forward 0 --backward 0: without a teacher there is nothing to distill; use train instead")
    config = load_config(path, overrides)
    teaching = load_config(path, _merged(overrides, teacher))
    if teaching.data != config.data:
        raise ConfigError("--teacher: all models learn from one text; give keys of data without --teacher")
    if backward and teaching.training.initial is not None:
        raise ConfigError("training.initial begins with a model of one direction; use --backward 0, or remove this key")
    folder = Path("runs") / config.name if output is None else output
    return Plan(config, teaching, forward, backward, folder)


def _merged(overrides: Overrides, teacher: Sequence[str]) -> Overrides:
    """Put what is said of teachers behind what is said of all; a key stands once."""
    if isinstance(overrides, str):
        overrides = [overrides]
    if not isinstance(overrides, Sequence):
        overrides = [f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in overrides.items()]
    keys = {override.partition("=")[0] for override in teacher}
    written = [override for override in overrides if override.partition("=")[0] not in keys]
    return [*written, *teacher]


def _files(part: CorpusConfig, source: Path, target: Path) -> TextCorpus:
    """Return a corpus of two files that is seen as often as another one, and under its tag."""
    return TextCorpus(source=(str(source),), target=(str(target),), weight=part.weight, tag=part.tag)
