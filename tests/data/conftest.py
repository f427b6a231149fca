"""Small corpora on disk, and where the real ones are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from seq2seq_attn.config.schema import Config

settings.register_profile("data", deadline=None)  # a busy machine is not a bug
settings.load_profile("data")

WriteCorpus = Callable[..., dict[str, str]]


@pytest.fixture
def write_corpus(tmp_path: Path) -> WriteCorpus:
    """Write two text files and return the configuration of the corpus."""

    def write(name: str, source: Sequence[str], target: Sequence[str]) -> dict[str, str]:
        paths = {}
        for side, lines in (("source", source), ("target", target)):
            path = tmp_path / f"{name}.{side}"
            path.write_bytes("".join(f"{line}\n" for line in lines).encode())
            paths[side] = str(path)
        return paths

    return write


@pytest.fixture
def make_config() -> Callable[..., Config]:
    """Make a configuration with the sections that data depends on."""

    def make(
        train: object,
        validation: object = None,
        *,
        max_length: int = 100,
        seed: int = 1,
        **tokenizer: Any,
    ) -> Config:
        data = {
            "source_language": "en",
            "target_language": "de",
            "train": train,
            "validation": validation or train,
            "max_length": max_length,
        }
        tokenizer = {"kind": "character", "vocabulary_size": 101} | tokenizer
        return Config.model_validate({"seed": seed, "data": data, "tokenizer": tokenizer})

    return make


@pytest.fixture(scope="session")
def multi30k(real_data: Path) -> Path:
    """Folder of the real Multi30k corpus; tests that need it skip when it is not there."""
    folder = real_data / "multi30k"
    if not (folder / "train.en.gz").is_file():
        pytest.skip(f"Multi30k is not in {folder}")
    return folder
