"""The models that translate together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq_attn.checkpoint import Checkpoint, load_checkpoint
from seq2seq_attn.data.tokenizers import Tokenizer, Tokenizers
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.models.base import Seq2Seq


class Member(NamedTuple):
    """One of them."""

    model: Seq2Seq
    tokenizers: Tokenizers


def load_members(
    runs: str | Path | Sequence[str | Path], *, device: str, checkpoint: str
) -> tuple[list[Member], Checkpoint]:
    """Open one run, or several that are separated by commas or listed.

    Returns:
        the models with their tokenizers, and all of the first run.

    Raises:
        CheckpointError: if one is no run, or its target vocabulary is not that of the first.
    """
    paths = split_runs(runs)
    loaded = [load_checkpoint(path, device=device, checkpoint=checkpoint) for path in paths]
    first = loaded[0]
    for path, other in zip(paths[1:], loaded[1:], strict=True):
        difference = vocabulary_difference(first.tokenizer.target, other.tokenizer.target)
        if difference:
            raise CheckpointError(
                f"{path}: {difference} ({paths[0]}): models that translate together write the same tokens; "
                "train them with one tokenizer, or leave this run out"
            )
    return [Member(one.model, one.tokenizer) for one in loaded], first


def split_runs(runs: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the folders that ``RUN`` names: one, or several separated by commas.

    Raises:
        CheckpointError: if there is none, or nothing between two commas.
    """
    if isinstance(runs, str | Path):
        names = [str(runs)] if Path(runs).exists() else str(runs).split(",")
    else:
        names = [str(run) for run in runs]
    if not names or not all(name.strip() for name in names):
        raise CheckpointError(f"{runs}: name a run, or several separated by commas")
    return [Path(name) for name in names]


def vocabulary_difference(first: Tokenizer, other: Tokenizer) -> str:
    """Say how another target vocabulary differs from the first one; nothing if it does not."""
    if first.kind != other.kind:
        return f"its target tokenizer is of kind {other.kind!r}, but that of the first run is {first.kind!r}"
    if len(first) != len(other):
        return f"its target vocabulary has {len(other)} tokens, but that of the first run has {len(first)}"
    for number in range(len(first)):
        ours, theirs = first.id_to_token(number), other.id_to_token(number)
        if ours != theirs or first.surface(number) != other.surface(number):
            return f"token {number} of its target vocabulary is {theirs!r}, but that of the first run is {ours!r}"
    return ""
