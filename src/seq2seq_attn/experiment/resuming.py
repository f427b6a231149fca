"""What a checkpoint holds beside the model, and how training goes on from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq_attn.checkpoint.contents import read_parameters, read_training
from seq2seq_attn.checkpoint.info import Info
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.runtime import seed_everything
from seq2seq_attn.training.ranks import Ranks
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.trainer import Trainer

PROCESSES = "processes"


def random_states(ranks: Ranks, device: torch.device) -> dict[str, Any]:
    """Return the states of all generators that training draws from; those of each, if there are several processes."""
    if ranks.size > 1:
        own: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if device.type == "cuda":
            own["cuda"] = torch.cuda.get_rng_state()
        return {PROCESSES: ranks.gather(own)}
    states: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def seed_process(seed: int, step: int, ranks: Ranks) -> None:
    """Begin the random numbers of each of several processes anew, each with its own."""
    of_its_own = np.random.SeedSequence([seed, step, ranks.size, ranks.number]).generate_state(1, np.uint64)
    seed_everything(int(of_its_own[0]) >> 1)


def copy_model(model: Seq2Seq, ranks: Ranks) -> None:
    """Give all processes the parameters of the first."""
    ranks.copy([*model.parameters(), *model.buffers()])


def restore(
    trainer: Trainer, newest: tuple[Path, Info], ranks: Ranks, *, seed: int, tell: Callable[[str], None]
) -> None:
    """Bring a trainer to where a checkpoint was written.

    Args:
        trainer: as it would begin.
        newest: the checkpoint's folder and what it says of itself; read by the first process only.
        ranks: the processes that go on.
        seed: of the run.
        tell: told if random numbers cannot go on where they were.

    Raises:
        CheckpointError: if it is damaged, or lacks what this release needs.
    """
    folder, _ = newest

    def read() -> dict[str, Any]:
        content = read_training(folder)
        read_parameters(folder, trainer.updater.model)
        return content

    def take(content: dict[str, Any]) -> None:
        try:
            trainer.updater.load_state_dict(content)
            trainer.state = TrainState(**content["state"])
            _restore_random(content["random"], ranks, seed=seed, step=trainer.state.step, tell=tell)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"{folder}: holds no training state that this release can go on from ({type(error).__name__}: {error})"
            ) from error

    content = ranks.first(read)
    copy_model(trainer.updater.model, ranks)
    ranks.together(lambda: take(content))


def _restore_random(
    states: Mapping[str, Any], ranks: Ranks, *, seed: int, step: int, tell: Callable[[str], None]
) -> None:
    found = len(states.get(PROCESSES, [states]))
    if found != ranks.size:
        tell(
            f"the checkpoint is of {found} processes, and now there are {ranks.size}: the place in the data is kept, "
            "but random numbers (of dropout and the like) begin anew"
        )
        seed_process(seed, step, ranks)
    elif ranks.size > 1:
        own = states[PROCESSES][ranks.number]
        torch.set_rng_state(own["cpu"])
        if "cuda" in own and torch.cuda.is_available():
            torch.cuda.set_rng_state(own["cuda"])
    else:
        torch.set_rng_state(states["cpu"])
        if torch.cuda.is_available() and "cuda" in states:
            torch.cuda.set_rng_state_all(states["cuda"][: torch.cuda.device_count()])  # there may be fewer now
