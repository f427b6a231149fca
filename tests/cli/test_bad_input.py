"""What users get wrong: a line or two that say what and how to mend it, status 2, and no trace on the disk."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_server import Commands, Done
from tiny import settings, write_config, write_corpus

Change = Callable[[Path], object]


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def assert_explained(done: Done, *words: str, lines: int = 2) -> None:
    assert done.status == 2, done.err
    assert done.out == ""
    progress = ("learning the tokenizer: ", "encoding the corpus: ")
    complaint = [line for line in done.err.splitlines() if not line.startswith(progress)]
    assert 1 <= len(complaint) <= lines, done.err
    assert complaint[0].startswith("seq2seq-attn: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working directory with a corpus and ``tiny.yaml``, which names its files without a folder."""
    write_corpus(tmp_path)
    import yaml

    tree = settings(Path())
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    return tmp_path


def edit(name: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def put(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def cut_lines(name: str, count: int) -> Change:
    def change(folder: Path) -> None:
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[:count]))

    return change


def packed_and_cut(folder: Path) -> None:
    data = gzip.compress((folder / "train.en").read_bytes())
    (folder / "train.en.gz").write_bytes(data[: len(data) // 2])
    edit("tiny.yaml", "train.en", "train.en.gz")(folder)


def blank(folder: Path) -> None:
    for side in ("en", "pt"):
        (folder / f"train.{side}").write_text("\n" * 5, encoding="utf-8")


def circle(folder: Path) -> None:
    (folder / "base.yaml").write_text("extends: tiny.yaml\n", encoding="utf-8")
    with (folder / "tiny.yaml").open("a", encoding="utf-8") as file:
        file.write("extends: base.yaml\n")


def latin(folder: Path) -> None:
    path = folder / "train.pt"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = "três\n".encode("latin-1")
    path.write_bytes(b"".join(lines))


# what is done to the folder, what is added to the command, and what the message has to say
CASES: dict[str, tuple[Change | None, Sequence[str], Sequence[str]]] = {
    "misspelt key": (
        edit("tiny.yaml", "embedding_size", "embeding_size"),
        [],
        ["tiny.yaml", "line ", "model.embeding_size: unknown key; did you mean 'embedding_size'?"],
    ),
    "wrong type": (edit("tiny.yaml", "max_epochs: 3", "max_epochs: many"), [], ["tiny.yaml", "training.max_epochs"]),
    "misspelt override": (None, ["sead=2"], ["command line", "did you mean 'seed'?"]),
    "extends in a circle": (circle, [], ["tiny.yaml", "base.yaml", "circle"]),
    "repeated key": (edit("tiny.yaml", "name: tiny\n", "name: tiny\nname: other\n"), [], ["tiny.yaml", "name", "line"]),
    "no configuration": (remove("tiny.yaml"), [], ["tiny.yaml: no such file", "working directory"]),
    "no training text": (remove("train.pt"), [], ["train.pt: no such file (looked for it in "]),
    "no validation text": (remove("validation.pt"), [], ["validation.pt: no such file (looked for it in "]),
    "no test text": (remove("test.pt"), [], ["test.pt: no such file (looked for it in "]),
    "unequal training text": (cut_lines("train.pt", 99), [], ["train.en", "127", "train.pt", "99"]),
    "unequal validation text": (cut_lines("validation.en", 3), [], ["validation.en", "3", "validation.pt", "19"]),
    "unequal test text": (cut_lines("test.en", 5), [], ["test.en", "5", "test.pt", "17"]),
    "not UTF-8": (latin, [], ["train.pt:7:", "0xea", "UTF-8"]),
    "damaged gzip": (packed_and_cut, [], ["train.en.gz"]),
    "nothing to learn from": (blank, [], ["train"]),
    "empty files": (lambda folder: [put(f"train.{side}", b"")(folder) for side in ("en", "pt")], [], ["train"]),
    "an empty test set": (
        lambda folder: [put(f"test.{side}", b"")(folder) for side in ("en", "pt")],
        [],
        ["data.test.test: there are no sentence pairs in it"],
    ),
    "everything too long": (None, ["data.max_length=1", "tokenizer.kind=character"], ["data.train", "data.max_length"]),
    "too large a vocabulary": (
        None,
        ["tokenizer={kind: sentencepiece, vocabulary_size: 5000}"],
        ["tokenizer.vocabulary_size", "5000"],
    ),
    "unknown attention": (None, ["model.attention=luong-genral"], ["luong-genral", "did you mean 'luong-general'?"]),
    "sizes that do not fit": (None, ["model.attention=luong-dot"], ["13", "14"]),
    "no such device": (None, ["training.device=tpu"], ["training.device"]),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_wrong_request_to_train(commands: Commands, work: Path, case: str) -> None:
    change, arguments, words = CASES[case]
    if change is not None:
        change(work)
    before = contents(work)
    done = commands("train", "tiny.yaml", *arguments, folder=str(work))
    assert_explained(done, *words)
    after = contents(work)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if after[name] is not None and name not in before], "nothing half-written"


def test_several_errors_at_once(commands: Commands, work: Path) -> None:
    edit("tiny.yaml", "embedding_size: 11", "embeding_size: 11")(work)
    edit("tiny.yaml", "max_epochs: 3", "max_epochs: -3")(work)
    before = contents(work)
    done = commands("train", "tiny.yaml", "seed=one", folder=str(work))
    assert_explained(done, "tiny.yaml has 3 errors", "embeding_size", "max_epochs", "command line: seed", lines=4)
    assert contents(work) == before


def test_text_that_is_odd_but_right(commands: Commands, work: Path) -> None:
    """A byte-order mark, line ends of every kind, U+2028, empty lines and a line of 100,000 characters."""
    source = (work / "train.en").read_text(encoding="utf-8").splitlines()
    target = (work / "train.pt").read_text(encoding="utf-8").splitlines()
    source[3], target[3] = "one\u2028two", "dois\u2028um"
    source[5], target[5] = "", "zero"
    source[7], target[7] = "one " * 25_000, "um"
    (work / "train.en").write_bytes(("\ufeff" + "\r\n".join(source) + "\r\n").encode())
    (work / "train.pt").write_bytes(("\r".join(target) + "\r").encode())
    done = commands("train", "tiny.yaml", "training.max_epochs=1", folder=str(work))
    assert done.status == 0, done.err
    assert "125 of 127 training pairs kept; dropped 1 with an empty side and 1 longer than data.max_length" in done.err


def cut_model(run: Path) -> None:
    os.truncate((run / "checkpoints" / "best").resolve() / "model.safetensors", 500)


def foreign_model(run: Path) -> None:
    ((run / "checkpoints" / "best").resolve() / "model.safetensors").write_bytes(b"PK\x03\x04 something else")


def no_config(run: Path) -> None:
    (run / "config.yaml").unlink()


@pytest.mark.parametrize("verb", ["translate", "evaluate", "attend", "info"])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut_model, ["model.safetensors", "damaged"]),
        (foreign_model, ["model.safetensors", "damaged"]),
        (no_config, ["neither a run folder (config.yaml is missing)"]),
    ],
    ids=["truncated", "foreign", "no run"],
)
def test_a_run_that_cannot_be_opened(
    commands: Commands, run: Path, tmp_path: Path, verb: str, harm: Change, words: list[str]
) -> None:
    harm(run)
    before = contents(tmp_path)
    arguments: list[Any] = [run, *(["one two", "--output", tmp_path / "a.png"] if verb == "attend" else [])]
    assert_explained(commands(verb, *arguments), *words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["translate", "nowhere"], ["nowhere: no such run folder (working directory: "]),
        (["translate", "RUN", "--source", "nothing.en"], ["nothing.en: no such file (looked for it in "]),
        (["translate", "RUN", "--output", "nowhere/out"], ["nowhere/out: the folder nowhere does not exist"]),
        (["translate", "RUN", "--output", "."], ["is a folder; name a file in it"]),
        (["translate", "RUN", "--beam-size", "0"], ["beam_size: expected at least 1, got the number 0"]),
        (["translate", "RUN", "--n-best", "0"], ["--n-best is 0"]),
        (["translate", "RUN", "--n-best", "3", "--beam-size", "2", "--source", "text"], ["n_best is 3"]),
        (["translate", "RUN", "--device", "abacus"], ["abacus"]),
        (["evaluate", "RUN", "--split", "tset"], ["no split 'tset'; did you mean 'test'?"]),
        (["evaluate", "RUN", "--metric", "blue"], ["unknown metric 'blue'; did you mean 'bleu'?"]),
        (["evaluate", "RUN", "--source", "text"], ["--source and --reference go together"]),
        (["evaluate", "RUN", "--source", "text", "--reference", "short"], ["text", "3", "short", "2"]),
        (
            ["attend", "RUN", "one", "--output", "a.gif"],
            ["a.gif has the suffix '.gif'; attention is written as .png, .svg, .html or .json"],
        ),
        (["attend", "RUN", "one", "--output", "nowhere/a.png"], ["the folder nowhere does not exist"]),
        (["attend", "RUN", " ", "--output", "a.png"], ["the sentence is empty"]),
        (["attend", "RUN", "\udcff", "--output", "a.png"], ["not valid UTF-8"]),
    ],
    ids=lambda value: " ".join(value) if "RUN" in value else "",
)
def test_a_wrong_request_to_use_a_run(
    commands: Commands, trained: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "text").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (tmp_path / "short").write_text("um\ndois\n", encoding="utf-8")
    before = contents(tmp_path)
    call = [str(trained) if argument == "RUN" else argument for argument in arguments]
    assert_explained(commands(*call, folder=str(tmp_path)), *words)
    assert contents(tmp_path) == before


def test_a_model_without_attention_has_nothing_to_draw(commands: Commands, tmp_path: Path) -> None:
    changes = {"model.attention": "none", "training.max_epochs": 1, "data.test": {}}
    assert commands("train", write_config(tmp_path, changes), "--output", tmp_path / "run").status == 0
    done = commands("attend", tmp_path / "run", "one", "--output", tmp_path / "a.png")
    assert_explained(done, "attention 'none'")
    assert not (tmp_path / "a.png").exists()


def test_debug_shows_the_traceback(commands: Commands) -> None:
    assert "Traceback" in commands("info", "nowhere", "--debug").err


@pytest.mark.parametrize("arguments", [["trian"], ["train"], ["translate", "x", "--bean-size", "3"]])
def test_a_command_that_is_none(commands: Commands, arguments: list[str]) -> None:
    done = commands(*arguments)
    assert done.status == 2
    assert done.err.startswith("Usage: seq2seq-attn")
    assert "Error: " in done.err
    assert "Traceback" not in done.err
