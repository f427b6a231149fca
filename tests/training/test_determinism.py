"""How batches are made ahead must not show in them."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from tiny import write_config

from seq2seq_attn.config import load_config
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.experiment.preparing import prepare_run


def content(batch: Batch) -> list[object]:
    values = [getattr(batch, field.name) for field in fields(batch)]
    return [value.tolist() if isinstance(value, torch.Tensor) else value for value in values]


@pytest.mark.parametrize("ahead", [1, 2, 64])
def test_batches_made_ahead_are_the_same_however_many(tmp_path: Path, ahead: int) -> None:
    """With subwords drawn anew each time, which is where an order of threads would show."""
    changes = {
        "tokenizer": {"kind": "sentencepiece", "vocabulary_size": 43, "shared": True, "sampling": 0.3},
        "tokenizer.algorithm": "unigram",
    }
    prepared = prepare_run(load_config(write_config(tmp_path, changes)), tmp_path / "run")

    def batches(ahead: int, epoch: int, start: int, *, slow: bool = False) -> list[list[object]]:
        found = []
        loader = BatchLoader(prepared.train_epoch, batch_sentences=16, seed=1, ahead=ahead)
        for batch in loader.epoch(epoch, start):
            torch.rand(3)  # a model draws too, in another thread
            if slow:
                time.sleep(0.005)
            found.append(content(batch))
        return found

    for epoch in (0, 1):
        wanted = batches(4, epoch, 0, slow=True)
        assert len(wanted) == 8
        assert batches(ahead, epoch, 0) == wanted
        assert batches(ahead, epoch, 3) == wanted[3:]
    assert batches(ahead, 0, 0) != batches(ahead, 1, 0)
