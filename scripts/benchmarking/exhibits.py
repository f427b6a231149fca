"""What a trained mechanism leaves to be compared: scores, alignment errors, minutes, and where it looked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq_attn import Translator, load_config, train
from seq2seq_attn.attention import find_attention
from seq2seq_attn.config import Config, dump_config
from seq2seq_attn.config.schema import TextCorpus
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.errors import ConfigError, DataError
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.experiment.run_folder import METRICS
from seq2seq_attn.experiment.splits import read_split
from seq2seq_attn.files import write_atomic
from seq2seq_attn.runtime import choose_device, choose_precision

from .machine import describe_machine
from .specs import Spec

EXHIBIT = "exhibit.json"
SHORT, LONG = 9, 13
"""Words of a sentence that makes a good picture."""


class Example(NamedTuple):
    """A sentence and the translation that every model is made to write: pictures with the same rows and columns."""

    source: str
    target: str


@dataclass(frozen=True)
class Exhibit:
    """What is known of one trained mechanism.

    Attributes:
        name: the mechanism as it was written.
        title: the same, short enough for a picture.
        wiring: of its decoder.
        configuration: digest of all settings.
        parameters: trainable numbers.
        minutes: of training, validations included.
        machine: what it was trained on.
        bleu: of each test set.
        signature: of sacreBLEU.
        alignment_errors: of each test set that has gold alignments; none for a model without attention.
        example: the sentence of the pictures.
        source_tokens: its columns.
        target_tokens: its rows.
        weights: where the model looked while it was made to write the example's target.
    """

    name: str
    title: str
    wiring: str
    configuration: str
    parameters: int
    minutes: float
    machine: str
    bleu: dict[str, float]
    signature: str
    alignment_errors: dict[str, float]
    example: Example
    source_tokens: list[str]
    target_tokens: list[str]
    weights: list[list[float]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "example": list(self.example)}


class Place(NamedTuple):
    """Where a mechanism is trained, and how."""

    spec: Spec
    config: Config
    folder: Path

    @property
    def digest(self) -> str:
        """Of the whole configuration."""
        return hashlib.sha256(dump_config(self.config).encode()).hexdigest()

    def finished(self, example: Example) -> bool:
        """Tell whether all that is wanted is there."""
        path = self.folder / EXHIBIT
        if not path.exists():
            return False
        found = _read(path)
        return (found.configuration, found.example) == (self.digest, example)


def place_of(spec: Spec, config: Path, overrides: Sequence[str], output: Path) -> Place:
    """Say where a mechanism is trained.

    Raises:
        ConfigError: if the configuration does not allow it.
    """
    return Place(spec, load_config(config, [*overrides, *spec.overrides()]), output / spec.folder)


def choose_example(config: Path, overrides: Sequence[str]) -> Example:
    """Take the first pair of the first test set that is neither short nor long.

    Raises:
        ConfigError: if there is no test set.
    """
    loaded = load_config(config, list(overrides))
    if not loaded.data.test:
        raise ConfigError(f"{config}: names no test set; add one to data.test")
    pairs = read_split(loaded, next(iter(loaded.data.test)))
    good = (pair for pair in pairs if SHORT <= len(pair.source.split()) <= LONG)
    return Example(*next(good, pairs[0]))


def make_exhibit(place: Place, example: Example) -> None:
    """Train (or go on, or take what is there), score, align, look; leave an ``exhibit.json``."""
    spec, config, folder = place
    run = train(config, output=folder, resume=True)
    translator = Translator.load(folder, device=config.training.device)
    attends = translator.attends
    scores = {split: found["bleu"] for split, found in run.scores.items()}
    shown = translator.attention_maps(example.source, example.target)[0] if attends else None
    exhibit = Exhibit(
        name=spec.text,
        title=spec.title,
        wiring=config.model.decoder.wiring or find_attention(spec.score).wiring,
        configuration=place.digest,
        parameters=translator.trained("an exhibit").num_parameters,
        minutes=_minutes(folder / METRICS),
        machine=_machine(config),
        bleu={split: score.score for split, score in scores.items()},
        signature=next((score.signature for score in scores.values()), ""),
        alignment_errors=_alignment_errors(translator, config) if attends else {},
        example=example,
        source_tokens=list(shown.columns) if shown else [],
        target_tokens=list(shown.rows) if shown else [],
        weights=shown.weights.astype(float).round(5).tolist() if shown else [],
    )
    write_atomic(folder / EXHIBIT, json.dumps(exhibit.to_dict(), indent=1, ensure_ascii=False) + "\n")


def read_exhibits(output: Path, order: Sequence[str]) -> list[Exhibit]:
    """Read all that is finished, in ``order``; what is not in it stands behind the mechanism it is made from.

    Raises:
        DataError: if a file is damaged.
    """
    found = [_read(path) for path in sorted(output.glob(f"*/{EXHIBIT}"))]

    def place(exhibit: Exhibit) -> tuple[int, str]:
        score = exhibit.name.split("+")[0]
        return order.index(score) if score in order else len(order), exhibit.name

    return sorted(found, key=place)


def _read(path: Path) -> Exhibit:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return Exhibit(**{**tree, "example": Example(*tree["example"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is damaged or of another release ({error}); delete it and run again") from error


def _minutes(path: Path) -> float:
    lines = path.read_text(encoding="utf-8").splitlines()
    return max((json.loads(line).get("seconds", 0.0) for line in lines), default=0.0) / 60


def _machine(config: Config) -> str:
    device = choose_device(config.training.device)
    facts = describe_machine(device, choose_precision(config.training.precision, device))
    where = facts["cpu"] if facts["device"] == "cpu" else facts["device"]
    return f"{where}, {facts['threads']} threads, {facts['precision']}, torch {facts['torch']}"


def _alignment_errors(translator: Translator, config: Config) -> dict[str, float]:
    """Return the alignment error rate of each test set with gold links: named, or beside its source as ``.align``."""
    found = {}
    for split, corpus in config.data.test.items():
        beside = [Path(name).with_suffix(".align") for name in getattr(corpus, "source", ())]
        if corpus.alignments is None and isinstance(corpus, TextCorpus) and all(path.is_file() for path in beside):
            corpus = corpus.model_copy(update={"alignments": tuple(map(str, beside))})
        if corpus.alignments is not None:
            found[split] = score_alignments(translator, list(read_linked([corpus]))).error_rate
    return found
