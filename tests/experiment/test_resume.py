"""A training that is interrupted and goes on ends with the same bits as one that never was.

Every command runs in a process of its own, on one CPU thread. A tiny run makes 12 steps in 3
epochs, and looks 18 times whether it was asked to stop: after each step, and twice per validation.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands, Done
from tiny import TIMES, write_config

SUBWORDS = {
    "tokenizer.kind": "sentencepiece",
    "tokenizer.algorithm": "unigram",
    "tokenizer.vocabulary_size": 43,
    "tokenizer.sampling": 0.3,
    "tokenizer.shared": True,
    "model.tie_embeddings": "all",
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"model.dropout": 0.0},
    "dropout": {"model.dropout": 0.4},
    "variational": {"model.dropout": {"embedding": 0.3, "state": 0.3, "output": 0.3, "variational": True}},
    "accumulate": {"training.accumulate": 3, "training.batch_sentences": 11},
    "plateau": {
        "training.schedule": {"kind": "plateau", "patience": 0, "warmup_steps": 0},
        "training.validation_metric": "bleu",
        "training.validate_every": 2,
        "training.keep_best": 2,
    },
    "luong-sgd": {
        "training.schedule": {"kind": "luong", "halve_after_epochs": 1, "warmup_steps": 2},
        "training.optimizer": {"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9},
        "training.batch_sentences": None,
        "training.batch_tokens": 149,
    },
    "subword-sampling": SUBWORDS,
    "average": {"training.ema": 0.5, "model.dropout": 0.3},  # 0.5 is reached at the eighth step
    # the cuts into subwords, the links of the new subwords, and two more sums since the last log line
    "weight-losses": {
        **SUBWORDS,
        "training.guided_alignment": 0.7,
        "training.coverage_loss": 0.3,
        "training.log_every": 5,
    },
    "two-layers-bahdanau": {
        "model.encoder": {"layers": 2, "hidden_size": 7, "residual": True},
        "model.decoder": {"layers": 2, "hidden_size": 13},
        "model.attention": "bahdanau",
        "training.max_epochs": None,
        "training.max_steps": 10,
        "training.validate_every": 4,
    },
}


def configuration(folder: Path, variant: str) -> Path:
    changes = {"data.test": {}, "training.log_every": 2, **VARIANTS[variant]}
    if "training.guided_alignment" in changes:
        changes |= {f"data.{split}.alignments": str(folder / f"{split}.align") for split in ("train", "validation")}
    return write_config(folder, changes, name=f"{variant}.yaml")


class Runs:
    """Runs of one variant, which begin with the same prepared corpus."""

    def __init__(self, commands: Commands, folder: Path, variant: str) -> None:
        self.commands = commands
        self.folder = folder
        self.config = configuration(folder, variant)
        self.prepared = folder / f"{variant}-prepared"
        assert commands("prepare", self.config, "--output", self.prepared).status == 0
        self.whole = self.new("whole")
        assert self.train(self.whole).status == 0

    def new(self, name: str) -> Path:
        """Return a folder in which only the corpus is prepared."""
        folder = self.folder / f"{self.config.stem}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.prepared, folder)
        return folder

    def train(self, folder: Path, **strike: Any) -> Done:
        return self.commands("train", self.config, "--output", folder, "--resume", **strike)


@pytest.fixture(scope="module")
def runs(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Runs]:
    folder = tmp_path_factory.mktemp("resume")
    made: dict[str, Runs] = {}

    def of(variant: str) -> Runs:
        if variant not in made:
            made[variant] = Runs(commands, folder, variant)
        return made[variant]

    return of


def log_lines(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Turn nested state into leaves that can be compared; tensors into their bytes."""
    if isinstance(tree, dict):
        return {key: leaf for name, part in tree.items() for key, leaf in flat(part, f"{path}/{name}").items()}
    if isinstance(tree, list | tuple):
        return flat(dict(enumerate(tree)), path)
    if isinstance(tree, torch.Tensor):
        return {path: (tree.dtype, tuple(tree.shape), tree.numpy().tobytes())}
    return {path: tree}


def training_state(checkpoint: Path) -> dict[str, Any]:
    state = flat(torch.load(checkpoint / "training.pt", weights_only=True))
    return {path: leaf for path, leaf in state.items() if path != "/state/seconds"}


def assert_same(run: Path, whole: Path) -> None:
    """Same checkpoints, same links, same bits in them, same log lines apart from times."""
    names = sorted(path.name for path in (whole / "checkpoints").iterdir())
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == names
    assert "last" in names
    assert "best" in names
    for name in names:
        found, wanted = run / "checkpoints" / name, whole / "checkpoints" / name
        assert found.resolve().name == wanted.resolve().name
        assert (found / "model.safetensors").read_bytes() == (wanted / "model.safetensors").read_bytes()
        assert training_state(found) == training_state(wanted)
    assert log_lines(run) == log_lines(whole)


def interrupted(runs: Runs, look: int, number: int = signal.SIGTERM) -> bool:
    """Interrupt a run at a look, go on, compare; False when it ended before."""
    run = runs.new(f"at-{look}")
    done = runs.train(run, signal_at=(look, number))
    if done.status == 0:
        return False
    assert done.status == 128 + number
    assert "go on with --resume" in done.err
    assert "Traceback" not in done.err
    assert (run / "checkpoints" / "last").is_dir()
    again = runs.train(run)
    assert again.status == 0, again.err
    assert "resuming from step" in again.err
    assert_same(run, runs.whole)
    return True


@pytest.mark.parametrize("look", [1, 4, 5, 6, 9], ids=["first step", "epoch end", "loss", "bleu", "mid-epoch"])
def test_interrupted_once(runs: Callable[[str], Runs], look: int) -> None:
    assert interrupted(runs("dropout"), look)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_part_of_the_state_is_kept(runs: Callable[[str], Runs], variant: str, exhaustive: bool) -> None:
    """Interrupted early and late, at moments that differ from one variant to the other; or at every look."""
    chance = random.Random(variant)
    some = [chance.randint(2, 9), chance.randint(10, 12)]
    looks = range(1, 30) if exhaustive else some
    done = [interrupted(runs(variant), look, signal.SIGINT) for look in looks]
    assert sum(done) > 12 or done == [True, True]


def test_interrupted_after_every_single_step(runs: Callable[[str], Runs]) -> None:
    """A run that never gets further than one step and one validation at a time."""
    made = runs("dropout")
    run = made.new("step by step")
    starts = 0
    while (done := made.train(run, signal_at=(4, signal.SIGTERM))).status != 0:
        assert done.status == 143
        starts += 1
    assert starts >= 3
    assert_same(run, made.whole)


def killed(runs: Runs, change: int) -> bool:
    """Kill right before a change of the checkpoint folder is made, go on, compare; False when it ended before."""
    run = runs.new(f"kill-{change}")
    done = runs.train(run, kill_at=change)
    if done.status == 0:
        return False
    assert done.status == -signal.SIGKILL
    for checkpoint in run.glob("checkpoints/step-*"):
        names = {path.name for path in checkpoint.iterdir()}
        assert names == {"checkpoint.json", "model.safetensors", "training.pt"}, "complete or absent"
    for link in ("best", "last"):
        path = run / "checkpoints" / link
        assert path.exists() or not path.is_symlink(), "a link never points at nothing"
    again = runs.train(run)
    assert again.status == 0, again.err
    assert "damaged" not in again.err
    assert not list(run.rglob(".aside-*"))
    assert_same(run, runs.whole)
    return True


@pytest.mark.parametrize("change", [2, 3, 5, 8, 13, 17])
def test_killed_while_a_checkpoint_is_written(runs: Callable[[str], Runs], change: int) -> None:
    assert killed(runs("plateau"), change)


@pytest.mark.slow
def test_killed_at_changes_all_over_a_training(runs: Callable[[str], Runs], exhaustive: bool) -> None:
    """Each checkpoint takes the same few changes; every seventh one comes to all kinds of them in turn."""
    changes = 1
    while killed(runs("plateau"), changes):
        changes += 1 if exhaustive else 7
    assert changes > 20


def test_killed_between_the_two_renames_that_replace_a_checkpoint(runs: Callable[[str], Runs]) -> None:
    """Standing for: a run whose only checkpoint has no name for a moment, and is then cleared away."""
    made = runs("dropout")
    for change in range(6, 14):
        run = made.new("renamed")
        assert made.train(run, signal_at=(4, signal.SIGTERM)).status == 143  # saved before its validation
        assert made.train(run, kill_at=change).status == -signal.SIGKILL
        if not list((run / "checkpoints").glob("step-*")):
            break
    else:
        pytest.fail("the moment meant never came")
    again = made.train(run)
    assert "resuming from step 4" in again.err
    assert_same(run, made.whole)


def killed_at_random(runs: Runs, kills: int, seed: int) -> None:
    """Kill real training processes at random moments, so many times; whatever gets through must be the same."""
    chance = random.Random(seed)
    done, moments = 0, 0
    while done < kills:
        run = runs.new(f"random-{seed}-{moments}")
        status = -signal.SIGKILL
        while status == -signal.SIGKILL and done < kills:
            moments += 1
            assert moments < 20 * kills, "it always ends before it is killed"
            # a training of steps and validations goes on for a second; nothing but the clock chooses where
            status = runs.train(run, kill_after=chance.uniform(0.05, 0.9)).status
            done += status == -signal.SIGKILL
        assert status in (0, -signal.SIGKILL)
        again = runs.train(run)
        assert again.status == 0, again.err
        assert_same(run, runs.whole)
        assert not list(run.rglob(".aside-*"))
        assert not (run / ".lock").exists()


@pytest.mark.parametrize("variant", ["dropout", "plateau"])
def test_killed_at_random_moments(runs: Callable[[str], Runs], variant: str, exhaustive: bool) -> None:
    """``plateau`` saves after every second step: there, many moments are in the middle of a checkpoint."""
    killed_at_random(runs(variant), kills=50 if exhaustive else 5, seed=1)


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(runs: Callable[[str], Runs]) -> None:
    made = runs("plateau")
    run = made.new("damaged")
    assert made.train(run, signal_at=(9, signal.SIGTERM)).status == 143
    newest, before = sorted(run.glob("checkpoints/step-*"), reverse=True)[:2]
    model = newest / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-1] + b"\x7f")
    again = made.train(run)
    assert again.status == 0, again.err
    damage, resumed = (
        next(line for line in again.err.splitlines() if line.startswith(start)) for start in ("passing", "resuming")
    )
    assert damage.startswith(f"passing over a damaged checkpoint: {model}: its content does not match its checksum")
    assert resumed == f"resuming from step {int(before.name.removeprefix('step-'))} ({before})"
    assert_same(run, made.whole)


@pytest.mark.parametrize("look", [5, 9], ids=["second checkpoint", "third checkpoint"])
def test_a_full_disk_leaves_the_last_checkpoint_whole(runs: Callable[[str], Runs], look: int) -> None:
    made = runs("plateau")
    run = made.new("full")
    done = made.train(run, no_room_at=look)
    assert done.status == 1, done.err
    assert "cannot be written (File too large); the newest whole checkpoint is step-" in done.err
    assert "Make room or mend the folder, then go on with --resume" in done.err
    assert "Traceback" not in done.err
    newest = done.err.partition("the newest whole checkpoint is ")[2][: len("step-00000000")]
    assert (run / "checkpoints" / "last").resolve().name == newest
    assert not list(run.rglob(".aside-*"))
    again = made.train(run)
    assert again.status == 0, again.err
    assert f"resuming from step {int(newest.removeprefix('step-'))} " in again.err
    assert "damaged" not in again.err
    assert_same(run, made.whole)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of one megabyte, where this is allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("free", [0, 40_000])
def test_a_disk_that_is_really_full(runs: Callable[[str], Runs], tmp_path: Path, free: int) -> None:
    """With nothing free training does not begin; with 40 KB it fails in the middle of a checkpoint."""
    made = runs("plateau")
    with small_disk(tmp_path / "disk") as disk:
        run = shutil.copytree(made.prepared, disk / "run")
        assert made.train(run, signal_at=(9, signal.SIGTERM)).status == 143
        whole = (run / "checkpoints" / "last").resolve().name
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - free))
        done = made.train(run)
        assert done.status == 1, done.err
        assert "No space left on device" in done.err.splitlines()[-1]
        assert str(run) in done.err.splitlines()[-1]
        if free:
            assert f"the newest whole checkpoint is {whole}. " in done.err
        assert "Traceback" not in done.err
        assert (run / "checkpoints" / "last").resolve().name == whole
        (disk / "filler").unlink()
        assert made.train(run).status == 0
        assert_same(run, made.whole)


def test_another_seed_gives_another_model_and_the_same_one_the_same(runs: Callable[[str], Runs]) -> None:
    made = runs("dropout")
    again, other = made.new("again"), made.folder / "other-seed"
    assert made.train(again).status == 0
    assert_same(again, made.whole)
    assert made.commands("train", made.config, "seed=2", "--output", other).status == 0
    model = Path("checkpoints", "last", "model.safetensors")
    assert (other / model).read_bytes() != (made.whole / model).read_bytes()
