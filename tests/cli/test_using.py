"""The verbs that use a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_server import Commands

from seq2seq_attn import Translator, attention_names, load_config


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.en"
    path.write_text("one two\n\nthree\nnine eight seven\n", encoding="utf-8")
    return path


def test_line_in_line_out(commands: Commands, trained: Path, sentences: Path) -> None:
    from_file = commands("translate", trained, "--source", sentences)
    assert (from_file.status, from_file.err) == (0, "")
    lines = from_file.out.split("\n")
    assert lines[:3] == ["dois um", "", "três"]
    assert len(lines) == 5
    assert commands("translate", trained, stdin=str(sentences)).out == from_file.out
    checkpoint = trained / "checkpoints" / "best"
    assert commands("translate", checkpoint, "--source", sentences).out == from_file.out


def test_empty_input(commands: Commands, trained: Path, tmp_path: Path) -> None:
    done = commands("translate", trained, "--output", tmp_path / "out", "--alignments", tmp_path / "align")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "align").read_bytes() == b""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\ufeffthree\n", ["três"]),
        ("three\r\none two\r\n", ["três", "dois um"]),
        ("three\rthree", ["três", "três"]),
        ("three\u2028\nthree\x85\n", None),
        ("日本語 😀\n\x00\n</s>\n", None),
        ("\n\n\n", ["", "", ""]),
    ],
    ids=["byte-order mark", "CRLF", "CR", "U+2028 and U+0085", "never seen", "blank"],
)
def test_lines_of_every_kind(
    commands: Commands, trained: Path, tmp_path: Path, text: str, lines: list[str] | None
) -> None:
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    done = commands("translate", trained, "--source", path)
    assert (done.status, done.err) == (0, "")
    found = done.out.split("\n")[:-1]
    assert found == lines if lines is not None else len(found) == text.count("\n")


def test_n_best_scores_and_alignments(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    done = commands(
        "translate", trained, "--source", sentences, "--n-best", 2, "--scores", "--alignments", tmp_path / "align"
    )
    assert done.status == 0, done.err
    rows = [line.split("\t") for line in done.out.splitlines()]
    links = (tmp_path / "align").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(rows) == len(links) == 2 * 4
    found = Translator.load(trained, device="cpu").n_best(["one two", "", "three"], count=2, beam_size=3)
    for (score, text), translation in zip(rows, [one for some in found for one in some], strict=False):
        assert text == translation.text
        assert float(score) == pytest.approx(translation.score, abs=1e-4)
    for (_, text), line in zip(rows, links, strict=True):
        for source, target in (map(int, link.split("-")) for link in line.split()):
            assert 0 <= source < 3
            assert 0 <= target < len(text.split())


def test_output_is_whole_or_absent(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    """The input goes wrong in its last line, when all others are translated."""
    output = tmp_path / "out"
    assert commands("translate", trained, "--source", sentences, "--output", output).status == 0
    whole = output.read_bytes()
    assert whole.count(b"\n") == 4
    sentences.write_bytes(b"one\n" * 3000 + b"\xff\n")
    done = commands("translate", trained, "--source", sentences, "--output", output, "--beam-size", 1)
    assert done.status == 2
    assert f"{sentences}:3001: byte 0xff is not valid UTF-8" in done.err
    assert output.read_bytes() == whole
    assert not list(tmp_path.glob(".aside*"))


def test_the_score_is_that_of_sacrebleus_own_command(commands: Commands, run: Path) -> None:
    done = commands("evaluate", run, "--split", "test", "--metric", "bleu", "--metric", "chrf", "--json")
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)
    assert (found["split"], found["sentences"], found["beam_size"]) == ("test", 17, 3)
    scores = {name.lower(): score for name, score in found["scores"].items()}
    (reference,) = load_config(run / "config.yaml").data.test["test"].target  # type: ignore[union-attr]
    command = [sys.executable, "-m", "sacrebleu", str(reference), "-i", str(run / "evaluation" / "test.hyp")]
    theirs = subprocess.run([*command, "-m", "bleu", "chrf", "-w", "6"], capture_output=True, text=True, check=True)
    for name, score in zip(("bleu", "chrf"), json.loads(theirs.stdout), strict=True):
        assert scores[name]["score"] == pytest.approx(score["score"], abs=1e-6)
        assert scores[name]["signature"].split("|version:")[0] in score["signature"].split("|version:")[0]
    assert 0 < scores["bleu"]["score"] < 100


def test_evaluate_own_files_and_by_length(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.pt"
    reference.write_text("dois um\n\ntrês\nsete oito nove\n", encoding="utf-8")
    before = sorted(trained.rglob("*"))
    done = commands(
        "evaluate", trained, "--source", sentences, "--reference", reference, "--by-length", "--beam-size", 1
    )
    assert done.status == 0, done.err
    assert done.out.startswith("sentences.en  BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert len(done.out.splitlines()) > 2
    assert sorted(trained.rglob("*")) == before, "another's test set is none of this run's"


def test_evaluate_without_a_split_takes_the_test_sets(commands: Commands, run: Path) -> None:
    (run / "evaluation" / "test.hyp").unlink()
    done = commands("evaluate", run)
    assert done.status == 0
    assert done.out.startswith("test  BLEU|")
    assert (run / "evaluation" / "test.hyp").is_file()


def test_attend(commands: Commands, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "attention.png"
    done = commands("attend", trained, "one two", "--output", picture)
    assert (done.status, done.out, done.err) == (0, "dois um\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_info(commands: Commands, trained: Path) -> None:
    found = json.loads(commands("info", trained, "--json").out)
    assert found["languages"] == ["en", "pt"]
    assert found["attention"] == "luong-general"
    assert found["parameters"] == Translator.load(trained, device="cpu").model.num_parameters
    assert [checkpoint["name"] for checkpoint in found["checkpoints"]] == [
        "step-00000060",
        "step-00000120",
        "step-00000160",
    ]
    text = commands("info", trained).out
    for words in ("en -> pt", "attention luong-general", "<- ", "BLEU|nrefs:1"):
        assert words in text


def test_attentions(commands: Commands) -> None:
    table, _, parts = commands("attentions").out.partition("\n\n")
    lines = table.splitlines()
    assert [line.split()[0] for line in lines] == list(attention_names())
    for part in ("normalize: sparsemax", "window: local-p", "coverage: sum", "monotonic: mocha", "heads: N"):
        assert part in parts
    assert {"none", "bahdanau", "luong-dot", "luong-general", "luong-concat"} <= {line.split()[0] for line in lines}
    rows = json.loads(commands("attentions", "--json").out)
    assert next(row for row in rows if row["name"] == "multi-head")["parts"] == {"heads": 4}
    assert [row["name"] for row in rows] == list(attention_names())
    assert all(row["paper"] and row["summary"] for row in rows)


def test_python_m_is_the_same(trained: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seq2seq_attn", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0.1.0\n"
