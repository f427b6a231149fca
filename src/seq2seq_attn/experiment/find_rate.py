"""Find a learning rate before training: a short sweep on the very model, batches and precision of a configuration."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq_attn.config import Config, load_config
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.errors import ConfigError, TrainingError
from seq2seq_attn.experiment.building import build_batches, build_network
from seq2seq_attn.experiment.initial import initialize
from seq2seq_attn.experiment.lock import RunLock
from seq2seq_attn.experiment.preparing import prepare_run
from seq2seq_attn.experiment.processes import say
from seq2seq_attn.experiment.run_folder import check_run_folder
from seq2seq_attn.experiment.train import run_folder_of
from seq2seq_attn.experiment.updating import build_updater
from seq2seq_attn.files import write_atomic
from seq2seq_attn.runtime import choose_device, choose_precision, seed_everything
from seq2seq_attn.training.freezing import freeze
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.training.rate_range import RateCurve, exponential_rates, sweep
from seq2seq_attn.training.trainer import Batches
from seq2seq_attn.training.updater import Updater
from seq2seq_attn.visualization.learning_rates import plot_learning_rates
from seq2seq_attn.visualization.picture import check_drawing

STEPS = 200
PLOT = "find-lr.png"
RECORD = "find-lr.json"


@dataclass(frozen=True)
class FoundRate:
    """What a range test found.

    Attributes:
        folder: the run folder, with ``find-lr.png`` and ``find-lr.json``.
        rate: what is suggested as ``training.optimizer.learning_rate``.
        curve: all that was measured.
    """

    folder: Path
    rate: float
    curve: RateCurve


def find_learning_rate(
    config: str | Path | Config,
    overrides: Mapping[str, object] | Sequence[str] = (),
    *,
    output: str | Path | None = None,
    steps: int = STEPS,
) -> FoundRate:
    """Sweep the learning rate from 1e-7 to 10 while training, and suggest one.

    The model is thrown away, and no checkpoint is written; tokenizer and encoded corpus stay for the training.
    Optimizer, objective, clipping, batches and precision are those that training will have; its schedule is not.

    Args:
        config: a YAML file, or a configuration that has been loaded.
        overrides: as for :func:`~seq2seq_attn.experiment.train.train`.
        output: the run folder; ``runs/<name>`` when not given.
        steps: of the optimizer, at most; the sweep ends earlier when the loss is four times its lowest.

    Raises:
        UserError: as training would.
        TrainingError: if the loss does not fall at any rate; plot and record are written all the same.
        Interrupted: after Ctrl-C or SIGTERM.
    """
    if not isinstance(config, Config):
        config = load_config(config, overrides)
    check_drawing("finding a learning rate")
    if steps < 2:
        raise ConfigError(f"a sweep of the learning rate has at least 2 steps, not {steps}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("a learning rate is found by one process; start this one without torchrun")
    folder = run_folder_of(config, output)
    check_run_folder(folder, config, resume=False)
    with RunLock(folder):
        curve = _sweep(config, folder, steps)
        _write(folder, config, curve)
    rate = curve.suggestion
    if rate is None:
        raise TrainingError(
            f"the loss did not fall at any learning rate from {curve.rates[0]:.1g} to {curve.rates[-1]:.2g} "
            f"(see {folder / PLOT}); is there a parameter that learns, and has the model not learned all this already?"
            if curve.rates
            else "the loss of the untrained model is not finite; look at the model and at training.precision"
        )
    return FoundRate(folder, float(f"{rate:.2g}"), curve)


def _sweep(config: Config, folder: Path, steps: int) -> RateCurve:
    device = choose_device(config.training.device)
    precision = choose_precision(config.training.precision, device)
    prepared = prepare_run(config, folder)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    seed_everything(config.seed)
    model = build_network(config, prepared, device)
    freeze(model, config.training.freeze or ())
    with tempfile.TemporaryDirectory() as aside:  # no record of it in the run folder: this model will not stay
        initialize(config, Path(aside), model, prepared.tokenizers, say)
    updater = build_updater(config.training, model, precision, prepared.tokenizers)
    groups = _groups(build_batches(config, prepared, device), config.training.accumulate)
    bar = tqdm(exponential_rates(steps), desc="learning rates", unit="step", disable=None, leave=False)
    with Interrupts() as interrupts, bar:

        def step(rate: float) -> float:
            interrupts.check()
            return _step(updater, next(groups), rate)

        return sweep(bar, step)


def _groups(batches: Batches, size: int) -> Iterator[list[Batch]]:
    """Give the batches of one step after the other, as many epochs as it takes."""
    for epoch in itertools.count():
        stream = batches.epoch(epoch)
        while group := list(itertools.islice(stream, size)):
            yield group


def _step(updater: Updater, group: Sequence[Batch], rate: float) -> float:
    """Make a step; return the loss per token before it, no number when it was skipped."""
    made = updater.update(group, rate)
    return float("nan") if bool(made.skipped) else float(made.likelihood) / made.tokens


def _write(folder: Path, config: Config, curve: RateCurve) -> None:
    record = {
        "suggestion": curve.suggestion,
        "steepest": curve.steepest,
        "lowest": curve.lowest if curve.rates else None,
        "diverged": curve.diverged,
        "configured": config.training.optimizer.learning_rate,
        "rates": curve.rates,
        "losses": curve.losses,
        "smoothed": curve.smoothed,
    }
    write_atomic(folder / RECORD, json.dumps(record, indent=2) + "\n")
    if not curve.rates:
        return
    marks = {"configured": config.training.optimizer.learning_rate}
    if curve.steepest is not None and curve.suggestion is not None:
        marks = {"suggested": curve.suggestion, "steepest": curve.steepest, **marks}
    plot_learning_rates(
        curve.rates, curve.losses, curve.smoothed, folder / PLOT, marks=marks, title=f"{config.name}: range test"
    )
