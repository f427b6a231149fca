"""The same bytes from ``translate`` at any batch size, on real test sets."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from command_server import Commands
from tiny import write_config

pytestmark = pytest.mark.slow

SETS = {
    "multi30k": ("multi30k/test_2016_flickr.en.gz", "multi30k/val.en.gz"),
    "tatoeba": ("tatoeba/test.en.gz",),
}
PAIRS = 3000  # that the model has seen: enough to write sentences, few enough for half a minute
SENTENCES = 80  # of each set


def head(packed: Path, to: Path, lines: int) -> Path:
    with gzip.open(packed, "rt", encoding="utf-8") as text:
        to.write_text("".join(line for line, _ in zip(text, range(lines), strict=False)), encoding="utf-8")
    return to


@pytest.fixture(scope="module")
def real_run(commands: Commands, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "tiny").mkdir()
    for split, lines in (("train", PAIRS), ("val", 50)):
        for language in ("en", "de"):
            head(real_data / "multi30k" / f"{split}.{language}.gz", folder / f"{split}.{language}", lines)
    config = write_config(
        folder / "tiny",
        {
            "data.target_language": "de",
            "data.train": {"source": str(folder / "train.en"), "target": str(folder / "train.de")},
            "data.validation": {"source": str(folder / "val.en"), "target": str(folder / "val.de")},
            "data.test": {},
            "tokenizer": {"vocabulary_size": 1000, "shared": False},
            "model.embedding_size": 64,
            "model.encoder": {"hidden_size": 64},
            "model.decoder": {"hidden_size": 128},
            "training.max_epochs": 2,
            "training.schedule": {"kind": "constant", "warmup_steps": 20},
        },
    )
    done = commands("train", config, "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("options", [(), ("--beam-size", 1)], ids=["beam", "greedy"])
def test_the_same_bytes_at_any_batch_size(commands, real_run, real_data, tmp_path, name, options):
    lines: list[str] = []
    for number, packed in enumerate(SETS[name]):
        lines += (
            head(real_data / packed, tmp_path / f"{number}", SENTENCES).read_text(encoding="utf-8").splitlines(True)
        )
    found = {}
    for size, texts in ((1, lines), (7, lines), (64, lines), (33, lines[::-1])):
        source, output = tmp_path / "source", tmp_path / f"output-{size}"
        source.write_text("".join(texts), encoding="utf-8")
        done = commands("translate", real_run, "--source", source, "--output", output, "--batch-size", size, *options)
        assert done.status == 0, done.err
        found[size] = output.read_bytes()
    assert len(set(found[64].splitlines())) > 30  # translations of different sentences differ
    assert found[1] == found[7] == found[64]
    assert found[33].splitlines() == found[64].splitlines()[::-1]
