"""The loss of a batch under teacher forcing."""

from __future__ import annotations

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Forced, Seq2Seq
from seq2seq_attn.nn.losses import Loss, output_loss
from seq2seq_attn.nn.pointer import Copying, pointer_loss


def batch_loss(model: Seq2Seq, batch: Batch, *, smoothing: float = 0.0) -> Loss:
    """Return the loss of a batch under teacher forcing, summed over its target tokens."""
    forced = model(batch.source, batch.source_lengths, batch.target_in)
    return forced_loss(model, forced, batch, smoothing=smoothing)


def forced_loss(model: Seq2Seq, forced: Forced, batch: Batch, *, smoothing: float = 0.0) -> Loss:
    """Return the loss of what ``model`` made of a batch, summed over the batch's target tokens.

    The output layer, most of a step's work, sees tokens only and no padding.
    """
    tokens = batch.target_mask
    features, targets = forced.features[tokens], batch.target_out[tokens]
    weight, bias = model.output.weight, model.output.bias
    if forced.generate is None:
        return output_loss(features, weight, bias, targets, smoothing=smoothing)
    sentence = tokens.nonzero()[:, 0]
    copying = Copying(forced.generate[tokens], forced.weights[tokens], batch.source, sentence)
    return pointer_loss(features, weight, bias, targets, copying, smoothing=smoothing)
