"""The loss of a batch under teacher forcing."""

from __future__ import annotations

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.losses import Loss, output_loss


def batch_loss(model: Seq2Seq, batch: Batch, *, smoothing: float = 0.0) -> Loss:
    """Return the loss of a batch under teacher forcing, summed over its target tokens.

    The output layer, most of a step's work, sees tokens only and no padding.
    """
    forced = model(batch.source, batch.source_lengths, batch.target_in)
    tokens = batch.target_mask
    return output_loss(
        forced.features[tokens],
        model.output.weight,
        model.output.bias,
        batch.target_out[tokens],
        smoothing=smoothing,
    )
