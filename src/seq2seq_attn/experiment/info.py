"""What is in a run, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seq2seq_attn.checkpoint.folders import BEST, CHECKPOINTS, LAST, TOKENIZER, find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import count_parameters, read_info
from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.experiment.run_folder import EVALUATION


def describe_run(path: Path) -> dict[str, Any]:
    """Collect what a run's files say of it.

    Raises:
        CheckpointError: if the folder is no run, or something in it is missing or damaged.
    """
    run, checkpoint = find_checkpoint(path)
    config = read_run_config(run)
    tokenizers = Tokenizers.load(run / TOKENIZER)
    return {
        "run": str(run),
        "name": config.name,
        "languages": [config.data.source_language, config.data.target_language],
        "tokenizer": config.tokenizer.kind,
        "vocabulary": [len(tokenizers.source), len(tokenizers.target)],
        "architecture": config.model.architecture,
        "attention": describe_attention(config.model),
        "parameters": count_parameters(checkpoint),
        "checkpoints": _checkpoints(run),
        "scores": _scores(run, find_checkpoint(run)[1].name),
    }


def format_run(found: dict[str, Any]) -> str:
    """Write what :func:`describe_run` found as a few lines."""
    source, target = found["languages"]
    lines = [
        f"{found['name']}  ({found['run']})",
        f"  languages    {source} -> {target}",
        f"  tokenizer    {found['tokenizer']}, vocabulary {found['vocabulary'][0]:,} and {found['vocabulary'][1]:,}",
        f"  model        {found['architecture']}, attention {found['attention']}, {found['parameters']:,} parameters",
        "  checkpoints",
    ]
    for checkpoint in found["checkpoints"]:
        scores = checkpoint["scores"] or {}
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in scores.items()) or "not validated"
        marks = ", ".join(checkpoint["links"])
        lines.append(f"    {checkpoint['name']}  {numbers}" + (f"  <- {marks}" if marks else ""))
        if checkpoint["averaged"] is not None:
            lines.append(f"      the mean of {', '.join(one['checkpoint'] for one in checkpoint['averaged'])}")
    if found["scores"]:
        lines.append("  test scores (of the best checkpoint)")
        for evaluation in found["scores"]:
            for score in evaluation["scores"].values():
                lines.append(f"    {evaluation['split']}, beam {evaluation['beam_size']}: {score['text']}")
    return "\n".join(lines)


def _checkpoints(run: Path) -> list[dict[str, Any]]:
    folder = run / CHECKPOINTS
    links = {name: (folder / name).resolve().name for name in (BEST, LAST) if (folder / name).exists()}
    found = []
    for path in sorted(folder.glob("step-*")):
        info = read_info(path)
        pointed = [name for name, target in links.items() if target == path.name]
        about = {"epoch": info.epoch, "scores": info.scores, "averaged": info.averaged}
        found.append({"name": path.name, **about, "links": pointed})
    return found


def _scores(run: Path, best: str) -> list[dict[str, Any]]:
    """Return the scores of the best checkpoint: those of another one, which was the best once, are not its."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((run / EVALUATION).glob("*.json"))]
    return [one for one in found if (one.get("origin") or {}).get("checkpoint", best) == best]
