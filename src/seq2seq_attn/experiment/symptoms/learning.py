"""Symptoms of training: a loss that does not fall, rises again, or was still falling when training ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from seq2seq_attn.config.schema import DropoutConfig, TrainingConfig
from seq2seq_attn.evaluation.metrics import METRICS, higher_is_better
from seq2seq_attn.experiment.symptoms.finding import Finding, fine, unchecked

Record = Mapping[str, Any]

FEWEST_RECORDS = 8
"""Log lines below which a curve cannot be told from noise."""

NOT_FALLING = 0.9
"""The loss of the last quarter over that of the first lines: within an epoch even a slow training takes a third off."""

STILL_HIGH = 1.0
"""Nats per token; below that there is little left to fall."""

DIVERGED = 1.3
"""The loss at the end over the lowest there was (medians of a few log lines): noise does not lift it by a third."""

GAP = 0.3
"""Nats per token by which validation is above training. Dropout alone lowers it: training is measured with dropout."""

GAP_RATIO = 1.5
"""And how many times as high it is, so that text which is hard for both is not blamed."""

RISE = 1.05
"""The last validation loss over the lowest one: past the best point by one part in twenty."""

UNWRITTEN_DROPOUT = DropoutConfig()
"""That of a configuration that says nothing of it."""

ENOUGH_DROPOUT = 0.3
"""The least dropout that is advised against learning by heart."""

ENOUGH_SMOOTHING = 0.1
"""The label smoothing that is advised against it."""

STILL_BETTER_POINTS = 0.5
"""Points of BLEU, or of another metric that runs from 0 to 100, that the last validation gained over all before it:
about what the choice of a seed gives."""

STILL_BETTER_SHARE = 0.01
"""The same for the loss and other numbers without such a scale, as a share of them."""

EARLY = 1 / 3
"""A best validation in the first third, with none better in the other two."""

CLIPPED = 3.0
"""Median norm of the gradient over clip_norm: above it, clipping and not the learning rate sets every step."""


def check_learning(
    records: Sequence[Record], training: TrainingConfig, dropout: DropoutConfig = UNWRITTEN_DROPOUT
) -> list[Finding]:
    """Read the log of a training: ``metrics.jsonl``.

    Args:
        records: its lines, in order.
        training: the ``training`` section of the configuration.
        dropout: of the ``model`` section.
    """
    logged = [record for record in records if record.get("kind") == "train" and _is_number(record.get("loss"))]
    validations = [record for record in records if record.get("kind") == "validation"]
    if not logged and not validations:
        return [unchecked("learning rate", "there is no log of the training (metrics.jsonl)")]
    findings = [_loss(logged, training), _gradients(logged, training)]
    if len(validations) < 2:
        why = f"there are {len(validations)} validations in metrics.jsonl; two are needed to compare"
        return [*findings, unchecked("overfitting", why), unchecked("end of training", why)]
    return [*findings, _overfitting(logged, validations, training, dropout), _ending(validations, training)]


def _loss(logged: Sequence[Record], training: TrainingConfig) -> Finding:
    if len(logged) < FEWEST_RECORDS:
        why = f"metrics.jsonl has {len(logged)} lines of training; {FEWEST_RECORDS} are needed to see a trend"
        return unchecked("learning rate", why)
    losses = [float(record["loss"]) for record in logged]
    window = max(len(losses) // 10, 3)
    first, last = max(losses[:3]), median(losses[-max(len(losses) // 4, 1) :])
    lowest = min(median(losses[begin : begin + window]) for begin in range(len(losses) - window + 1))
    end = median(losses[-window:])
    rate = training.optimizer.learning_rate
    numbers = {"first": first, "last": last, "lowest": lowest, "end": end, "learning_rate": rate}
    steps = f"step {logged[0]['step']} to {logged[-1]['step']}"
    if not all(map(math.isfinite, losses)) or (end > DIVERGED * lowest and end - lowest > GAP):
        return Finding(
            "problem",
            "learning rate",
            "training diverged: the loss rose again and stayed up",
            f"training loss {lowest:.2f} at its lowest, {end:.2f} at the end ({steps})",
            f"training.optimizer.learning_rate: {rate / 3:.2g} (now {rate:g}), "
            f"or training.schedule.warmup_steps: {max(4 * training.schedule.warmup_steps, 400)} "
            f"(now {training.schedule.warmup_steps})",
            numbers,
        )
    if last > NOT_FALLING * first and last > STILL_HIGH:
        return Finding(
            "problem",
            "learning rate",
            "the model learns nothing: the loss does not fall",
            f"training loss {first:.2f} at first, {last:.2f} in the last quarter ({steps})",
            f"training.optimizer.learning_rate: {3 * rate:.2g} if the curve is smooth, {rate / 3:.2g} if it jumps "
            f"(now {rate:g}); and look whether line i of the target translates line i of the source",
            numbers,
        )
    return fine("learning rate", f"the training loss fell from {first:.2f} to {last:.2f} ({steps})", **numbers)


def _gradients(logged: Sequence[Record], training: TrainingConfig) -> Finding:
    norms = [float(record["gradient_norm"]) for record in logged if _is_number(record.get("gradient_norm"))]
    if not norms or training.clip_norm is None:
        why = "training.clip_norm is null" if norms else "metrics.jsonl holds no gradient norms"
        return unchecked("gradient norm", why)
    middle = median(norms)
    evidence = f"median norm {middle:.2g} with training.clip_norm {training.clip_norm:g}"
    numbers = {"median": middle, "clip_norm": training.clip_norm}
    if middle < CLIPPED * training.clip_norm:
        return fine("gradient norm", evidence, **numbers)
    return Finding(
        "warning",
        "gradient norm",
        "nearly every gradient is cut down, so the size of a step is that of clip_norm",
        evidence,
        f"training.clip_norm: {2 * middle:.1g} (now {training.clip_norm:g}), or a lower learning rate",
        numbers,
    )


def _overfitting(
    logged: Sequence[Record], validations: Sequence[Record], training: TrainingConfig, dropout: DropoutConfig
) -> Finding:
    losses = [float(record["loss"]) for record in validations]
    lowest, end = min(losses), losses[-1]
    near = [float(record["loss"]) for record in logged[-5:]]
    learned = median(near) if near else math.nan
    numbers = {"validation": end, "lowest": lowest, "train": learned}
    evidence = (
        f"at the end the loss is {learned:.2f} in training and {end:.2f} in validation, {lowest:.2f} at its lowest"
    )
    rises = end > RISE * lowest and end - lowest > 0.02
    is_apart = end - learned > GAP and end > GAP_RATIO * learned
    if not rises and not is_apart:
        return fine("overfitting", evidence, **numbers)
    more = min(max(dropout.output + 0.1, ENOUGH_DROPOUT), 0.9)
    mends = [f"model.dropout.output: {more:.2g} (now {dropout.output:g}), and other places likewise"]
    if training.label_smoothing < ENOUGH_SMOOTHING:
        mends.append(f"training.label_smoothing: {ENOUGH_SMOOTHING} (now {training.label_smoothing:g})")
    return Finding(
        "warning",
        "overfitting",
        "the model learns its training text by heart",
        evidence,
        f"{'; '.join(mends)}; a smaller model, or more text",
        numbers,
    )


def _ending(validations: Sequence[Record], training: TrainingConfig) -> Finding:
    metric = training.validation_metric
    higher = higher_is_better(metric)
    in_points = metric in METRICS
    found = [float(record[metric]) for record in validations if _is_number(record.get(metric))]
    if len(found) < 2:
        return unchecked("end of training", f"metrics.jsonl holds no two validations with {metric}")
    before = max(found[:-1]) if higher else min(found[:-1])
    gain = found[-1] - before if higher else before - found[-1]
    gain = gain if in_points else gain / max(abs(before), 1e-9)
    best = found.index(max(found) if higher else min(found))
    numbers = {"best": found[best], "last": found[-1], "gain": gain, "best_at": (best + 1) / len(found)}
    name = metric.upper() if in_points else metric
    evidence = f"{name} {found[best]:.4g} at validation {best + 1} of {len(found)}, {found[-1]:.4g} at the last"
    if gain >= (STILL_BETTER_POINTS if in_points else STILL_BETTER_SHARE):
        return Finding(
            "note",
            "end of training",
            "the model was still getting better when training ended",
            f"{evidence}, against {before:.4g} before it",
            _longer(training),
            numbers,
        )
    if len(found) >= 6 and best + 1 <= EARLY * len(found):
        return Finding(
            "warning",
            "end of training",
            "training brought nothing after its first third",
            evidence,
            f"training.schedule.kind: cosine or plateau, which lower the learning rate (now {training.schedule.kind}); "
            f"training.optimizer.learning_rate: {training.optimizer.learning_rate / 2:.2g} "
            f"(now {training.optimizer.learning_rate:g}); or training.patience: 3 to save the time",
            numbers,
        )
    return fine("end of training", evidence, **numbers)


def _longer(training: TrainingConfig) -> str:
    keys = ("max_epochs", "min_steps") if training.max_epochs is not None else ("max_steps", "max_minutes")
    limits = {key: getattr(training, key) for key in keys}
    longer = [
        f"training.{key}: {1.5 * limit:.0f} (now {limit:g})" for key, limit in limits.items() if limit is not None
    ]
    return f"{' and '.join(longer)}, in a new run where the schedule is cosine"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
