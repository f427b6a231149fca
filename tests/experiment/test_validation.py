"""Validation on any metric: what is measured, what follows from it, what is refused."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import sacrebleu
from command_server import Commands
from tiny import LEARNED, write_config

from seq2seq_attn import load_config
from seq2seq_attn.config.schema import TrainingConfig
from seq2seq_attn.config.training import ValidationMetric
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.links import read_linked
from seq2seq_attn.data.prepare import prepare
from seq2seq_attn.errors import ConfigError, TrainingError
from seq2seq_attn.evaluation.metrics import METRICS, higher_is_better, score_corpus
from seq2seq_attn.experiment import validation
from seq2seq_attn.experiment.average import choose_checkpoints
from seq2seq_attn.experiment.preparing import prepare_run
from seq2seq_attn.experiment.symptoms.learning import check_learning
from seq2seq_attn.experiment.validation import Validator, text_metrics, validation_search
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.losses import Loss
from seq2seq_attn.runtime import choose_device, choose_precision
from seq2seq_attn.training.interrupts import Interrupts
from seq2seq_attn.translation import Translator

MODEL_METRICS = {"loss": False, "perplexity": False, "alignment_error_rate": False}

FEW = {**LEARNED, "training.max_epochs": 5, "training.validate_every": "epoch", "training.keep_best": 9}


def write_aligned(folder: Path, changes: dict[str, Any]) -> Path:
    links = {"data.validation.alignments": str(folder / "validation.align"), "data.test": {}}
    return write_config(folder, {**FEW, **links, **changes})


@pytest.fixture(scope="module")
def run(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run judged by an error rate of translations, with a beam, and more metrics besides."""
    folder = tmp_path_factory.mktemp("validation")
    changes = {"validation_metric": "ter", "validation_metrics": ["chrf++", "ter"], "validation_beam_size": 3}
    config = write_aligned(folder, {f"training.{name}": value for name, value in changes.items()})
    done = commands("train", config, "--output", folder / "run")
    assert done.status == 0, done.err
    return folder / "run"


def validations(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "validation"]


def best_step(run: Path) -> int:
    return int((run / "checkpoints" / "best").resolve().name.removeprefix("step-"))


def test_the_configuration_knows_the_metrics_that_can_be_had() -> None:
    assert set(get_args(ValidationMetric)) == {*METRICS, *MODEL_METRICS} - {"comet"}


def test_which_way_a_metric_goes() -> None:
    """Against what the metrics say of a perfect and of a wrong translation."""
    references = ["the cat sat on the mat .", "it rains in the evening ."]
    perfect, wrong = (
        score_corpus(lines, references, [name for name in METRICS if name != "comet"])
        for lines in (references, ["no", "nothing of this"])
    )
    for name in perfect:
        assert higher_is_better(name) == (perfect[name].score > wrong[name].score)
    assert {name: higher_is_better(name) for name in MODEL_METRICS} == MODEL_METRICS
    assert higher_is_better("comet")


def test_every_metric_is_logged_and_the_lowest_error_rate_is_best(run: Path) -> None:
    found = validations(run)
    wanted = {"loss", "perplexity", "bleu", "chrf++", "ter", "alignment_error_rate"}
    assert [record.keys() - {"kind", "step", "epoch", "seconds"} for record in found] == [wanted] * 5
    ranked = sorted(found, key=lambda record: record["ter"])
    assert ranked[0]["ter"] < ranked[-1]["ter"]
    assert best_step(run) == ranked[0]["step"]
    chosen = choose_checkpoints([run], last=None, best=5)
    assert [int(path.name.removeprefix("step-")) for path in chosen] == [
        record["step"] for record in sorted(found, key=lambda record: (record["ter"], record["step"]))
    ]


def test_the_scores_are_those_of_translations_made_with_that_beam(run: Path) -> None:
    config = load_config(run / "config.yaml")
    pairs = [pair for pair, _ in read_linked(config.data.validation)]
    references = [[pair.target for pair in pairs]]
    last = validations(run)[-1]
    translator = Translator.load(run, device="cpu", checkpoint="last")
    sources = [pair.source for pair in pairs]
    with_beam, greedy = ([one.text for one in translator.translate(sources, beam_size=size)] for size in (3, 1))
    assert last["bleu"] == pytest.approx(sacrebleu.BLEU(force=True).corpus_score(with_beam, references).score)
    assert last["chrf++"] == pytest.approx(sacrebleu.CHRF(word_order=2).corpus_score(with_beam, references).score)
    assert last["ter"] == pytest.approx(sacrebleu.TER().corpus_score(with_beam, references).score)
    assert with_beam != greedy  # or nothing was shown


def test_doctor_compares_scores_of_one_search_only(commands: Commands, run: Path) -> None:
    """BLEU in this log is that of a beam; what greedy search gives is no reproduction of it."""
    done = commands("doctor", run, "--json")
    names = [finding["symptom"] for finding in json.loads(done.out)["findings"]]
    assert "search" in names
    assert "validation again" not in names


@pytest.mark.parametrize(
    ("metric", "found", "severity", "gain"),
    [
        ("ter", [60.0, 58.0, 55.0], "note", 3.0),
        ("ter", [60.0, 55.0, 58.0], "fine", -3.0),
        ("chrf", [40.0, 45.0, 45.2], "fine", 0.2),
        ("perplexity", [20.0, 10.0, 9.0], "note", 0.1),
        ("perplexity", [20.0, 10.0, 9.99], "fine", 0.001),
        ("alignment_error_rate", [0.4, 0.2, 0.1], "note", 0.5),
    ],
)
def test_doctor_knows_which_way_the_metric_goes(metric: Any, found: list[float], severity: str, gain: float) -> None:
    """Points of a score, a share of all other numbers."""
    records = [{"kind": "validation", "step": step, "loss": 1.0, metric: value} for step, value in enumerate(found)]
    findings = {one.symptom: one for one in check_learning(records, TrainingConfig(validation_metric=metric))}
    ending = findings["end of training"]
    assert ending.severity == severity
    assert ending.numbers["gain"] == pytest.approx(gain)
    assert ending.numbers["best"] == (max if higher_is_better(metric) else min)(found)


def test_the_alignment_error_rate_may_decide(commands: Commands, tmp_path: Path) -> None:
    """With a patience of one, training ends at the first validation that is not below all before it."""
    changes = {"training.validation_metric": "alignment_error_rate", "training.patience": 1, "training.max_epochs": 20}
    done = commands("train", write_aligned(tmp_path, changes), "--output", tmp_path / "run", "--json")
    assert done.status == 0, done.err
    rates = [record["alignment_error_rate"] for record in validations(tmp_path / "run")]
    assert json.loads(done.out)["reason"] == "no progress in alignment_error_rate over 1 validations"
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[:-1]))
    assert rates[-1] >= min(rates[:-1])
    assert best_step(tmp_path / "run") == validations(tmp_path / "run")[-2]["step"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "data.validation has no gold alignments: name their files as data.validation.alignments"),
        ({"model.attention": "none"}, "this model has no attention weights to take links from"),
    ],
    ids=["no gold", "no attention"],
)
def test_an_error_rate_that_cannot_be_had_is_refused_before_any_work(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    config = load_config(write_config(tmp_path, {"training.validation_metric": "alignment_error_rate", **changes}))
    with pytest.raises(ConfigError, match=message):
        prepare_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["validation_metric", "validation_metrics"])
def test_comet_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"training.{key}.*comet runs a network.*evaluate --metric comet"):
        load_config(write_config(tmp_path), [f"training.{key}=comet"])
    with pytest.raises(ConfigError, match=r"expected .*chrf.*; did you mean 'chrf'"):
        load_config(write_config(tmp_path), [f"training.{key}=chrff"])


def test_resuming_with_another_metric_is_refused_with_more_besides_is_not(
    commands: Commands, run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run", symlinks=True)
    again = ["train", run / "config.yaml", "--output", tmp_path / "run", "--resume"]
    refused = commands(*again, "training.validation_metric=bleu")
    assert refused.status == 2
    assert "training.validation_metric was 'ter', now 'bleu'" in refused.err
    done = commands(*again, "training.validation_metrics=chrf", "training.max_epochs=6")
    assert done.status == 0, done.err
    assert "chrf" in validations(tmp_path / "run")[-1]


def validator_of(run: Path) -> Validator:
    config = load_config(run / "config.yaml")
    prepared = prepare(config, run, report=lambda _: None)
    return Validator(
        Translator.load(run, device="cpu").model,
        prepared.tokenizers,
        prepared.validation,
        list(read_linked(config.data.validation)),
        decoding=validation_search(config),
        metrics=text_metrics(config.training),
        precision=choose_precision("float32", choose_device("cpu")),
        interrupts=Interrupts(),
    )


def test_a_loss_for_which_there_is_little_memory_is_made_in_parts(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validator = validator_of(run)
    wanted = validator()["loss"]
    loss_of = validation.batch_loss
    room = 3

    def narrow(model: Seq2Seq, batch: Batch) -> Loss:
        if batch.size > room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return loss_of(model, batch)

    monkeypatch.setattr(validation, "batch_loss", narrow)
    assert validator()["loss"] == pytest.approx(wanted, rel=1e-6)
    room = 0
    with pytest.raises(
        TrainingError, match=r"no memory for validation; .* without the longest lines of the validation"
    ):
        validator()


def test_no_memory_for_validation_says_what_to_change(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validator = validator_of(run)

    def exhausted(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(Translator, "translate", exhausted)
    with pytest.raises(TrainingError, match=r"no memory for validation; .* decoding.batch_sentences below 64"):
        validator()
