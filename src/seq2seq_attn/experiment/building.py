"""From a configuration and prepared data to the network and the batches that it learns from."""

from __future__ import annotations

import torch

from seq2seq_attn.config import Config
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.prepare import PreparedData
from seq2seq_attn.data.tokenizers import PAD
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.training.ranks import Ranks


def build_network(config: Config, prepared: PreparedData, device: torch.device) -> Seq2Seq:
    """Build the model with random parameters, all of which learn."""
    return build_model(
        config.model,
        source_vocabulary=len(prepared.tokenizers.source),
        target_vocabulary=len(prepared.tokenizers.target),
        padding=PAD,
    ).to(device)


def build_batches(
    config: Config, prepared: PreparedData, device: torch.device, ranks: Ranks | None = None
) -> BatchLoader:
    """Build what makes batches ahead of the training that uses them on ``device``, in one process or several."""
    training = config.training
    return BatchLoader(
        prepared.train_epoch,
        batch_tokens=training.batch_tokens,
        batch_sentences=training.batch_sentences,
        seed=config.seed,
        with_alignment=training.guided_alignment.weight > 0,
        # of several processes each copies its share of a batch into such memory itself
        pin_memory=device.type == "cuda" and (ranks is None or ranks.size == 1),
    )
