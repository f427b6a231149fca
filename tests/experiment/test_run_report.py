"""The page about a whole run."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_server import Commands
from html_checks import Page, check_page
from tiny import copy_run, settings, trained_run, write_config

from seq2seq_attn.checkpoint.folders import read_run_config
from seq2seq_attn.evaluation.diagnostics import diagnose, mean_diagnostics
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.experiment.over_training import attention_over_training
from seq2seq_attn.experiment.run_report import ReportOptions, report_whole_run
from seq2seq_attn.experiment.splits import read_split
from seq2seq_attn.translation import Translator

pytest.importorskip("matplotlib")

INJECTED = '</td></table><script>alert("config")</script> &amp; ${x}'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return copy_run(trained_run(), tmp_path / "run")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the trained run, as the command line writes it by default but for its place."""
    folder = tmp_path_factory.mktemp("report")
    return report_whole_run(trained_run(), folder, ReportOptions(sentences=11, resamples=11, device="cpu"))


def quiet(**changes: object) -> ReportOptions:
    return ReportOptions(**{"sentences": 0, "resamples": 11, "device": "cpu", "say": lambda _: None, **changes})  # type: ignore[arg-type]


def log_of(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def change_config(run: Path, **data: object) -> None:
    """Write other values into the ``data`` section that a run was made with."""
    tree = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    tree["data"].update(data)
    (run / "config.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")


def plots_of(html: str) -> dict[str, str]:
    """Return the plots of a page, by their titles."""
    drawn = [figure.split("</figure>")[0] for figure in html.split("<figure>") if 'class="title">' in figure]
    return {figure.split('class="title">')[1].split("</text>")[0]: figure for figure in drawn}


def test_the_page_says_everything_of_a_run(report: Path) -> None:
    html = report.read_text(encoding="utf-8")
    page = check_page(html)
    for text in (
        "What differs from the defaults key value default tokenizer.kind word sentencepiece",
        "training.max_epochs 20 17",
        "decoding.beam_size 3 5",
        "data.test.test source",
        "loss (nats per target token)",
        "validation BLEU",
        "learning rate",
        "gradient norm, before clipping",
        "target tokens per second",
        "Attention over training",
        "weight near the diagonal",
        "One sentence, at every checkpoint",
        "By source length",
        "Sample translations",
        "Worst sentences, by chrF",
        "Calibration",
    ):
        assert text in page.text, text
    assert len(html.encode()) < 2_000_000
    assert "tokenizer:\n  reuse: null" in html, "all settings, as YAML"


def test_what_is_drawn_and_listed_is_what_was_logged(report: Path) -> None:
    html = report.read_text(encoding="utf-8")
    log = log_of(trained_run())
    record = json.loads((report.parent / "scores.json").read_text(encoding="utf-8"))
    assert record["training"]["training"] == [one for one in log if one["kind"] == "train"]
    validations = [one for one in log if one["kind"] == "validation"]
    assert record["training"]["validations"] == validations
    plots = plots_of(html)
    loss = next(figure for title, figure in plots.items() if title.startswith("loss"))
    lines = [line.split('"')[0].split() for line in loss.split('points="')[1:]]
    assert [len(line) for line in lines] == [len(log) - len(validations), len(validations)]
    assert plots["validation BLEU"].count("<circle") == len(validations)
    for one in validations:
        assert f"<title>BLEU, {one['step']}: {one['bleu']:.6g}</title>" in plots["validation BLEU"]
        assert f">{one['step']:,}</th>" in html


def test_attention_over_training_is_that_of_every_kept_checkpoint(report: Path) -> None:
    """Against weights found token by token, as search finds them, not all at once."""
    run = trained_run()
    config = read_run_config(run)
    found = attention_over_training(run, config, sentences=1000, device="cpu")
    folders = sorted(path for path in (run / "checkpoints").glob("step-*"))
    assert [one.name for one in found.checkpoints] == [path.name for path in folders]
    pairs = read_split(config, "validation")
    for one, folder in zip(found.checkpoints, folders, strict=True):
        translator = Translator.load(folder, device="cpu")
        forced = translator.score([pair.source for pair in pairs], [pair.target for pair in pairs])
        expected = mean_diagnostics(diagnose(each.attention) for each in forced)
        assert one.diagnostics.sentences == expected.sentences == len(pairs)
        assert one.diagnostics.mean is not None
        assert expected.mean is not None
        assert one.diagnostics.mean.to_dict() == pytest.approx(expected.mean.to_dict(), abs=1e-4)
        shown = next(each for each in forced if each.source == found.source)
        np.testing.assert_allclose(one.weights, shown.attention, atol=1e-5)
        assert one.error_rate is None, "the tiny corpus names no gold alignments"
    assert sum(one.marks.count("best") for one in found.checkpoints) == 1
    text = check_page(report.read_text(encoding="utf-8")).text
    assert all(one.name in text for one in found.checkpoints)


def test_gold_alignments_give_an_error_rate(run: Path) -> None:
    config = read_run_config(run)
    validation = config.data.validation[0]
    aligned = validation.model_copy(update={"alignments": (validation.source[0].replace(".en", ".align"),)})  # type: ignore[union-attr]
    config = config.model_copy(update={"data": config.data.model_copy(update={"validation": (aligned,)})})
    found = attention_over_training(run, config, sentences=1000, device="cpu")
    from seq2seq_attn.data.links import read_linked

    best = next(one for one in found.checkpoints if "best" in one.marks)
    translator = Translator.load(run / "checkpoints" / best.name, device="cpu")
    assert best.error_rate == score_alignments(translator, list(read_linked((aligned,)))).error_rate


def test_a_resumed_run_has_one_curve(commands: Commands, tmp_path: Path) -> None:
    """Steps of before and after, each once, whatever the log holds twice."""
    run = tmp_path / "run"
    for epochs, more in ((1, ()), (3, ("--resume",))):
        config = write_config(tmp_path, {"training.max_epochs": epochs}, name=f"{epochs}.yaml")
        done = commands("train", config, "--output", run, *more)
        assert done.status == 0, done.err
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:  # as a machine that dies would leave it
        file.write(json.dumps({**log_of(run)[0], "loss": 123.0}) + "\n" + '{"kind": "train", "st')
    page = report_whole_run(run, tmp_path / "report", quiet())
    record = json.loads((page.parent / "scores.json").read_text(encoding="utf-8"))["training"]
    steps = [one["step"] for one in record["training"]]
    assert steps == list(range(3, 3 * len(steps) + 1, 3))
    assert record["training"][0]["loss"] == 123.0
    assert [one["epoch"] for one in record["validations"]] == [1, 2, 3]


def test_a_run_without_test_sets_is_judged_on_its_validation_split(run: Path, tmp_path: Path) -> None:
    change_config(run, test={})
    page = report_whole_run(run, tmp_path / "report", quiet())
    assert "Test set validation" in check_page(page.read_text(encoding="utf-8")).text
    assert (page.parent / "validation.hyp").is_file()


def test_a_test_set_that_is_gone_is_left_out_and_told(commands: Commands, run: Path, tmp_path: Path) -> None:
    files = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["data"]["test"]
    gone = {"source": str(tmp_path / "gone.en"), "target": str(tmp_path / "gone.pt")}
    change_config(run, test={**files, "gone": gone})
    told = f"The test set gone is left out: {gone['source']}"
    done = commands("report", run, "--sentences", 3)
    assert done.status == 0, done.err
    assert told in done.err
    assert done.out == f"{run / 'report' / 'report.html'}\n"
    page = check_page((run / "report" / "report.html").read_text(encoding="utf-8"))
    assert told in page.text
    assert "Test set test" in page.text
    asked = commands("report", run, "--split", "gone")
    assert (asked.status, asked.out) == (2, "")
    assert asked.err.startswith(f"seq2seq-attn: {gone['source']}: ")


def test_text_of_a_configuration_is_text(run: Path, tmp_path: Path) -> None:
    change_config(run, source_language=INJECTED, target_language="</style><b>pt")
    html = report_whole_run(run, tmp_path / "report", quiet()).read_text(encoding="utf-8")
    page = check_page(html)
    assert f"data.source_language {INJECTED}" in page.text
    assert "<script>alert" not in html
    assert "<b>" not in html


def test_what_is_not_known_of_a_training_is_said(run: Path, tmp_path: Path) -> None:
    (run / "metrics.jsonl").unlink()
    damaged = sorted((run / "checkpoints").glob("step-*"))[0]
    best = (run / "checkpoints" / "best").resolve()
    if damaged == best:
        damaged = sorted((run / "checkpoints").glob("step-*"))[1]
    (damaged / "model.safetensors").write_bytes(b"damaged")
    page = report_whole_run(run, tmp_path / "report", quiet(sentences=3))
    text = Page(page.read_text(encoding="utf-8")).text
    assert "Nothing is known of the training: metrics.jsonl is missing from the run, or empty." in text
    assert f"A checkpoint was passed over: {damaged}" in text
    assert "loss (nats per target token)" not in text


def test_what_cannot_be_reported_on(commands: Commands, run: Path, tmp_path: Path) -> None:
    """Each is one line, and nothing is written."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.html").write_text("mine")
    empty = copy_run(run, tmp_path / "empty")
    shutil.rmtree(empty / "checkpoints")
    ask = partial(commands, "report")
    for done, told in (
        (ask(tmp_path / "nowhere"), "nowhere: no such run folder"),
        (ask(other), "neither a run folder (config.yaml is missing) nor a checkpoint folder"),
        (ask(empty), "no checkpoint yet; train first, or wait for the first validation"),
        (ask(run, "--output", other), "and no report wrote it; name another folder with --output"),
        (
            ask(run, "--output", other / "report.html"),
            "is a file, but a report is a folder; name another one with --output",
        ),
        (ask(run, "--split", "tset"), "no split 'tset'; did you mean 'test'?"),
        (ask(run, "--sentences", -1), "--sentences is -1, but it must be 0 or more"),
        (ask(run, "--beam-size", 0), "beam_size"),
    ):
        assert (done.status, done.out) == (2, ""), (told, done.err)
        assert told in done.err
        assert done.err.count("\n") <= 2
        assert "Traceback" not in done.err
    assert (other / "report.html").read_text() == "mine"
    assert not (run / "report").exists()


def test_the_defaults_themselves_differ_in_nothing(run: Path, tmp_path: Path) -> None:
    from seq2seq_attn.config import parse_config
    from seq2seq_attn.experiment.run_report import changed_keys

    data = settings(tmp_path)["data"]
    plain = parse_config(yaml.safe_dump({"data": data}), source="plain")
    assert changed_keys(plain) == {}
    changed = parse_config(yaml.safe_dump({"data": data, "model": {"bridge": "last"}}), source="changed")
    assert changed_keys(changed) == {"model.bridge": ("last", plain.model.bridge)}
