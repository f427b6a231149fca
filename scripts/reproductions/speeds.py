"""How fast two kinds of models train and translate on this machine, as sentences and models grow.

The models are fresh and the sentences are random tokens, all of one length: only the work is measured. Both kinds take
turns in every round, since a machine that others use, too, changes its speed from one second to the next.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarking.machine import describe_machine
from tqdm import tqdm

from seq2seq_attn import Config
from seq2seq_attn.config.schema import TrainingConfig
from seq2seq_attn.data.batching import Batch, collate, collate_source
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, UNK
from seq2seq_attn.decoding import GreedySearch, LengthLimit
from seq2seq_attn.errors import DataError
from seq2seq_attn.experiment.updating import build_updater
from seq2seq_attn.files import write_atomic
from seq2seq_attn.inference import prepare
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import choose_device, choose_precision, seed_everything

VOCABULARY = 2000
FIRST_WORD = 4  # the ids below are special symbols
LEARNING_RATE = 1e-4


@dataclass(frozen=True)
class Grid:
    """What is measured.

    Attributes:
        sizes: features of a state.
        lengths: tokens of a sentence, source and target, its end counted.
        tokens: target tokens of a training step.
        sentences: translated at once.
        steps: of training in a round.
        rounds: that are timed, after one that is not.
    """

    sizes: Sequence[int] = (128, 256, 512)
    lengths: Sequence[int] = (10, 20, 40, 80)
    tokens: int = 640
    sentences: int = 16
    steps: int = 2
    rounds: int = 3


@dataclass(frozen=True)
class SpeedPoint:
    """One kind of model, of one size, at one length.

    Attributes:
        kind: which models.
        size: features of a state.
        length: tokens of a sentence.
        parameters: trainable numbers.
        training: target tokens per second, round by round.
        decoding: sentences per second, greedily, round by round.
        machine: where.
    """

    kind: str
    size: int
    length: int
    parameters: int
    training: list[float]
    decoding: list[float]
    machine: str

    @property
    def training_speed(self) -> float:
        """The median over the rounds."""
        return median(self.training)

    @property
    def decoding_speed(self) -> float:
        """The median over the rounds."""
        return median(self.decoding)


def measure_speeds(
    configs: Mapping[tuple[str, int], Config], grid: Grid, folder: Path, report: Callable[[str], None]
) -> list[SpeedPoint]:
    """Measure what is not there yet, and return all points.

    Args:
        configs: by kind and size.
        grid: what is measured.
        folder: where a file for each size and length is kept.
        report: told which one is measured.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in configs))
    found: list[SpeedPoint] = []
    places = [(size, length) for size in grid.sizes for length in grid.lengths]
    for number, (size, length) in enumerate(places, start=1):
        path = folder / f"size-{size}-length-{length}.json"
        report(
            f"-- speed at size {size}, length {length} ({number} of {len(places)}){': there already' * path.exists()}"
        )
        if not path.exists():
            points = _measure({kind: configs[kind, size] for kind in kinds}, grid, size, length)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps([asdict(point) for point in points], indent=1) + "\n")
        found += _read(path)
    return found


def machine_of(config: Config) -> str:
    """Say in words where models of this configuration run."""
    device = choose_device(config.training.device)
    facts = describe_machine(device, choose_precision(config.training.precision, device))
    where = facts["cpu"] if facts["device"] == "cpu" else facts["device"]
    return f"{where}, {facts['threads']} threads, {facts['precision']}, torch {facts['torch']}"


def _read(path: Path) -> list[SpeedPoint]:
    try:
        return [SpeedPoint(**point) for point in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is damaged or of another release ({error}); delete it and run again") from error


def _measure(configs: Mapping[str, Config], grid: Grid, size: int, length: int) -> list[SpeedPoint]:
    contenders = {kind: _Contender(config, grid, length) for kind, config in configs.items()}
    training: dict[str, list[float]] = {kind: [] for kind in configs}
    decoding: dict[str, list[float]] = {kind: [] for kind in configs}
    with tqdm(total=(grid.rounds + 1) * len(configs), desc="measuring", disable=None, leave=False) as bar:
        for _ in range(grid.rounds + 1):
            for kind, contender in contenders.items():
                training[kind].append(contender.train())
                decoding[kind].append(contender.translate())
                bar.update()
    return [
        SpeedPoint(
            kind, size, length, one.parameters, training[kind][1:], decoding[kind][1:], machine_of(configs[kind])
        )
        for kind, one in contenders.items()
    ]


class _Contender:
    """A fresh model with sentences to learn from and to translate."""

    def __init__(self, config: Config, grid: Grid, length: int) -> None:
        if config.training.threads is not None:
            torch.set_num_threads(config.training.threads)
        seed_everything(config.seed)
        self._device = choose_device(config.training.device)
        precision = choose_precision(config.training.precision, self._device)
        model = build_model(config.model, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY, padding=PAD)
        self._model = model.to(self._device)
        self.parameters = model.num_parameters
        # the likelihood alone: these sentences are no text, and nobody has aligned them
        plain = TrainingConfig()
        changes = {name: getattr(plain, name) for name in ("word_dropout", "minimum_risk", "guided_alignment")}
        self._updater = build_updater(config.training.model_copy(update=changes), self._model, precision)
        self._batch = _batch(max(1, grid.tokens // length), length).to(self._device)
        self._sources = [row[: length - 1].tolist() for row in _batch(grid.sentences, length).source]
        limit = LengthLimit(longest=length, shortest=length - 1, extra=length)
        self._search = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD, UNK), limit=limit)
        self._steps = grid.steps

    def train(self) -> float:
        """Make some steps; return target tokens per second."""
        self._model.train()
        tokens = self._batch.target_tokens * self._steps
        return tokens / self._seconds(
            lambda: [self._updater.update([self._batch], LEARNING_RATE) for _ in range(self._steps)]
        )

    def translate(self) -> float:
        """Translate some sentences; return how many per second."""
        prepared = prepare(self._model.eval())
        source, lengths = (tensor.to(self._device) for tensor in collate_source(self._sources))
        return len(self._sources) / self._seconds(lambda: self._search(prepared, source, lengths))

    def _seconds(self, work: Callable[[], Any]) -> float:
        begin = time.perf_counter()
        work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - begin


def _batch(sentences: int, length: int) -> Batch:
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(FIRST_WORD, VOCABULARY, (2, sentences, length - 1), generator=generator).tolist()
    return collate(ids[0], ids[1], list(range(sentences)))
