"""Opening checkpoints: what was saved comes back, and nothing else is let in or run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_attn import load_checkpoint
from seq2seq_attn.checkpoint.contents import read_parameters, read_training, write_checkpoint
from seq2seq_attn.checkpoint.info import count_parameters, read_info
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model

STATE = {"state": {"step": 3}, "random": {"cpu": torch.arange(5)}}


def model_with(tie: str = "none", *, seed: int = 1, embedding_size: int = 5) -> Seq2Seq:
    torch.manual_seed(seed)
    tree = {
        "embedding_size": embedding_size,
        "tie_embeddings": tie,
        "encoder": {"hidden_size": 2},
        "decoder": {"hidden_size": 5},
    }
    return build_model(ModelConfig.model_validate(tree), source_vocabulary=7, target_vocabulary=7, padding=0)


def write(folder: Path, model: Seq2Seq) -> Path:
    write_checkpoint(folder, model, STATE, step=3, epoch=1, scores={"bleu": 1.0})
    return folder


def set_checksums(folder: Path) -> None:
    """Make the checksums those of the files, as one who forges a checkpoint would."""
    path = folder / "checkpoint.json"
    info = json.loads(path.read_text())
    for name in info["checksums"]:
        info["checksums"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(info))


@pytest.mark.parametrize("tie", ["none", "target", "all"])
def test_parameters_come_back_and_stay_tied(tmp_path: Path, tie: str) -> None:
    model, other = model_with(tie), model_with(tie, seed=2)
    read_parameters(write(tmp_path / "step", model), other)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    target = other.target_embedding.table.weight  # type: ignore[union-attr]
    assert (other.output.weight is target) == (tie != "none")
    assert (other.source_embedding.table.weight is target) == (tie == "all")  # type: ignore[union-attr]
    assert count_parameters(tmp_path / "step") == model.num_parameters


def test_what_training_needs_comes_back(tmp_path: Path) -> None:
    found = read_training(write(tmp_path / "step", model_with()))
    assert found["state"] == {"step": 3}
    assert torch.equal(found["random"]["cpu"], torch.arange(5))


@pytest.mark.parametrize("tie", ["none", "all"])
def test_the_same_model_gives_the_same_bytes(tmp_path: Path, tie: str) -> None:
    """Standing for: safetensors' list of shared names, whose order changed from run to run."""
    contents = {(write(tmp_path / str(n), model_with(tie)) / "model.safetensors").read_bytes() for n in range(10)}
    assert len(contents) == 1


def test_parameters_of_another_model_name_the_first_that_differs(tmp_path: Path) -> None:
    folder = write(tmp_path / "step", model_with())
    with pytest.raises(CheckpointError, match=r"parameters of another model: .* is \(.*\) in the file and \(.*\)"):
        read_parameters(folder, model_with(embedding_size=11))
    with pytest.raises(CheckpointError, match=r"of another model: output.weight, .* stands alone in the file"):
        read_parameters(folder, model_with("all"))
    folder = write(tmp_path / "tied", model_with("all"))
    with pytest.raises(CheckpointError, match=r"parameters of another model: .* in the model"):
        read_parameters(folder, model_with())


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, -1])
def test_a_cut_file_of_parameters(tmp_path: Path, size: int) -> None:
    folder = write(tmp_path / "step", model_with())
    path = folder / "model.safetensors"
    os.truncate(path, size if size >= 0 else path.stat().st_size - 1)
    for read in (lambda: read_parameters(folder, model_with()), lambda: count_parameters(folder)):
        with pytest.raises(CheckpointError, match=r"model\.safetensors: not a safetensors file, or a damaged one"):
            read()


class Payload:
    """A pickle that makes a file when it is opened, wherever that is done carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))


def as_torch(path: Path, content: object) -> None:
    torch.save({"state": content}, path)


def as_old_torch(path: Path, content: object) -> None:
    torch.save({"state": content}, path, _use_new_zipfile_serialization=False)


def as_pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("forge", [as_torch, as_old_torch, as_pickle])
def test_pickled_code_is_never_run(run: Path, tmp_path: Path, forge: Callable[[Path, object], None]) -> None:
    mark = tmp_path / "made-by-the-pickle"
    folder = (run / "checkpoints" / "last").resolve()
    forge(folder / "training.pt", Payload(mark))
    set_checksums(folder)
    with pytest.raises(CheckpointError, match=r"training\.pt: damaged, or holds something other than tensors"):
        read_training(folder)
    assert not mark.exists()
    forge(folder / "model.safetensors", Payload(mark))
    set_checksums(folder)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(folder)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists(), "the payload is live"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64) | st.binary(max_size=16).map(lambda tail: b"\x80\x02" + tail))
def test_any_bytes_as_training_state_are_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "training.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"training\.pt: "):
        read_training(tmp_path)


def test_a_training_state_with_flipped_bytes_is_an_error_or_harmless(tmp_path: Path) -> None:
    folder = write(tmp_path / "step", model_with())
    whole = (folder / "training.pt").read_bytes()
    chance = random.Random(1)
    for _ in range(150):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (folder / "training.pt").write_bytes(content)
        with contextlib.suppress(CheckpointError):
            read_training(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"null", b"\xff", b'{"format": "new"}', b'{"format": 1, "step": 3}', b"[" * 100_000],
    ids=lambda content: content[:20],
)
def test_a_foreign_description(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path / "step", model_with())
    (folder / "checkpoint.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: damaged or foreign"):
        read_info(folder)


def test_a_later_format_names_the_release_to_install(tmp_path: Path) -> None:
    folder = write(tmp_path / "step", model_with())
    path = folder / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99, "version": "7.8.9"}))
    with pytest.raises(CheckpointError, match=r"written by seq2seq_attn 7\.8\.9, whose format is newer"):
        read_info(folder)


def test_a_run_opens_as_a_whole(run: Path) -> None:
    best = load_checkpoint(run)
    assert best.folder.name == (run / "checkpoints" / "best").resolve().name
    assert best.metrics.keys() == {"loss", "perplexity", "bleu"}
    assert not best.model.training
    assert best.run == run
    assert best.tokenizer.source.decode(best.tokenizer.source.encode("one two")) == "one two"
    assert load_checkpoint(run, checkpoint="last").step == 160
    assert load_checkpoint(str(run), checkpoint="step-00000060").step == 60
    assert load_checkpoint(run / "checkpoints" / "step-00000060").step == 60


def test_a_run_folder_can_be_moved(run: Path, tmp_path: Path) -> None:
    run.rename(tmp_path / "elsewhere")
    assert load_checkpoint(tmp_path / "elsewhere").step > 0


def remove_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


def cut_model(run: Path) -> None:
    os.truncate(run / "checkpoints" / "best" / "model.safetensors", 1000)


def damage_config(run: Path) -> None:
    (run / "config.yaml").write_text("model: [", encoding="utf-8")


def other_model(run: Path) -> None:
    path = run / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert "embedding_size: 32" in text
    path.write_text(text.replace("embedding_size: 32", "embedding_size: 31"), encoding="utf-8")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, r"run: no such run folder \(working directory: "),
    "no run": (lambda run: (run / "config.yaml").unlink(), r"neither a run folder \(config\.yaml is missing\) nor"),
    "no checkpoint": (remove_checkpoints, r"no checkpoint yet; train first"),
    "no best one": (
        lambda run: (run / "checkpoints" / "best").unlink(),
        r"no checkpoint 'best' \(there are: last, step-",
    ),
    "cut model": (cut_model, r"model\.safetensors: its content does not match its checksum"),
    "damaged config": (damage_config, r"config\.yaml: damaged, or written by a later release"),
    "config of another model": (
        other_model,
        r"parameters of another model: \S+ is \(256, 96\) in the file and \(256, 95\) in the model",
    ),
    "no tokenizer": (lambda run: shutil.rmtree(run / "tokenizer"), r"tokenizer"),
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_what_is_wrong_with_a_run_is_said(run: Path, wrong: str) -> None:
    harm, message = WRONG[wrong]
    harm(run)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(run)


def test_a_folder_of_runs_says_which_there_are(tmp_path: Path) -> None:
    for name in ("teacher", "student", *"edcba"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("name: it\n", encoding="utf-8")
    (tmp_path / "text").mkdir()
    with pytest.raises(CheckpointError, match=r"is missing\); there are runs in it: a, b, c, d, e, \.\.\.$"):
        load_checkpoint(tmp_path)
    for name in "abcde":
        shutil.rmtree(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"; there are runs in it: student, teacher$"):
        load_checkpoint(tmp_path)
