"""What a checkpoint holds beside the model, and how training goes on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from seq2seq_attn.checkpoint.contents import Info, read_parameters, read_training
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.trainer import Trainer


def random_states() -> dict[str, Any]:
    """Return the states of all generators that training draws from."""
    states: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore(trainer: Trainer, newest: tuple[Path, Info]) -> None:
    """Bring a trainer to where a checkpoint was written.

    Args:
        trainer: as it would begin.
        newest: the checkpoint's folder and what it says of itself.

    Raises:
        CheckpointError: if it is damaged, or lacks what this release needs.
    """
    folder, _ = newest
    content = read_training(folder)
    read_parameters(folder, trainer.updater.model)
    try:
        trainer.updater.load_state_dict(content)
        trainer.state = TrainState(**content["state"])
        torch.set_rng_state(content["random"]["cpu"])
        if torch.cuda.is_available() and "cuda" in content["random"]:
            torch.cuda.set_rng_state_all(content["random"]["cuda"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder}: holds no training state that this release can go on from ({type(error).__name__}: {error})"
        ) from error
