"""Intervals, single sentences, tokenizations, COMET."""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.metrics import MetricOptions, check_metrics, score_corpus, score_sentences

REFERENCES = [
    "The cat sat on the mat.",
    "There is a red car in front of the old house.",
    "Two dogs run through the snow, and a child watches.",
    "He said that he would come back on Monday.",
    "A man in a Blue shirt is standing on a ladder.",
    "Go.",
    "Nobody knows why the train was late again this morning.",
]
HYPOTHESES = [
    "The cat sat on a mat.",
    "There is a red car before the old house.",
    "Two dogs are running through snow, and a child watches.",
    "He said he will be back on monday.",
    "A man in a blue shirt is standing on a ladder.",
    "Go!",
    "",
]
SECOND_REFERENCES = [
    "A cat was sitting on the mat.",
    "A red car stands before the old house.",
    "Two dogs are running through the snow while a child watches.",
    "He said he would be back on Monday.",
    "A man with a blue shirt stands on a ladder.",
    "Leave.",
    "No one knows why the train was late again.",
]
COMMANDS = {
    "bleu": ["-m", "bleu"],
    "chrf": ["-m", "chrf"],
    "chrf++": ["-m", "chrf", "--chrf-word-order", "2"],
    "ter": ["-m", "ter"],
}


def sacrebleu(folder: Path, *options: str, references: list[list[str]]) -> str:
    """Run sacreBLEU's own command; return what it prints."""
    paths = []
    for index, lines in enumerate([HYPOTHESES, *references]):
        paths.append(folder / f"{index}.txt")
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", *map(str, paths[1:]), "-i", str(paths[0]), *options]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize("metric", COMMANDS)
def test_intervals_equal_the_sacrebleu_command(metric: str, tmp_path: Path) -> None:
    options = [*COMMANDS[metric], "--confidence", "--confidence-n", "211", "-w", "9"]
    theirs = json.loads(sacrebleu(tmp_path, *options, references=[REFERENCES, SECOND_REFERENCES]))
    asked = MetricOptions(resamples=211)
    ours = score_corpus(HYPOTHESES, [REFERENCES, SECOND_REFERENCES], [metric], options=asked)[metric]
    assert ours.interval is not None
    assert ours.interval.resamples == 211
    assert ours.interval.mean == pytest.approx(theirs["confidence_mean"], abs=1e-8)
    assert ours.interval.margin == pytest.approx(theirs["confidence_var"], abs=1e-8)
    assert ours.interval.high - ours.interval.low == pytest.approx(2 * theirs["confidence_var"], abs=1e-8)
    assert ours.signature == theirs["signature"]
    assert "bs:211|seed:12345" in ours.signature
    assert f"μ = {ours.interval.mean:.2f} ± {ours.interval.margin:.2f}" in ours.text


def test_an_interval_is_that_of_a_plain_bootstrap() -> None:
    """TER is a quotient of two sums, so that a resampled corpus can be scored by hand."""
    samples = 400
    edits = [score_sentences([hypothesis], [reference], "ter")[0] for hypothesis, reference in pairs()]
    lengths = [len(reference.split()) for reference in REFERENCES]
    edits = [edit * length / 100 for edit, length in zip(edits, lengths, strict=True)]
    rows = np.random.default_rng(12345).choice(len(lengths), size=(samples, len(lengths)), replace=True)
    found = sorted(100 * sum(edits[i] for i in row) / sum(lengths[i] for i in row) for row in rows)
    interval = score_corpus(HYPOTHESES, REFERENCES, ["ter"], options=MetricOptions(resamples=samples))["ter"].interval
    assert interval is not None
    assert interval.mean == pytest.approx(statistics.mean(found), abs=1e-3)
    assert interval.margin == pytest.approx((found[-1 - samples // 40] - found[samples // 40]) / 2, abs=1e-3)


def pairs() -> list[tuple[str, str]]:
    return list(zip(HYPOTHESES, REFERENCES, strict=True))


def test_the_seed_is_sacrebleus_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = MetricOptions(resamples=50)
    first = score_corpus(HYPOTHESES, REFERENCES, options=asked)["bleu"]
    assert score_corpus(HYPOTHESES, REFERENCES, options=asked)["bleu"] == first
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    other = score_corpus(HYPOTHESES, REFERENCES, options=asked)["bleu"]
    assert "seed:7" in other.signature
    assert other.score == first.score
    assert other.interval != first.interval
    for seed in ("seven", "0"):
        monkeypatch.setenv("SACREBLEU_SEED", seed)
        with pytest.raises(UserError, match=f"SACREBLEU_SEED is '{seed}'; set it to a whole number above 0"):
            score_corpus(HYPOTHESES, REFERENCES, options=asked)


def test_corpora_that_always_score_0_have_an_interval_of_0() -> None:
    interval = score_corpus(["x", "y"], ["a b", "c d"], options=MetricOptions(resamples=10))["bleu"].interval
    assert interval is not None
    assert (interval.mean, interval.margin, interval.resamples) == (0.0, 0.0, 10)


def test_one_sample_is_no_interval() -> None:
    for resamples in (1, -3):
        with pytest.raises(UserError, match=f"at least 2 bootstrap samples, not {resamples}"):
            score_corpus(HYPOTHESES, REFERENCES, options=MetricOptions(resamples=resamples))


@pytest.mark.parametrize("metric", COMMANDS)
def test_sentences_equal_the_sacrebleu_command(metric: str, tmp_path: Path) -> None:
    command = [*COMMANDS[metric], "--sentence-level", "--score-only", "-w", "9"]
    theirs = sacrebleu(tmp_path, *command, references=[REFERENCES, SECOND_REFERENCES]).split()
    ours = score_sentences(HYPOTHESES, [REFERENCES, SECOND_REFERENCES], metric)
    assert ours == pytest.approx([float(score) for score in theirs], abs=1e-8)
    assert len(set(ours)) > 3


def test_a_short_sentence_can_be_perfect() -> None:
    # of two tokens no 4-gram can match; a BLEU of 0 for it would be an artifact
    assert score_sentences(["Go."], ["Go."], "bleu") == pytest.approx([100])


def test_sentences_know_case_and_counts() -> None:
    lower = MetricOptions(lowercase=True)
    assert score_sentences(["GO AWAY"], ["go away"], "chrf", options=lower) == pytest.approx([100])
    assert score_sentences(["GO AWAY"], ["go away"], "chrf")[0] < 50
    with pytest.raises(DataError, match="there are 1 hypotheses, but the references have 2 lines"):
        score_sentences(["a"], ["a", "b"])
    with pytest.raises(UserError, match="unknown metric 'chr'; did you mean 'chrf'"):
        score_sentences(["a"], ["a"], "chr")


def test_characters_are_a_tokenization() -> None:
    by_character = MetricOptions(tokenize="char")
    one = score_corpus(["日本語を話す"], ["日本語を話した"], options=by_character)["bleu"]
    spaced = [" ".join(line) for line in ("日本語を話す", "日本語を話した")]
    other = score_corpus([spaced[0]], [spaced[1]], options=MetricOptions(tokenize="none"))["bleu"]
    assert one.score == pytest.approx(other.score)
    assert "tok:char" in one.signature


def test_a_tokenization_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = pytest.importorskip("sacrebleu.tokenizers.tokenizer_ja_mecab")
    monkeypatch.setattr(tokenizer, "MeCab", None)
    wrong = r"'ja-mecab' cannot be used here: .*pip install sacrebleu\[ja\]"
    with pytest.raises(UserError, match=wrong):
        check_metrics(["bleu"], MetricOptions(tokenize="ja-mecab"))
    check_metrics(["chrf"], MetricOptions(tokenize="ja-mecab"))  # does not split words


def test_no_metric_is_refused() -> None:
    with pytest.raises(UserError, match=r"no metric to score with; name one \(known: bleu, "):
        score_corpus(HYPOTHESES, REFERENCES, [])


Comet = Callable[[], list[str]]


@pytest.fixture
def comet(monkeypatch: pytest.MonkeyPatch) -> Comet:
    """A stand-in for COMET: the share of the reference's letters that the translation has."""
    loaded: list[str] = []

    def predict(samples: list[dict[str, str]], batch_size: int, gpus: int) -> SimpleNamespace:
        assert batch_size > 1
        assert gpus >= 0
        assert all(sample["src"].startswith("source of ") for sample in samples)
        return SimpleNamespace(scores=[len(set(one["mt"]) & set(one["ref"])) / len(set(one["ref"])) for one in samples])

    def load(path: str) -> SimpleNamespace:
        loaded.append(path)
        return SimpleNamespace(predict=predict)

    def download(name: str) -> str:
        if "/" not in name:
            raise KeyError(f"Model '{name}' not supported by COMET.")
        return f"cache/{name}.ckpt"

    module = ModuleType("comet")
    module.load_from_checkpoint = load  # type: ignore[attr-defined]
    module.download_model = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comet", module)
    return lambda: loaded


SOURCES = [f"source of {reference}" for reference in REFERENCES]


def test_comet_is_the_mean_of_what_its_model_says(comet: Comet) -> None:
    shares = [len(set(ours) & set(theirs)) / len(set(theirs)) for ours, theirs in pairs()]
    asked = MetricOptions(resamples=300)
    found = score_corpus(HYPOTHESES, REFERENCES, ["bleu", "comet"], options=asked, sources=SOURCES)["comet"]
    assert found.name == "COMET"
    assert found.score == pytest.approx(statistics.mean(shares))
    assert comet() == ["cache/Unbabel/wmt22-comet-da.ckpt"]
    assert "model:Unbabel/wmt22-comet-da|version:comet-" in found.signature
    assert "bs:300|seed:12345" in found.signature
    assert found.text.startswith(f"COMET|{found.signature} = {found.score:.4f} (μ = ")
    rows = np.random.default_rng(12345).choice(len(shares), size=(300, len(shares)), replace=True)
    means = sorted(statistics.mean(shares[i] for i in row) for row in rows)
    assert found.interval is not None
    assert found.interval.margin == pytest.approx((means[-8] - means[7]) / 2, abs=1e-6)
    assert score_sentences(HYPOTHESES, REFERENCES, "comet", sources=SOURCES) == pytest.approx(shares)


def test_comet_takes_a_file_as_its_model(comet: Comet, tmp_path: Path) -> None:
    path = tmp_path / "own.ckpt"
    asked = MetricOptions(comet_model=str(path))
    found = score_corpus(HYPOTHESES, REFERENCES, ["comet"], options=asked, sources=SOURCES)["comet"]
    assert comet() == [str(path)]
    assert "model:own|" in found.signature
    asked = MetricOptions(comet_model="wmt99")
    with pytest.raises(UserError, match="COMET has no model 'wmt99'"):
        score_corpus(HYPOTHESES, REFERENCES, ["comet"], options=asked, sources=SOURCES)


def test_comet_needs_sources_and_one_reference(comet: Comet) -> None:
    with pytest.raises(UserError, match="COMET reads the source sentences, too"):
        score_corpus(HYPOTHESES, REFERENCES, ["comet"])
    with pytest.raises(UserError, match="COMET compares with one reference per sentence, but there are 2"):
        score_corpus(HYPOTHESES, [REFERENCES, SECOND_REFERENCES], ["comet"], sources=SOURCES)
    with pytest.raises(DataError, match="there are 7 hypotheses, but 3 sources"):
        score_corpus(HYPOTHESES, REFERENCES, ["comet"], sources=SOURCES[:3])


def test_without_comet_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "comet", None)  # as if it were not installed
    with pytest.raises(UserError, match="'comet' needs the package unbabel-comet: pip install unbabel-comet"):
        check_metrics(["bleu", "comet"])
    monkeypatch.setitem(sys.modules, "comet", ModuleType("comet"))
    with pytest.raises(UserError, match=r"but the module 'comet' .* is another one"):
        check_metrics(["comet"])


class Terminal(io.StringIO):
    """Somebody is looking."""

    def isatty(self) -> bool:
        return True


def test_a_bar_appears_only_when_counting_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    score_corpus(HYPOTHESES, REFERENCES, ["ter"])
    assert terminal.getvalue().strip() == ""
    monkeypatch.setattr("seq2seq_attn.evaluation.metrics.build.PATIENCE", 0.0)
    score_corpus(HYPOTHESES, REFERENCES, ["ter"])
    assert "TER:" in terminal.getvalue()
    assert f"/{len(HYPOTHESES)} " in terminal.getvalue()
