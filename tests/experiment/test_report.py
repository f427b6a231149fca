from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from command_server import Commands
from html_checks import check_page
from tiny import copy_run, trained_run

from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.errors import MissingExtra, UserError
from seq2seq_attn.evaluation.calibration import calibration
from seq2seq_attn.evaluation.metrics import MetricOptions, score_corpus, score_sentences
from seq2seq_attn.experiment.evaluate import Evaluation, evaluate_run
from seq2seq_attn.experiment.report import ReportSubject, check_report, report_run, write_report
from seq2seq_attn.experiment.splits import EvaluationSet, choose_sets
from seq2seq_attn.translation import Translation

pytestmark = pytest.mark.unchecked_shapes  # each character of each page is a call

pytest.importorskip("matplotlib")

INJECTED = '<script>alert("source")</script> </td> & one'
METRICS = ("bleu", "chrf")
OPTIONS = MetricOptions(resamples=11)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return copy_run(trained_run(), tmp_path / "run")


def translation_of(source: str, text: str, *, attends: bool = True, finished: bool = True) -> Translation:
    source_tokens, tokens = (*source.split(), "</s>"), (*text.split(), "</s>")
    weights = np.full((len(tokens), len(source_tokens)), attends / len(source_tokens), dtype=np.float32)
    return Translation(
        source=source,
        text=text,
        score=-1.0,
        log_prob=-1.0,
        tokens=tokens,
        source_tokens=source_tokens,
        attention=weights,
        finished=finished,
        truncated=False,
        alignment=[],
        token_log_probs=tuple(-0.1 for _ in tokens),
    )


def evaluation_of(split: str = "test", *, attends: bool = True, metrics: tuple[str, ...] = METRICS) -> Evaluation:
    """Thirteen sentences: the last is an attack, number n lacks n words, number 3 was cut."""
    sources = [" ".join(["word", *"abcdefghijkl"[: number + 3]]) for number in range(12)] + [INJECTED]
    references = [" ".join(["wort", *"abcdefghijklmnopqrst"[:15]]) for _ in range(12)] + ["<b>bold</b>"]
    hypotheses = [line[: len(line) - 2 * number] for number, line in enumerate(references[:12])] + ["<i>it</i>"]
    judged = EvaluationSet(split, [SentencePair(*pair) for pair in zip(sources, references, strict=True)])
    translations = [
        translation_of(source, text, attends=attends, finished=number != 3)
        for number, (source, text) in enumerate(zip(sources, hypotheses, strict=True))
    ]
    scores = score_corpus(hypotheses, [references], metrics, options=OPTIONS)
    return Evaluation(judged, hypotheses, scores, OPTIONS, translations, DecodingConfig(beam_size=7))


def subject_of(*splits: str) -> ReportSubject:
    random = np.random.default_rng(3)
    found = calibration(random.random(200), random.random(200) < 0.7)
    return ReportSubject("a <run>", {"attention": "luong & co"}, ("en", "pt"), dict.fromkeys(splits, found))


def test_the_folder_holds_hypotheses_scores_plots_and_a_page(tmp_path: Path) -> None:
    evaluation = evaluation_of()
    page = write_report(tmp_path / "deep" / "report", [evaluation], subject_of("test"))
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "report.html",
        "scores.json",
        "test-by-length-bleu.svg",
        "test-by-length-chrf.svg",
        "test-reliability.svg",
        "test.hyp",
    ]
    assert (page.parent / "test.hyp").read_text(encoding="utf-8").split("\n")[:-1] == evaluation.hypotheses
    record = json.loads((page.parent / "scores.json").read_text(encoding="utf-8"))
    (split,) = record["splits"]
    assert split["scores"]["bleu"]["score"] == evaluation.scores["bleu"].score
    assert split["scores"]["bleu"]["interval"]["resamples"] == 11
    assert split["sentences_by_metric"]["chrf"] == score_sentences(
        evaluation.hypotheses, [pair.target for pair in evaluation.pairs], "chrf"
    )
    assert sum(bucket["sentences"] for bucket in split["by_length"]) == 13
    assert split["attention"]["normalized_entropy"] == pytest.approx(1.0, abs=1e-6)
    assert split["calibration"]["count"] == 200
    assert page.stat().st_size < 1_000_000


@pytest.mark.checked_shapes
def test_the_page_is_complete_in_itself_and_says_everything(tmp_path: Path) -> None:
    evaluation = evaluation_of()
    path = write_report(tmp_path, [evaluation, evaluation_of("second & <last>")], subject_of("test"))
    html = path.read_text(encoding="utf-8")
    page = check_page(html)
    bleu = evaluation.scores["bleu"]
    assert bleu.interval is not None
    for text in (
        "a <run>",
        "luong & co",
        f"{bleu.score:.2f} ± {bleu.interval.margin:.2f}",
        f"{bleu.interval.low:.2f} to {bleu.interval.high:.2f}",
        bleu.signature,
        "Sample translations",
        "Worst sentences",
        "Best sentences",
        "expected calibration error",
        "weight on the end of the sentence",
        "The length limit ended this translation.",
        "beam size 7",
        INJECTED,
        "<b>bold</b>",
        "second & <last>",
    ):
        assert text in page.text, text
    assert "<script" not in html
    assert "<i>" not in html
    assert len(page.named("svg")) >= 13
    assert sum("reliability" in image["alt"] for image in page.named("img")) == 1
    assert sum("by source length" in image["alt"] for image in page.named("img")) == 4


def test_best_and_worst_are_those_of_the_sentence_scores(tmp_path: Path) -> None:
    """Of the first twelve sentences each lacks more words than the one before."""
    evaluation = evaluation_of()
    path = write_report(tmp_path, [evaluation], ReportSubject("run", {}))
    html = path.read_text(encoding="utf-8")
    worst, best = html.index(">Worst sentences, by chrF</h3>"), html.index(">Best sentences, by chrF</h3>")
    attention = html.index(">Attention</h3>")
    lines = {
        name: [int(part.split("<")[0]) for part in html[begin:end].split("<caption>line ")[1:]]
        for name, begin, end in (("worst", worst, best), ("best", best, attention))
    }
    assert lines == {"worst": [13, 12, 11, 10, 9, 8], "best": [1, 2, 3, 4, 5, 6]}


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    """A model without attention; translations from a file, without their sources."""
    page = check_page(
        write_report(tmp_path / "a", [evaluation_of(attends=False)], ReportSubject("run", {})).read_text("utf-8")
    )
    assert "Attention" not in page.text
    assert "Calibration" not in page.text
    assert not page.named("svg")
    known = evaluation_of()
    judged = EvaluationSet("file", [SentencePair("", pair.target) for pair in known.pairs], has_sources=False)
    path = write_report(
        tmp_path / "b", [Evaluation(judged, known.hypotheses, known.scores, OPTIONS, [])], ReportSubject("file", {})
    )
    page = check_page(path.read_text("utf-8"))
    assert "By source length" not in page.text
    assert "source ∅" not in page.text
    assert "translation wort" in page.text
    assert sorted(found.name for found in path.parent.iterdir()) == ["file.hyp", "report.html", "scores.json"]


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / name, [evaluation_of()], subject_of("test"))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_older_report_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    write_report(tmp_path, [evaluation_of(), evaluation_of("former")], subject_of("test", "former"))
    (tmp_path / "notes.txt").write_text("mine")
    write_report(tmp_path, [evaluation_of(metrics=("chrf",))], subject_of())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "report.html",
        "scores.json",
        "test-by-length-chrf.svg",
        "test.hyp",
    ]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "former" not in check_page((tmp_path / "report.html").read_text("utf-8")).text


def test_files_of_others_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "test.hyp").write_text("mine")
    with pytest.raises(UserError, match=r"test\.hyp: is there already, and no report wrote it; name another folder"):
        check_report(tmp_path, ["test"], METRICS)
    check_report(tmp_path, ["validation"], METRICS)
    (tmp_path / "scores.json").write_text('{"format": "another", "files": ["test.hyp", "../secret", 3]}')
    with pytest.raises(UserError, match=r"scores\.json: is there already"):
        check_report(tmp_path, ["validation"], METRICS)
    assert (tmp_path / "test.hyp").read_text() == "mine"


def test_a_record_that_names_files_elsewhere_deletes_nothing_there(tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("keep")
    folder = tmp_path / "report"
    write_report(folder, [evaluation_of()], subject_of())
    record = json.loads((folder / "scores.json").read_text("utf-8"))
    (folder / "scores.json").write_text(json.dumps({**record, "files": [*record["files"], "../secret.txt", "/", ".."]}))
    write_report(folder, [evaluation_of()], subject_of())
    assert outside.read_text() == "keep"


def test_a_place_where_no_report_can_be_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(UserError, match="file: is a file, but a report is a folder"):
        check_report(file, ["test"], METRICS)
    with pytest.raises(UserError, match=r"file/deeper: cannot be written, because of .*file;"):
        check_report(file / "deeper", ["test"], METRICS)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match="cannot be written"):
        check_report(tmp_path / "new", ["test"], METRICS)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match="a report needs matplotlib"):
        check_report(tmp_path / "new", ["test"], METRICS)


def test_a_report_that_broke_off_can_be_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("seq2seq_attn.experiment.report.report_page", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_report(tmp_path, [evaluation_of()], subject_of("test"))
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "test.hyp").exists()
    write_report(tmp_path, [evaluation_of()], subject_of("test"))
    assert not list(tmp_path.glob(".aside*"))


def test_the_report_of_a_run(tmp_path: Path) -> None:
    run = trained_run()
    evaluations = evaluate_run(str(run), choose_sets(str(run)), metrics=METRICS, device="cpu")
    path = report_run(tmp_path / "report", str(run), evaluations, device="cpu")
    page = check_page(path.read_text("utf-8"))
    for text in ("en → pt", "luong-general", "step-000000", "17", "expected calibration error"):
        assert text in page.text
    record = json.loads((path.parent / "scores.json").read_text("utf-8"))
    assert record["splits"][0]["calibration"]["count"] > 17
    assert record["title"] == "tiny"


def test_evaluate_writes_a_report(commands: Commands, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    done = commands("evaluate", run, "--split", "test", "--report", folder)
    assert done.status == 0, done.err
    assert f"the report is {folder / 'report.html'}" in done.err
    assert [line.split("|")[0] for line in done.out.splitlines()] == ["test  BLEU", "test  chrF2"]
    record = json.loads((folder / "scores.json").read_text("utf-8"))
    assert record["splits"][0]["scores"]["bleu"]["interval"]["resamples"] == 1000
    assert (folder / "test.hyp").read_bytes() == (run / "evaluation" / "test.hyp").read_bytes()


def test_a_wrong_folder_is_told_before_anything_is_translated(commands: Commands, run: Path, tmp_path: Path) -> None:
    """Standing for: an hour of translating, and then no place to write it."""
    file = tmp_path / "file"
    file.write_text("mine")
    (run / "evaluation" / "test.hyp").unlink()
    done = commands("evaluate", run, "--split", "test", "--report", file)
    assert (done.status, done.out) == (2, "")
    assert done.err == f"seq2seq-attn: {file}: is a file, but a report is a folder; name another one with --report\n"
    assert not (run / "evaluation" / "test.hyp").exists()


def test_a_page_that_would_be_too_large_says_what_it_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences and scores always stay; first what is hovered over goes, then drawings, of the samples last."""
    evaluation = evaluation_of()
    whole = write_report(tmp_path, [evaluation], subject_of("test")).read_text("utf-8")
    left_out = "Where the model looked is left out, or the page would be too large."
    assert left_out not in whole
    drawings = []
    for limit in (len(whole.encode()) - 1, 1):
        monkeypatch.setattr("seq2seq_attn.experiment.report.LARGEST_PAGE", limit)
        html = write_report(tmp_path, [evaluation], subject_of("test")).read_text("utf-8")
        page = check_page(html)
        drawings.append(len(page.named("svg")))
        assert left_out in page.text
        assert all(one in page.text for one in evaluation.hypotheses[:6])
    assert drawings == [6, 0], "the six samples, then none"
