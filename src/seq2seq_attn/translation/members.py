"""The models that translate together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from seq2seq_attn.checkpoint.folders import MANIFEST
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import Tokenizer, Tokenizers
from seq2seq_attn.decoding.protocol import Attending
from seq2seq_attn.errors import CheckpointError, ConfigError, UserError

if TYPE_CHECKING:
    from seq2seq_attn.models.base import Seq2Seq


class Member(NamedTuple):
    """One of them: a model as it was trained, of torch's, or one that computes with numpy's arrays."""

    model: Attending
    tokenizers: Tokenizers


def is_trained(model: Attending) -> TypeGuard[Seq2Seq]:
    """Tell whether a model is torch's, and not an exported one."""
    torch = sys.modules.get("torch")  # without it nothing of it can be there
    return torch is not None and isinstance(model, torch.nn.Module)


def trained(model: Attending, what: str) -> Seq2Seq:
    """Return a model as torch's.

    Args:
        model: any.
        what: needs it, for the error.

    Raises:
        UserError: if it is an exported one.
    """
    if not is_trained(model):
        raise UserError(f"{what} needs the run, not its export; name the run folder that was exported")
    return model


def load_members(
    runs: str | Path | Sequence[str | Path], *, device: str, checkpoint: str
) -> tuple[list[Member], DecodingConfig]:
    """Open one run or exported model, or several that are separated by commas or listed.

    Returns:
        the models with their tokenizers, and how the first is configured to search.

    Raises:
        CheckpointError: if one is neither, or its target vocabulary is not that of the first.
        ConfigError: if an exported model is to run on a GPU.
    """
    paths = split_runs(runs)
    loaded = [_load(path, device=device, checkpoint=checkpoint) for path in paths]
    members = [member for member, _ in loaded]
    first = members[0]
    for path, other in zip(paths[1:], members[1:], strict=True):
        difference = vocabulary_difference(first.tokenizers.target, other.tokenizers.target)
        if difference:
            raise CheckpointError(
                f"{path}: {difference} ({paths[0]}): models that translate together write the same tokens; "
                "train them with one tokenizer, or leave this run out"
            )
    return members, decoding_for(paths, loaded[0][1])


def _load(path: Path, *, device: str, checkpoint: str) -> tuple[Member, DecodingConfig]:
    if (path / MANIFEST).is_file():
        from seq2seq_attn.exported import open_exported

        if device not in ("auto", "cpu"):
            raise ConfigError(f"{path}: an exported model runs on the CPU, but device is {device!r}; use auto or cpu")
        exported = open_exported(path)
        return Member(exported.model, exported.tokenizers), exported.config.decoding
    from seq2seq_attn.checkpoint import load_checkpoint  # with torch, which an exported model does without

    opened = load_checkpoint(path, checkpoint=checkpoint, device=device)
    return Member(opened.model, opened.tokenizer), opened.config.decoding


def decoding_for(runs: Sequence[Path], decoding: DecodingConfig) -> DecodingConfig:
    """Return how runs are configured to search; the numbers of an exported model are what they were exported as."""
    if any((run / MANIFEST).is_file() for run in runs):
        return decoding.model_copy(update={"precision": "auto"})
    return decoding


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
