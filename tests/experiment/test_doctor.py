"""A run as a patient: healthy, ill, in pieces."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_server import Commands
from tiny import copy_run, trained_run

from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.ragged import Ragged
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.experiment.doctor import Examination, examine, format_examination
from seq2seq_attn.experiment.symptoms.finding import Finding
from seq2seq_attn.experiment.symptoms.reading import find_shared, read_log, spread


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return copy_run(trained_run(), tmp_path / "run")


@pytest.fixture(scope="module")
def healthy() -> Examination:
    return examine(trained_run(), device="cpu")


def severities(examination: Examination) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in examination.findings:
        found.setdefault(one.symptom, set()).add(one.severity)
    return found


def test_a_healthy_run_has_no_problem(healthy: Examination) -> None:
    """But one: digits are few, so that some of the tiny corpus' sentences are in two of its splits."""
    assert {one.symptom for one in healthy.of("problem")} == {"leak"}
    found = severities(healthy)
    for symptom in (
        "unknown tokens",
        "vocabulary size",
        "vocabulary overlap",
        "dropped pairs",
        "sentence lengths",
        "length limit of search",
        "swapped languages",
        "gradient norm",
        "copied output",
        "empty output",
        "validation again",
        "spread attention",
        "attention on the end",
    ):
        assert found[symptom] == {"fine"}, symptom


def test_the_worst_stands_first(healthy: Examination) -> None:
    ranks = [("problem", "warning", "note", "fine", "unchecked").index(one.severity) for one in healthy.findings]
    assert ranks == sorted(ranks)


def test_words_for_a_terminal() -> None:
    findings = (
        Finding("problem", "leak", "message one", "evidence one", "data.train: another"),
        Finding("warning", "search", "message two", "evidence two " * 20, ""),
        Finding("fine", "overfitting", "message three"),
        Finding("unchecked", "attention", "message four"),
    )
    text = format_examination(Examination(Path("runs/a"), findings))
    lines = text.splitlines()
    assert lines[0] == "runs/a"
    assert lines[2:5] == [
        "PROBLEM  leak: message one",
        "         evidence: evidence one",
        "         mend:     data.train: another",
    ]
    assert text.index("message two") < text.index("fine:") < text.index("could not be checked:")
    assert max(map(len, lines)) <= 120
    assert "nothing wrong was found" in format_examination(Examination(Path("a"), findings[2:]))


def test_text_that_was_exchanged_is_seen(run: Path) -> None:
    """The test set becomes a part of the training text."""
    corpus = run / "corpus"
    train = EncodedCorpus.open(corpus / "train")
    config = (run / "config.yaml").read_text("utf-8")
    source = next(
        line.split(": ")[1] for line in config.splitlines() if line.strip().startswith("source: ") and "test.en" in line
    )
    home = Path(source).parent
    texts = {suffix: (home / f"train.{suffix}").read_text("utf-8").splitlines()[:17] for suffix in ("en", "pt")}
    changed = config
    for suffix, lines in texts.items():
        path = run / f"leaked.{suffix}"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        changed = changed.replace(str(home / f"test.{suffix}"), str(path))
    (run / "config.yaml").write_text(changed, encoding="utf-8")
    assert len(train) == 127
    found = examine(run, sentences=0)
    (leak,) = [one for one in found.of("problem") if "test.pairs" in one.numbers]
    assert leak.numbers["test.pairs"] == 1.0
    assert leak.mend == "remove the sentences of test from data.train, and train again"


def test_a_run_in_pieces_says_what_could_not_be_checked(run: Path) -> None:
    for path in (run / "metrics.jsonl", run / "corpus" / "made_of.json"):
        path.unlink()
    config = run / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("test.en", "gone.en").replace("validation.en", "gone.en"))
    found = examine(run, device="cpu")
    why = {one.symptom: one.message for one in found.of("unchecked")}
    assert "metrics.jsonl" in why["learning rate"]
    assert "made_of.json" in why["dropped pairs"]
    assert "gone.en: no such file" in why["test text"]
    assert "gone.en: no such file" in why["translations"]
    assert severities(found)["unknown tokens"] == {"fine"}


def test_a_run_without_its_prepared_text_or_a_checkpoint(run: Path) -> None:
    (run / "corpus").rename(run / "elsewhere")
    (run / "checkpoints").rename(run / "gone")
    found = examine(run)
    why = {one.symptom: one.message for one in found.of("unchecked")}
    assert "prepared text of the run cannot be read" in why["leak"]
    assert "no checkpoint yet" in why["attention"]
    assert severities(found)["learning rate"] <= {"fine", "unchecked"}


def test_a_damaged_checkpoint_is_a_problem(run: Path) -> None:
    model = (run / "checkpoints" / "best").resolve() / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-1])
    found = examine(run, device="cpu")
    (problem,) = [one for one in found.of("problem") if one.symptom == "checkpoint"]
    assert "does not match its checksum" in problem.evidence


def test_a_model_that_was_mixed_up_is_seen(run: Path) -> None:
    """The target vocabulary in another order: all tokens are written, and all are wrong."""
    path = run / "tokenizer" / "target" / "vocabulary.txt"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:4], *lines[7:], *lines[4:7]]) + "\n", encoding="utf-8")
    (again,) = [one for one in examine(run, device="cpu").findings if one.symptom == "validation again"]
    assert again.severity == "problem"
    assert "the tokenizer" in again.mend


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither a run folder"):
        examine(tmp_path)
    with pytest.raises(CheckpointError, match="no such run folder"):
        examine(tmp_path / "none")


def test_a_checkpoint_folder_is_examined_too(run: Path) -> None:
    found = examine(run / "checkpoints" / "step-00000060", sentences=0)
    assert found.run == run


@pytest.mark.parametrize(
    ("search", "compared"),
    [
        ("diverse_groups: 3", "BLEU [0-9.]+ with beam 3"),
        ("minimum_risk: {of: n-best, candidates: 3}", "BLEU ([0-9.]+) with beam 1, \\1 with greedy search"),
        ("sampling: {temperature: 9.0}", "BLEU ([0-9.]+) with beam 1, \\1 with greedy search"),
    ],
)
def test_greedy_search_is_greedy_however_the_run_searches(run: Path, search: str, compared: str) -> None:
    """Standing for: samples that are taken for what validation had, and a beam of one in three groups."""
    key = search.partition(":")[0]
    config = (run / "config.yaml").read_text(encoding="utf-8")
    decoding = config[config.index("\ndecoding:") :]
    changed = "".join(f"  {search}\n" if f"  {key}:" in line else f"{line}\n" for line in decoding.split("\n"))
    (run / "config.yaml").write_text(config.replace(decoding, changed), encoding="utf-8")
    findings = examine(run, device="cpu").findings
    again = next(one for one in findings if one.symptom == "validation again")
    assert again.severity == "fine", again
    assert re.search(compared, next(one for one in findings if one.symptom == "search").message)


def test_the_command(commands: Commands, run: Path, tmp_path: Path) -> None:
    before = sorted(run.rglob("*"))
    done = commands("doctor", run, "--json")
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["run"] == str(run)
    assert {"severity", "symptom", "message", "evidence", "mend", "numbers"} == set(found["findings"][0])
    done = commands("doctor", run, "--sentences", 0)
    assert done.status == 0
    assert "no sentences were to be translated" in done.out
    assert sorted(run.rglob("*")) == before, "an examination changes nothing"
    done = commands("doctor", tmp_path / "none")
    assert (done.status, done.out) == (2, "")
    assert "no such run folder" in done.err
    assert commands("doctor", run, "--sentences", -1).status == 2


# --- reading


def test_leaks_are_found_by_brute_force() -> None:
    random = np.random.default_rng(5)
    sentences = [[int(token) for token in random.integers(1, 4, random.integers(0, 3))] for _ in range(300)]
    train, test = sentences[:200], sentences[200:]
    corpus = EncodedCorpus(Ragged.of(train[0::2], np.uint16), Ragged.of(train[1::2], np.uint16))
    known = list(zip(train[0::2], train[1::2], strict=True))
    asked = list(zip(test[0::2], test[1::2], strict=True))
    (found,) = find_shared(corpus, {"test": asked})
    whole = [pair for pair in asked if pair[0] and 1 not in pair[0] and 1 not in pair[1]]
    assert found.size == 50
    assert found.pairs == sum(pair in known for pair in whole) > 0
    assert found.sources == sum(
        any(pair[0] == source for source, _ in known) and bool(pair[0]) and 1 not in pair[0] for pair in asked
    )


def test_spread() -> None:
    assert spread(3, 5) == [0, 1, 2]
    assert spread(10, 5) == [0, 2, 4, 6, 8]
    assert len(set(spread(1009, 200))) == 200


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"kind": "train"}\n[1]\n\xff\n{"kind": "val')
    assert read_log(path) == [{"kind": "train"}]
    assert read_log(tmp_path / "none") == []
