"""From a run folder back to a model that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.checkpoint.contents import read_parameters
from seq2seq_attn.checkpoint.folders import BEST, TOKENIZER, find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import MODEL, check_files, read_info
from seq2seq_attn.config import Config
from seq2seq_attn.data.tokenizers import PAD, Tokenizers
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import choose_device


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with all it needs.

    Attributes:
        model: in evaluation mode, on the device asked for.
        config: that it was trained with.
        tokenizer: of both languages: ``tokenizer.source`` and ``tokenizer.target``.
        step: optimizer steps made.
        metrics: scores of its validation; empty when it was not validated.
        run: the run folder.
        folder: the checkpoint folder.
    """

    model: Seq2Seq
    config: Config
    tokenizer: Tokenizers
    step: int
    metrics: dict[str, float]
    run: Path
    folder: Path


def load_checkpoint(run: str | Path, *, checkpoint: str = BEST, device: str = "cpu") -> Checkpoint:
    """Open a checkpoint of a run.

    Nothing that came with the files is executed: parameters are safetensors, and the
    configuration names mechanisms that this installation knows.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        checkpoint: ``best``, ``last`` or ``step-...``; only for a run folder.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        CheckpointError: if the folder is no run, or something in it is missing, damaged or foreign.
    """
    run_folder, folder = find_checkpoint(Path(run), checkpoint)
    config = read_run_config(run_folder)
    info = read_info(folder)
    check_files(folder, info, (MODEL,))
    tokenizers = Tokenizers.load(run_folder / TOKENIZER)
    model = build_model(
        config.model,
        source_vocabulary=len(tokenizers.source),
        target_vocabulary=len(tokenizers.target),
        padding=PAD,
    )
    read_parameters(folder, model)
    model = model.to(choose_device(device)).eval()
    return Checkpoint(model, config, tokenizers, info.step, dict(info.scores or {}), run_folder, folder)
