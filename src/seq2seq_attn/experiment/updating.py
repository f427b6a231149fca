"""From a configuration to what makes the steps of a training."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_attn.config.schema import RiskConfig, TrainingConfig
from seq2seq_attn.data.tokenizers import Tokenizer, Tokenizers
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.metrics import score_sentences
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.averages import MovingAverage
from seq2seq_attn.training.objectives.base import Objective
from seq2seq_attn.training.objectives.candidates import CandidateSampler
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.minimum_risk import MinimumRisk, Risk, Texts
from seq2seq_attn.training.objectives.r_drop import RDrop
from seq2seq_attn.training.objectives.scheduled_sampling import RightShare, ScheduledSampling
from seq2seq_attn.training.objectives.word_dropout import WordDropout
from seq2seq_attn.training.optimizers import build_optimizer
from seq2seq_attn.training.ranks import Ranks
from seq2seq_attn.training.updater import Updater
from seq2seq_attn.training.weight_losses import WeightLosses


def build_updater(
    training: TrainingConfig,
    model: Seq2Seq,
    precision: Precision,
    tokenizers: Tokenizers | None = None,
    ranks: Ranks | None = None,
) -> Updater:
    """Build optimizer, losses and the average of the parameters.

    Args:
        training: how the model learns.
        model: with the parameters that it begins with, on its device.
        precision: of the matrix products.
        tokenizers: of both languages; some objectives can do without.
        ranks: the processes that train; None for this one alone.

    Raises:
        ConfigError: if this one cannot.
    """
    optimizer = build_optimizer(model, **training.optimizer.model_dump())
    return Updater(
        model,
        optimizer,
        device=next(model.parameters()).device,
        precision=precision,
        objective=build_objective(training, tokenizers),
        clip_norm=training.clip_norm,
        average=None if training.ema is None else MovingAverage(model, optimizer, training.ema),
        ranks=ranks,
    )


def build_objective(training: TrainingConfig, tokenizers: Tokenizers | None = None) -> Objective:
    """Build what a training descends: the likelihood, what is done to its batches, and what is put beside it.

    Raises:
        ConfigError: if tokenizers are needed and there are none.
    """
    objective = _build_likelihood(training)
    words, scheduled = training.word_dropout, training.scheduled_sampling
    if words.source or words.target:
        objective = WordDropout(
            objective,
            source=words.source,
            target=words.target,
            replacement=words.replace,
            source_vocabulary=len(_needed("word_dropout", tokenizers).source),
        )
    if scheduled is not None:
        share = RightShare(scheduled.decay, scheduled.steps, scheduled.minimum, scheduled.start_after)
        draw = scheduled.predictions == "sample"
        objective = ScheduledSampling(objective, share, passes=scheduled.passes, draw=draw)
    if training.minimum_risk is None:
        return objective
    return _build_risk(training.minimum_risk, _needed("minimum_risk", tokenizers).target, objective)


def _needed(key: str, tokenizers: Tokenizers | None) -> Tokenizers:
    if tokenizers is None:
        raise ConfigError(f"training.{key} needs tokenizers, and there are none here; remove this key")
    return tokenizers


def _build_likelihood(training: TrainingConfig) -> Objective:
    guided = training.guided_alignment
    weight_losses = WeightLosses(training.coverage_loss, guided.weight, guided.loss)
    if training.r_drop:
        return RDrop(training.r_drop, training.label_smoothing, weight_losses)
    return LikelihoodObjective(training.label_smoothing, weight_losses)


def _build_risk(config: RiskConfig, tokenizer: Tokenizer, likelihood: Objective) -> Objective:
    def gain(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
        return [score / 100 for score in score_sentences(hypotheses, references, config.utility)]

    return MinimumRisk(
        CandidateSampler(config.candidates, config.temperature, config.max_length_ratio),
        Risk(config.sharpness, config.length_normalization, config.include_reference, config.likelihood_weight),
        Texts(tokenizer.decode, gain),
        likelihood,
    )
