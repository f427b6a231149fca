"""From a configuration to a trained, scored run: the composition root."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from seq2seq_attn.checkpoint import CheckpointStore
from seq2seq_attn.checkpoint.folders import CHECKPOINTS
from seq2seq_attn.checkpoint.info import Info
from seq2seq_attn.config import Config, load_config
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.prepare import PreparedData
from seq2seq_attn.evaluation.metrics import MetricScore, higher_is_better
from seq2seq_attn.experiment.building import build_batches, build_network
from seq2seq_attn.experiment.evaluate import evaluate_run
from seq2seq_attn.experiment.initial import initialize
from seq2seq_attn.experiment.lock import RunLock
from seq2seq_attn.experiment.preparing import prepare_for_all
from seq2seq_attn.experiment.processes import keep_quiet, processes, say
from seq2seq_attn.experiment.resuming import copy_model, random_states, restore, seed_process
from seq2seq_attn.experiment.run_folder import METRICS, TENSORBOARD, check_run_folder
from seq2seq_attn.experiment.splits import EvaluationSet, read_split
from seq2seq_attn.experiment.tensorboard import open_tensorboard
from seq2seq_attn.experiment.updating import build_updater
from seq2seq_attn.experiment.validation import Validator, text_metrics, validation_search
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision, choose_device, choose_precision, seed_everything
from seq2seq_attn.training.freezing import freeze
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.logging import JsonLines, Screen, Sink
from seq2seq_attn.training.ranks import Ranks
from seq2seq_attn.training.schedules import Schedule
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.trainer import SAVED_FIRST, Settings, Trainer

RUNS = Path("runs")


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: the run folder.
        step: optimizer steps made.
        reason: why training ended.
        best: best value of the validation metric.
        scores: of each test set, by metric, made with the best checkpoint.
    """

    folder: Path
    step: int
    reason: str
    best: float | None
    scores: dict[str, dict[str, MetricScore]]


def run_folder_of(config: Config, output: str | Path | None) -> Path:
    """Return where a run goes: ``output``, or ``runs/<name>``."""
    return RUNS / config.name if output is None else Path(output)


def train(
    config: str | Path | Config,
    overrides: Mapping[str, object] | Sequence[str] = (),
    *,
    output: str | Path | None = None,
    resume: bool = False,
) -> Run:
    """Do everything from raw text to the best checkpoint and its scores.

    Args:
        config: a YAML file, or a configuration that has been loaded.
        overrides: ``{"model.attention": "bahdanau"}`` or ``["model.attention=bahdanau"]``; with a file only.
        output: the run folder; ``runs/<name>`` when not given.
        resume: go on from the newest whole checkpoint of the folder, or start when there is none.

    Raises:
        ConfigError: if the configuration is wrong, or the folder belongs to another one.
        DataError: if a text or a file of vectors is missing or wrong.
        CheckpointError: if another run that this one should begin with is damaged, or nothing of it fits.
        UserError: if another process is working on the folder.
        TrainingError: if training cannot go on: no finite loss, no memory, no room on the disk.
        Interrupted: after Ctrl-C or SIGTERM; everything has been saved.
    """
    with processes() as ranks, contextlib.ExitStack() as stack:

        def begin() -> tuple[Config, Path]:
            loaded = config if isinstance(config, Config) else load_config(config, overrides)
            folder = run_folder_of(loaded, output)
            check_run_folder(folder, loaded, resume=resume)  # before anything is written in it, a lock included
            stack.enter_context(RunLock(folder))
            return loaded, folder if ranks.size == 1 else folder.absolute()

        found = ranks.first(begin)
        return _train(*found, ranks, resume=resume)


def _train(config: Config, folder: Path, ranks: Ranks, *, resume: bool) -> Run:
    tell = say if ranks.is_first else keep_quiet
    device = ranks.together(lambda: choose_device(config.training.device))
    ranks.use(device)
    precision = ranks.first(lambda: choose_precision(config.training.precision, device))
    prepared = prepare_for_all(config, folder, ranks, resume=resume)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    seed_everything(config.seed)
    model = build_network(config, prepared, device)
    numbers = model.num_parameters
    freeze(model, config.training.freeze or ())
    learning = "" if config.training.freeze is None else f" ({model.num_parameters:,} of them learn)"
    several = "" if ranks.size == 1 else f"{ranks.size} processes, each with "
    tell(
        f"{numbers:,} parameters{learning}, device {device.type}, {several}{torch.get_num_threads()} threads, "
        f"precision {precision.name} ({precision.reason})"
    )
    with Interrupts(ranks) as interrupts:
        store = _build_store(config, folder)
        newest = ranks.first(lambda: store.newest(say) if resume else None)
        if newest is None:
            ranks.first(lambda: initialize(config, folder, model, prepared.tokenizers, say), patient=True)
            copy_model(model, ranks)
        trainer = _build_trainer(config, store, model, prepared, precision, interrupts)
        _begin(trainer, newest, config, ranks, tell)
        if resume and newest is None:
            tell(f"nothing to resume in {folder} yet: starting from the beginning")
        sinks: list[Sink] = []
        ranks.first(lambda: sinks.extend(_open_sinks(config, folder, trainer, prepared)))
        trainer.sinks = [*trainer.sinks, *sinks]
        try:
            reason = trainer.fit()
        except SAVED_FIRST:
            if trainer.state.step:
                tell(f"saved at step {trainer.state.step}; go on with --resume")
            raise
        finally:
            for sink in sinks:
                sink.close()
    tell(f"training ended after {trainer.state.step} steps, {trainer.state.seconds / 60:.1f} minutes: {reason}")
    scores = ranks.first(lambda: _score_tests(config, folder, device), patient=True)
    return Run(folder, trainer.state.step, reason, trainer.state.best, scores)


def _begin(
    trainer: Trainer, newest: tuple[Path, Info] | None, config: Config, ranks: Ranks, tell: Callable[[str], None]
) -> None:
    """Bring trainer and random numbers to where training begins or goes on."""
    if newest is not None:
        restore(trainer, newest, ranks, seed=config.seed, tell=tell)
        tell(f"resuming from step {trainer.state.step} ({newest[0]})")
    elif ranks.size > 1:
        seed_process(config.seed, 0, ranks)


def _build_store(config: Config, folder: Path) -> CheckpointStore:
    return CheckpointStore(
        folder / CHECKPOINTS,
        metric=config.training.validation_metric,
        higher_is_better=higher_is_better(config.training.validation_metric),
        keep_best=config.training.keep_best,
    )


def _build_trainer(
    config: Config,
    store: CheckpointStore,
    model: Seq2Seq,
    prepared: PreparedData,
    precision: Precision,
    interrupts: Interrupts,
) -> Trainer:
    training = config.training
    device, ranks = next(model.parameters()).device, interrupts.ranks
    updater = ranks.together(lambda: build_updater(training, model, precision, prepared.tokenizers, ranks))
    validator = _build_validator(config, model, prepared, precision, interrupts)

    def save(state: TrainState, scores: Mapping[str, float] | None) -> None:
        content = {"state": asdict(state), "random": random_states(ranks, device), **updater.state_dict()}

        def write() -> None:
            with updater.averaged():
                store.save(model, content, step=state.step, epoch=state.epoch, scores=scores)

        ranks.first(write)

    def validate() -> Mapping[str, float]:
        with updater.averaged():
            return validator()

    return Trainer(
        updater=updater,
        schedule=Schedule(**training.schedule.model_dump()),
        batches=build_batches(config, prepared, device, ranks),
        settings=Settings(
            learning_rate=training.optimizer.learning_rate,
            limits=Limits(training.max_epochs, training.max_steps, training.max_minutes, training.min_steps),
            accumulate=training.accumulate,
            validate_every=training.validate_every,
            patience=training.patience,
            metric=training.validation_metric,
            higher_is_better=higher_is_better(training.validation_metric),
            log_every=training.log_every,
            max_bad_steps=training.max_bad_steps,
        ),
        validate=validate,
        save=save,
        sinks=[Screen(quiet=not ranks.is_first)],
        interrupts=interrupts,
    )


def _build_validator(
    config: Config, model: Seq2Seq, prepared: PreparedData, precision: Precision, interrupts: Interrupts
) -> Validator:
    pairs = interrupts.ranks.first(lambda: list(read_linked(config.data.validation)))
    return interrupts.ranks.together(
        lambda: Validator(
            model,
            prepared.tokenizers,
            prepared.validation,
            pairs,
            decoding=validation_search(config),
            metrics=text_metrics(config.training),
            precision=precision,
            interrupts=interrupts,
        )
    )


def _open_sinks(config: Config, folder: Path, trainer: Trainer, prepared: PreparedData) -> list[Sink]:
    state = trainer.state
    validated = state.validated_step == state.step
    sinks: list[Sink] = [JsonLines(folder / METRICS, resume_step=state.step, validated=validated)]
    if config.training.tensorboard:
        sinks += open_tensorboard(folder / TENSORBOARD, config, trainer, prepared)
    return sinks


def _score_tests(config: Config, folder: Path, device: torch.device) -> dict[str, dict[str, MetricScore]]:
    if not config.data.test:
        return {}
    sets = [EvaluationSet(name, read_split(config, name)) for name in config.data.test]
    return {done.split: done.scores for done in evaluate_run(str(folder), sets, device=device.type, keep=True)}
