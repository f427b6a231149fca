"""A corpus and a configuration so small that training takes a second: digits in words, said backwards."""

from __future__ import annotations

import atexit
import functools
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml
from command_server import shared_commands

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PORTUGUESE = ["zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"]

SIZES = {"train": 127, "validation": 19, "test": 17}

TIMES = ("seconds", "tokens_per_second", "minutes_left")


def write_corpus(folder: Path, *, seed: int = 1, longest: int = 5) -> None:
    """Write ``train``, ``validation`` and ``test``, each as ``.en`` and ``.pt``, with their gold ``.align``."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    for split, size in SIZES.items():
        sentences = [[chance.randrange(10) for _ in range(chance.randint(1, longest))] for _ in range(size)]
        source = [" ".join(ENGLISH[digit] for digit in digits) for digits in sentences]
        target = [" ".join(PORTUGUESE[digit] for digit in reversed(digits)) for digits in sentences]
        links = [" ".join(f"{word}-{len(digits) - 1 - word}" for word in range(len(digits))) for digits in sentences]
        for suffix, lines in (("en", source), ("pt", target), ("align", links)):
            (folder / f"{split}.{suffix}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def settings(folder: Path, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a configuration as a tree; ``changes`` are written like overrides: ``{"model.bridge": "last"}``."""

    def files(split: str) -> dict[str, str]:
        return {"source": str(folder / f"{split}.en"), "target": str(folder / f"{split}.pt")}

    tree: dict[str, Any] = {
        "name": "tiny",
        "data": {
            "source_language": "en",
            "target_language": "pt",
            "train": files("train"),
            "validation": files("validation"),
            "test": {"test": files("test")},
        },
        "tokenizer": {"kind": "word", "shared": False},
        "model": {
            "embedding_size": 11,
            "tie_embeddings": "none",
            "dropout": 0.1,
            "encoder": {"hidden_size": 7},
            "decoder": {"hidden_size": 13},
        },
        "training": {
            "device": "cpu",
            "precision": "float32",
            "threads": 1,
            "optimizer": {"learning_rate": 0.01},
            "schedule": {"kind": "cosine", "warmup_steps": 3},
            "batch_sentences": 32,
            "max_epochs": 3,
            "patience": None,
            "log_every": 3,
        },
        "decoding": {"beam_size": 3},
    }
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        section = tree
        for name in path:
            section = section.setdefault(name, {})
        section[last] = value
    return tree


def write_config(folder: Path, changes: dict[str, Any] | None = None, *, name: str = "tiny.yaml") -> Path:
    """Write corpus and configuration into ``folder``; return the configuration file."""
    if not (folder / "train.en").exists():
        write_corpus(folder)
    path = folder / name
    path.write_text(yaml.safe_dump(settings(folder, changes), allow_unicode=True), encoding="utf-8")
    return path


LEARNED = {
    "model.embedding_size": 32,
    "model.dropout": 0.0,
    "model.encoder": {"hidden_size": 32},
    "model.decoder": {"hidden_size": 64},
    "training.max_epochs": 20,
    "training.batch_sentences": 16,
    "training.schedule": {"kind": "cosine", "warmup_steps": 10},
    "training.validate_every": 60,
    "training.log_every": 50,
}
"""What makes a model that has learned its task, more or less, in three seconds."""


@functools.cache
def trained_run() -> Path:
    """Train the one run that all tests read and none may change; return its folder."""
    scratch = tempfile.TemporaryDirectory(prefix="trained-")
    atexit.register(scratch.cleanup)
    folder = Path(scratch.name)
    done = shared_commands()("train", write_config(folder, LEARNED), "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"


def copy_run(run: Path, to: Path) -> Path:
    """Copy a run, so that it can be damaged."""
    shutil.copytree(run, to, symlinks=True)
    return to


@functools.cache
def exported_run() -> Path:
    """Export the trained run, for all tests that read it; none may change the folder."""
    scratch = tempfile.TemporaryDirectory(prefix="exported-")
    atexit.register(scratch.cleanup)
    folder = Path(scratch.name) / "exported"
    done = shared_commands()("export", trained_run(), "--format", "onnx", "--output", folder)
    assert done.status == 0, done.err
    return folder
