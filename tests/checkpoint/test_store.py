"""Which checkpoints stay, what the links say, and what survives damage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seq2seq_attn.checkpoint import CheckpointStore
from seq2seq_attn.checkpoint.info import check_files, read_info
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.errors import CheckpointError, TrainingError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model

TREE = {"embedding_size": 3, "encoder": {"hidden_size": 2}, "decoder": {"hidden_size": 5}}


@pytest.fixture(scope="module")
def model() -> Seq2Seq:
    torch.manual_seed(1)
    return build_model(ModelConfig.model_validate(TREE), source_vocabulary=7, target_vocabulary=11, padding=0)


Save = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", metric="bleu", higher_is_better=True, keep_best=2)


def save(store: CheckpointStore, model: Seq2Seq, step: int, bleu: float | None) -> Path:
    scores = None if bleu is None else {"bleu": bleu, "loss": 1.0}
    return store.save(model, {"state": {"step": step}}, step=step, epoch=1, scores=scores)


def steps(store: CheckpointStore) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in store.folder.glob("step-*"))


def link(store: CheckpointStore, name: str) -> int:
    path = store.folder / name
    assert not path.readlink().is_absolute(), "a run folder can be moved"
    return int(path.resolve(strict=True).name.removeprefix("step-"))


def test_the_best_few_and_the_newest_stay(store: CheckpointStore, model: Seq2Seq) -> None:
    history = []
    for step, bleu in ((1, 10.0), (2, 30.0), (3, 20.0), (4, 5.0), (5, None), (6, 25.0), (7, 1.0)):
        save(store, model, step, bleu)
        history.append((steps(store), link(store, "best"), link(store, "last")))
    assert history == [
        ([1], 1, 1),
        ([1, 2], 2, 2),
        ([2, 3], 2, 3),
        ([2, 3, 4], 2, 4),
        ([2, 3, 5], 2, 5),
        ([2, 6], 2, 6),
        ([2, 6, 7], 2, 7),
    ]


def test_of_equals_the_earlier_is_best(store: CheckpointStore, model: Seq2Seq) -> None:
    for step in (1, 2, 3):
        save(store, model, step, 7.0)
    assert (steps(store), link(store, "best"), link(store, "last")) == ([1, 2, 3], 1, 3)


def test_less_may_be_better(tmp_path: Path, model: Seq2Seq) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", metric="bleu", higher_is_better=False, keep_best=1)
    for step, bleu in ((1, 3.0), (2, 1.0), (3, 2.0)):
        save(store, model, step, bleu)
    assert (steps(store), link(store, "best")) == ([2, 3], 2)


def test_before_the_first_validation_nothing_is_best(store: CheckpointStore, model: Seq2Seq) -> None:
    save(store, model, 1, None)
    assert not (store.folder / "best").exists()
    assert link(store, "last") == 1


def test_the_folder_says_what_is_in_it(store: CheckpointStore, model: Seq2Seq) -> None:
    folder = save(store, model, 3, 12.5)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.json", "model.safetensors", "training.pt"]
    info = read_info(folder)
    assert (info.step, info.epoch, info.scores) == (3, 1, {"bleu": 12.5, "loss": 1.0})
    check_files(folder, info)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "model cut": ("model.safetensors", truncate),
    "training cut": ("training.pt", truncate),
    "info cut": ("checkpoint.json", truncate),
    "info empty": ("checkpoint.json", lambda path: os.truncate(path, 0)),
    "info foreign": ("checkpoint.json", lambda path: path.write_text("[]") and None),
    "model gone": ("model.safetensors", Path.unlink),
    "training gone": ("training.pt", Path.unlink),
    "info gone": ("checkpoint.json", Path.unlink),
    "one bit": ("model.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f") and None),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_newest_one_is_reported_and_passed_over(store: CheckpointStore, model: Seq2Seq, damage: str) -> None:
    for step in (1, 2):
        save(store, model, step, 7.0)
    name, harm = DAMAGE[damage]
    harm(store.folder / "step-00000002" / name)
    said: list[str] = []
    found = store.newest(said.append)
    assert found is not None
    assert found[0].name == "step-00000001"
    assert len(said) == 1
    assert said[0].startswith("passing over a damaged checkpoint: ")
    assert "step-00000002" in said[0]
    save(store, model, 2, 8.0)  # training comes by again, and mends it
    found = store.newest(said.append)
    assert found is not None
    assert found[1].step == 2


def test_when_none_is_whole_training_does_not_begin_anew(store: CheckpointStore, model: Seq2Seq) -> None:
    """Standing for: a week of training that --resume buried under a new beginning, because of one bad sector."""
    for step in (1, 2):
        truncate(save(store, model, step, 7.0) / "training.pt")
    said: list[str] = []
    with pytest.raises(CheckpointError, match="none of the checkpoints here is whole"):
        store.newest(said.append)
    assert len(said) == 2
    assert steps(store) == [1, 2]


def test_every_name_is_given_to_what_is_on_the_disk(
    store: CheckpointStore, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standing for: a power cut after which the newest checkpoint has its name and no content.

    All that goes into a folder is flushed before the folder gets its name, and so is the folder itself.
    """
    save(store, model, 1, 7.0)
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.partition("-step")[0])
        fsync(descriptor)

    def watched_rename(self: Path, target: Path) -> Path:
        events.append(f"rename to {Path(target).name}")
        return rename(self, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc here")
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    save(store, model, 2, 8.0)
    named = events.index("rename to step-00000002")
    assert sorted(events[:named]) == [".aside", "checkpoint.json", "model.safetensors", "training.pt"]
    assert events[named - 1] == ".aside"
    assert events[named + 1] == "checkpoints"


def test_nothing_there(store: CheckpointStore) -> None:
    assert store.newest(pytest.fail) is None
    store.folder.mkdir()
    assert store.newest(pytest.fail) is None


def test_a_write_that_fails_leaves_nothing(
    store: CheckpointStore, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, model, 1, 7.0)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", no_space)
    before = sorted(store.folder.rglob("*"))
    with pytest.raises(TrainingError, match=r"2: cannot be written \(No space .* checkpoint is step-00000001\. "):
        save(store, model, 2, 8.0)
    assert sorted(store.folder.rglob("*")) == before


def test_what_an_interrupted_write_left_is_cleared_away(store: CheckpointStore, model: Seq2Seq) -> None:
    save(store, model, 1, 7.0)
    half = store.folder / ".aside-step-00000002-123-abcdef01"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    (store.folder / ".aside-last-123-abcdef01").symlink_to("step-00000001")
    found = store.newest(pytest.fail)
    assert found is not None
    assert found[1].step == 1
    assert not list(store.folder.glob(".aside-*"))


def test_a_whole_one_that_lost_its_name_gets_it_back(store: CheckpointStore, model: Seq2Seq) -> None:
    """Standing for: a machine that dies between the two renames that replace a checkpoint."""
    folder = save(store, model, 1, 7.0)
    folder.rename(store.folder / ".aside-step-00000001-123-abcdef01")
    found = store.newest(pytest.fail)
    assert found is not None
    assert found[0] == folder
    assert not list(store.folder.glob(".aside-*"))


def test_what_a_kill_left_undone_after_the_last_save_is_done(store: CheckpointStore, model: Seq2Seq) -> None:
    """Standing for: a run killed in its very last save, whose ``best`` stayed the second best for ever."""
    for step, bleu in ((1, 1.0), (2, 2.0)):
        save(store, model, step, bleu)
    elsewhere = CheckpointStore(store.folder / "x", metric="bleu", higher_is_better=True, keep_best=2)
    save(elsewhere, model, 3, 3.0).rename(store.folder / "step-00000003")
    found = store.newest(pytest.fail)
    assert found is not None
    assert (steps(store), link(store, "best"), link(store, "last")) == ([2, 3], 3, 3)


def test_best_is_never_one_that_was_passed_over(store: CheckpointStore, model: Seq2Seq) -> None:
    for step, bleu in ((1, 1.0), (2, 2.0)):
        save(store, model, step, bleu)
    truncate(store.folder / "step-00000002" / "model.safetensors")
    store.newest(lambda _: None)
    assert (steps(store), link(store, "best"), link(store, "last")) == ([1, 2], 1, 1)
