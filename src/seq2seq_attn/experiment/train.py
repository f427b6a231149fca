"""From a configuration to a trained, scored run: the composition root."""

from __future__ import annotations

import collections
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq_attn.checkpoint import CheckpointStore
from seq2seq_attn.checkpoint.load import CHECKPOINTS
from seq2seq_attn.config import Config, load_config
from seq2seq_attn.data.links import alignment_files, read_linked
from seq2seq_attn.data.prepare import PreparedData, prepare
from seq2seq_attn.data.tokenizers import PAD
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.metrics import MetricScore, higher_is_better
from seq2seq_attn.experiment.building import build_batches, build_network
from seq2seq_attn.experiment.evaluate import evaluate_run
from seq2seq_attn.experiment.initial import check_initial, initialize
from seq2seq_attn.experiment.lock import RunLock
from seq2seq_attn.experiment.resuming import random_states, restore
from seq2seq_attn.experiment.run_folder import (
    METRICS,
    TENSORBOARD,
    check_run_folder,
    write_run_config,
)
from seq2seq_attn.experiment.splits import EvaluationSet, read_split
from seq2seq_attn.experiment.tensorboard import check_tensorboard, open_tensorboard
from seq2seq_attn.experiment.updating import build_updater
from seq2seq_attn.experiment.validation import Validator, check_validation, text_metrics, validation_search
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision, choose_device, choose_precision, seed_everything
from seq2seq_attn.training.freezing import freeze
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.training.limits import Limits
from seq2seq_attn.training.logging import JsonLines, Screen, Sink
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


def say(message: str) -> None:
    """Tell the user something, beside any progress bar."""
    tqdm.write(message, file=sys.stderr)


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
    if not isinstance(config, Config):
        config = load_config(config, overrides)
    folder = run_folder_of(config, output)
    check_run_folder(folder, config, resume=resume)  # before anything is written in it, a lock included
    with RunLock(folder):
        return _train(config, folder, resume=resume)


def _train(config: Config, folder: Path, *, resume: bool) -> Run:
    device = choose_device(config.training.device)
    precision = choose_precision(config.training.precision, device)
    prepared = prepare_run(config, folder, resume=resume)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    seed_everything(config.seed)
    model = build_network(config, prepared, device)
    numbers = model.num_parameters
    freeze(model, config.training.freeze or ())
    learning = "" if config.training.freeze is None else f" ({model.num_parameters:,} of them learn)"
    say(
        f"{numbers:,} parameters{learning}, device {device.type}, {torch.get_num_threads()} threads, "
        f"precision {precision.name} ({precision.reason})"
    )
    with Interrupts() as interrupts:
        store = _build_store(config, folder)
        newest = store.newest(say) if resume else None
        if newest is None:
            initialize(config, folder, model, prepared.tokenizers, say)
        trainer = _build_trainer(config, store, model, prepared, precision, interrupts)
        if newest is not None:
            restore(trainer, newest)
            say(f"resuming from step {trainer.state.step} ({newest[0]})")
        elif resume:
            say(f"nothing to resume in {folder} yet: starting from the beginning")
        sinks = _open_sinks(config, folder, trainer, prepared)
        trainer.sinks = [*trainer.sinks, *sinks]
        try:
            reason = trainer.fit()
        except SAVED_FIRST:
            if trainer.state.step:
                say(f"saved at step {trainer.state.step}; go on with --resume")
            raise
        finally:
            for sink in sinks:
                sink.close()
    say(f"training ended after {trainer.state.step} steps, {trainer.state.seconds / 60:.1f} minutes: {reason}")
    return Run(folder, trainer.state.step, reason, trainer.state.best, _score_tests(config, folder, device))


def prepare_run(config: Config, folder: Path, *, resume: bool = False) -> PreparedData:
    """Check everything that can be checked before hours are spent, then make tokenizer and corpus.

    Raises:
        ConfigError: if the model cannot be built, or the folder belongs to another configuration.
        DataError: if a text is missing or wrong.
    """
    check_run_folder(folder, config, resume=resume)
    with torch.device("meta"):  # sizes and names only; the vocabulary does not matter
        model = build_model(config.model, source_vocabulary=8, target_vocabulary=8, padding=PAD)
    _check_weight_losses(config, model)
    check_validation(config, model)
    check_tensorboard(config.training)
    freeze(model, config.training.freeze or ())
    if not (resume and any((folder / CHECKPOINTS).glob("step-*"))):
        check_initial(config)
    for corpus in (config.data.validation, *((one,) for one in config.data.test.values())):
        collections.deque(read_linked(corpus), maxlen=0)  # what is wrong in them should not show after training
    prepared = prepare(config, folder, report=say)
    write_run_config(folder, config)
    return prepared


def _check_weight_losses(config: Config, model: Seq2Seq) -> None:
    """Refuse losses on weights that nothing gives, or that nothing says what they should be."""
    guided = config.training.guided_alignment.weight > 0
    for key, is_on in (("guided_alignment", guided), ("coverage_loss", config.training.coverage_loss > 0)):
        if is_on and not model.attends:
            raise ConfigError(
                f"training.{key} is about attention weights, but this model has none (model.attention is "
                f"{config.model.attention!r}); set it to 0, or choose an attention"
            )
    if guided and not alignment_files(config.data.train):
        raise ConfigError(
            "training.guided_alignment learns from gold alignments, but data.train has none: name their files as "
            "data.train.alignments (a line per pair, such as 0-0 1-2), or set training.guided_alignment to 0"
        )


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
    device = next(model.parameters()).device
    updater = build_updater(training, model, precision, prepared.tokenizers)
    validator = _build_validator(config, model, prepared, precision, interrupts)

    def save(state: TrainState, scores: Mapping[str, float] | None) -> None:
        content = {"state": asdict(state), "random": random_states(), **updater.state_dict()}
        with updater.averaged():
            store.save(model, content, step=state.step, epoch=state.epoch, scores=scores)

    def validate() -> Mapping[str, float]:
        with updater.averaged():
            return validator()

    return Trainer(
        updater=updater,
        schedule=Schedule(**training.schedule.model_dump()),
        batches=build_batches(config, prepared, device),
        settings=Settings(
            learning_rate=training.optimizer.learning_rate,
            limits=Limits(training.max_epochs, training.max_steps, training.max_minutes),
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
        sinks=[Screen()],
        interrupts=interrupts,
    )


def _build_validator(
    config: Config, model: Seq2Seq, prepared: PreparedData, precision: Precision, interrupts: Interrupts
) -> Validator:
    return Validator(
        model,
        prepared.tokenizers,
        prepared.validation,
        list(read_linked(config.data.validation)),
        decoding=validation_search(config),
        metrics=text_metrics(config.training),
        precision=precision,
        check=interrupts.check,
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
