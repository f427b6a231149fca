"""The likelihood of the target under teacher forcing, with what is asked of the attention weights."""

from __future__ import annotations

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.losses import forced_loss
from seq2seq_attn.training.objectives.base import Lost, Objective
from seq2seq_attn.training.weight_losses import WeightLosses


class LikelihoodObjective(Objective):
    """Maximum likelihood.

    Args:
        label_smoothing: share of probability given to all tokens alike.
        weight_losses: what is added for the attention weights.
    """

    def __init__(self, label_smoothing: float = 0.0, weight_losses: WeightLosses | None = None) -> None:
        self.label_smoothing = label_smoothing
        self.weight_losses = weight_losses or WeightLosses()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the losses on attention weights."""
        return tuple(self.weight_losses.factors)

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return the smoothed loss and those on the weights."""
        del step
        forced = model(batch.source, batch.source_lengths, batch.target_in)
        loss = forced_loss(model, forced, batch, smoothing=self.label_smoothing)
        parts = self.weight_losses.sums(forced.weights, batch)
        total = loss.smoothed
        for name, found in parts.items():
            total = total + self.weight_losses.factors[name] * found
        return Lost(total, loss.negative_log_likelihood, parts)
