"""From a configuration to what makes the steps of a training."""

from __future__ import annotations

from seq2seq_attn.config.schema import TrainingConfig
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.averages import MovingAverage
from seq2seq_attn.training.objectives.base import Objective
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.optimizers import build_optimizer
from seq2seq_attn.training.updater import Updater
from seq2seq_attn.training.weight_losses import WeightLosses


def build_updater(training: TrainingConfig, model: Seq2Seq, precision: Precision) -> Updater:
    """Build optimizer, losses and the average of the parameters.

    Args:
        training: how the model learns.
        model: with the parameters that it begins with, on its device.
        precision: of the matrix products.
    """
    optimizer = build_optimizer(model, **training.optimizer.model_dump())
    return Updater(
        model,
        optimizer,
        device=next(model.parameters()).device,
        precision=precision,
        objective=build_objective(training),
        clip_norm=training.clip_norm,
        average=None if training.ema is None else MovingAverage(model, optimizer, training.ema),
    )


def build_objective(training: TrainingConfig) -> Objective:
    """Build what a training descends."""
    guided = training.guided_alignment
    weight_losses = WeightLosses(training.coverage_loss, guided.weight, guided.loss)
    return LikelihoodObjective(training.label_smoothing, weight_losses)
