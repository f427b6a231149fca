"""One student of several teachers, through the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from command_server import Commands, Done, shared_commands
from tiny import write_config

from seq2seq_attn import Translator
from seq2seq_attn.checkpoint.folders import read_run_config
from seq2seq_attn.config.schema import TextCorpus, TsvCorpus
from seq2seq_attn.distillation.distill import distill
from seq2seq_attn.errors import ConfigError

SMALL = {
    "tokenizer": {"kind": "word", "shared": False},
    "training.max_epochs": 2,
    "training.batch_sentences": 16,
    "training.threads": None,
}
ARGUMENTS = ("--forward", 1, "--backward", 1, "--teacher", "training.max_epochs=3", "--jobs", 1)


@pytest.fixture(scope="module")
def commands() -> Commands:
    return shared_commands()


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def write_tagged(folder: Path) -> Path:
    """The tiny text as a table, with a tag, seen more often."""
    path = write_config(folder, SMALL)
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    sides = [lines_of(folder / f"train.{language}") for language in ("pt", "en")]
    table = "".join(f"{target}\t{source}\n" for target, source in zip(*sides, strict=True))
    (folder / "train.tsv").write_text(table, encoding="utf-8")
    columns = {"tsv": str(folder / "train.tsv"), "source_column": 1, "target_column": 0}
    tree["data"]["train"] = {**columns, "weight": 2.0, "tag": "<say>"}
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a configuration and its text."""
    folder = tmp_path_factory.mktemp("distilled")
    write_tagged(folder)
    return folder


@pytest.fixture(scope="module")
def done(commands: Commands, home: Path) -> Done:
    return commands("distill", home / "tiny.yaml", *ARGUMENTS, "--output", home / "out")


@pytest.fixture
def folder(done: Done, home: Path) -> Path:
    assert done.status == 0, done.err
    return home / "out"


def test_it_ends_with_the_scores_of_the_student(done: Done, folder: Path) -> None:
    assert done.out.startswith("test  BLEU|")
    assert done.out.splitlines()[-1] == str(folder / "student")
    assert "forward-1: training ended after" in done.err
    assert "backward-1: training ended after" in done.err


def test_the_teachers_learn_from_the_text_in_either_direction(home: Path, folder: Path) -> None:
    forward, backward = (read_run_config(folder / "teachers" / name) for name in ("forward-1", "backward-1"))
    assert (forward.data.source_language, forward.data.target_language) == ("en", "pt")
    assert (backward.data.source_language, backward.data.target_language) == ("pt", "en")
    assert (forward.training.max_epochs, backward.training.max_epochs) == (3, 3)
    (train,), (validation,) = backward.data.train, backward.data.validation
    assert isinstance(train, TextCorpus)
    assert isinstance(validation, TextCorpus)
    assert (train.tag, train.weight) == ("<say>", 2.0)
    for part, name in ((train, "train"), (validation, "validation")):
        assert lines_of(Path(part.source[0])) == lines_of(home / f"{name}.pt")
        assert lines_of(Path(part.target[0])) == lines_of(home / f"{name}.en")


@pytest.mark.parametrize(
    ("teacher", "side", "written"),
    [("forward-1", "source", "target.translated"), ("backward-1", "target", "source.translated")],
)
def test_the_text_is_what_the_teachers_make_of_it(folder: Path, teacher: str, side: str, written: str) -> None:
    translator = Translator.load(folder / "teachers" / teacher, device="cpu")
    text = folder / "text" / "corpus-1"
    expected = [one.text for one in translator.translate([f"<say> {line}" for line in lines_of(text / side)])]
    assert lines_of(text / written) == expected
    assert not list(folder.rglob("*.parts"))


def test_the_student_learns_from_all_of_it(home: Path, folder: Path) -> None:
    config = read_run_config(folder / "student")
    text = folder / "text" / "corpus-1"
    first, *rest = config.data.train
    assert isinstance(first, TsvCorpus)
    assert first.tsv == (str(home / "train.tsv"),)
    assert rest == [
        TextCorpus(source=(str(text / source),), target=(str(text / target),), tag="<say>", weight=2.0)
        for source, target in (("source", "target.translated"), ("source.translated", "target"))
    ]
    assert config.training.max_epochs == 2
    assert config.tokenizer.reuse == str(folder / "teachers" / "forward-1")


def test_what_is_done_is_kept(commands: Commands, home: Path, folder: Path) -> None:
    models = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    written = {path: path.stat().st_mtime_ns for path in (folder / "teachers").rglob("checkpoints/*/*")}
    translated = folder / "text" / "corpus-1" / "target.translated"
    was = translated.read_bytes()
    translated.unlink()
    shutil.rmtree(folder / "student")
    again = commands("distill", home / "tiny.yaml", *ARGUMENTS, "--output", folder)
    assert again.status == 0, again.err
    assert translated.read_bytes() == was
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert {path: path.read_bytes() for path in folder.rglob("*.safetensors")} == models
    assert "teachers: 1, " in again.err  # the others have nothing to translate any more


WRONG = [
    (("--forward", 2), "forward was 1, now 2"),
    (("--teacher", "training.max_epochs=4"), "training.max_epochs was 3, now 4"),
    (("seed=2",), "seed was 1, now 2"),
    (("--forward", 0, "--backward", 0), "nothing to distill"),
    (("--backward", -1), "--backward -1: expected a whole number"),
    (("--jobs", 0), "--jobs 0: expected a whole number"),
    (("--teacher", "data.max_length=9"), "all models learn from one text"),
    (("training.initial=elsewhere",), "use --backward 0"),
    (("--teacher", "training.max_epoch=9"), "did you mean 'max_epochs'"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_refused(
    commands: Commands, home: Path, folder: Path, changes: tuple[object, ...], said: str
) -> None:
    arguments = [*ARGUMENTS, "--output", folder, *changes]
    if "--teacher" in changes:  # it may be given several times, and then a key twice
        arguments = [one for one in arguments if one != "training.max_epochs=3" or changes[1] == one]
        arguments.remove("--teacher")
    before = sorted(folder.rglob("*"))
    refused = commands("distill", home / "tiny.yaml", *arguments)
    assert refused.status == 2
    assert said in refused.err
    assert sorted(folder.rglob("*")) == before


def test_another_text_is_refused(commands: Commands, home: Path, folder: Path) -> None:
    table = home / "train.tsv"
    was = table.read_bytes()
    table.write_text("um\tone\n" * 127, encoding="utf-8")
    try:
        refused = commands("distill", home / "tiny.yaml", *ARGUMENTS, "--output", folder)
    finally:
        table.write_bytes(was)
    assert refused.status == 2
    assert "learned from another text" in refused.err


def test_a_folder_of_other_things_is_left_alone(commands: Commands, home: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear", encoding="utf-8")
    refused = commands("distill", home / "tiny.yaml", *ARGUMENTS, "--output", tmp_path)
    assert refused.status == 2
    assert "letter.txt" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_damaged_record_is_told(commands: Commands, home: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "distillation.json").write_text("{}", encoding="utf-8")
    refused = commands("distill", home / "tiny.yaml", *ARGUMENTS, "--output", tmp_path / "out")
    assert refused.status == 2
    assert "distillation.json: is damaged" in refused.err


def test_torchrun_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        distill(home / "tiny.yaml", output=home / "another")
    assert not (home / "another").exists()


def test_a_teacher_that_fails_is_named_with_its_reason(commands: Commands, home: Path, tmp_path: Path) -> None:
    failed = commands(
        "distill", home / "tiny.yaml", "--forward", 1, "--backward", 0, "--output", tmp_path / "out",
        "--teacher", "tokenizer.reuse=/no/such/run",
    )  # fmt: skip
    assert failed.status == 2
    last = failed.err.splitlines()[-1]
    assert last.startswith("seq2seq-attn: forward-1 ended with status 2: tokenizer.reuse")
    assert "the same command goes on from there" in last


def test_a_signal_stops_the_teachers_after_they_have_saved(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2seq_attn", "distill", str(home / "tiny.yaml"), "--output", str(out),
         "--forward", "1", "--backward", "0", "--teacher", "training.max_epochs=100000",
         "--teacher", "training.validate_every=50"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    metrics = out / "teachers" / "forward-1" / "metrics.jsonl"
    until = time.monotonic() + 120
    while not (metrics.exists() and "validation" in metrics.read_text(encoding="utf-8")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "forward-1: saved at step" in err
    assert "the same command goes on from there" in err
    assert not list(out.rglob(".lock"))  # nobody works there any more
    last = json.loads(metrics.read_text(encoding="utf-8").splitlines()[-1])
    assert last["step"] > 0
