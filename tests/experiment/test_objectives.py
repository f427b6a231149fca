"""Objectives from the configuration to the trained run, and trainings that go on where they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import write_config

from seq2seq_attn.config import dump_config, load_config, parse_config
from seq2seq_attn.config.schema import RiskConfig, ScheduledSamplingConfig, WordDropoutConfig
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.metrics import score_sentences
from seq2seq_attn.experiment.train import train
from seq2seq_attn.experiment.updating import build_objective
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.minimum_risk import MinimumRisk
from seq2seq_attn.training.objectives.r_drop import RDrop
from seq2seq_attn.training.objectives.scheduled_sampling import ScheduledSampling
from seq2seq_attn.training.objectives.word_dropout import WordDropout

FEW = {
    "data.test": {},
    "training.schedule": {"kind": "constant", "warmup_steps": 0},
    "training.max_epochs": None,
    "training.max_steps": 6,
    "training.validate_every": 100,
    "training.log_every": 2,
}
TRANSFORMER = {
    "model.architecture": "transformer",
    "model.embedding_size": 12,
    "model.transformer": {"encoder_layers": 1, "decoder_layers": 2, "heads": 2, "feed_forward_size": 13},
    "model.encoder": {},
    "model.decoder": {},
}
SCHEDULED = {"decay": "linear", "steps": 10, "start_after": 1}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "word-dropout": {"word_dropout": {"source": 0.2, "target": 0.3, "replace": "random"}},
    "scheduled": {"scheduled_sampling": {**SCHEDULED, "predictions": "sample", "passes": 2}},
    "r-drop": {"r_drop": 3, "coverage_loss": 0.1},
    "minimum-risk": {"minimum_risk": {"candidates": 4, "utility": "chrf"}},
    "all": {
        "word_dropout": {"source": 0.1, "target": 0.1, "replace": "zero"},
        "scheduled_sampling": SCHEDULED,
        "r_drop": 1,
        "minimum_risk": {"candidates": 3, "likelihood_weight": 0.1},
        "accumulate": 2,
    },
}


def configuration(folder: Path, objective: str, changes: dict[str, Any]) -> Path:
    chosen = {f"training.{key}": value for key, value in OBJECTIVES[objective].items()}
    return write_config(folder, {**FEW, **changes, **chosen})


@pytest.mark.parametrize(
    ("objective", "model"),
    [
        pytest.param("word-dropout", "transformer", marks=pytest.mark.slow),
        pytest.param("scheduled", "rnn", marks=pytest.mark.slow),
        pytest.param("r-drop", "rnn", marks=pytest.mark.slow),
        pytest.param("minimum-risk", "transformer", marks=pytest.mark.slow),
        ("all", "rnn"),
        ("all", "transformer"),
    ],
)
def test_a_training_goes_on_where_it_was(tmp_path: Path, objective: str, model: str) -> None:
    config = configuration(tmp_path, objective, TRANSFORMER if model == "transformer" else {})
    train(config, {"training.max_steps": 5}, output=tmp_path / "whole")
    train(config, {"training.max_steps": 3}, output=tmp_path / "parts")
    train(config, {"training.max_steps": 5}, output=tmp_path / "parts", resume=True)
    whole, parts = (
        load_file(tmp_path / name / "checkpoints" / "last" / "model.safetensors") for name in ("whole", "parts")
    )
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    first, last = [line for line in logged(tmp_path / "parts") if line["kind"] == "train"]
    assert last["step"] == 4
    names = {"r_drop_loss"} if objective in ("r-drop", "all") else set()
    names |= {"risk"} if objective in ("minimum-risk", "all") else set()
    assert names == {"r_drop_loss", "risk"} & last.keys()
    assert all(last[name] > 0 for name in names)
    assert last.get("risk", 0) < 1
    assert 0 < last["loss"] < first["loss"] + 0.5


def logged(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    train(write_config(folder, FEW), {"training.max_steps": 6}, output=folder / "run")
    return folder


def test_factors_of_zero_are_the_plain_training(plain: Path, tmp_path: Path) -> None:
    nothing = {"training.word_dropout": 0, "training.r_drop": 0.0, "training.scheduled_sampling": {"start_after": 6}}
    train(plain / "tiny.yaml", {"training.max_steps": 6, **nothing}, output=tmp_path / "run")
    found, wanted = (
        load_file(run / "checkpoints" / "last" / "model.safetensors") for run in (tmp_path / "run", plain / "run")
    )
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_risk_goes_on_from_another_run(plain: Path, tmp_path: Path) -> None:
    config = configuration(tmp_path, "minimum-risk", {"training.initial": str(plain / "run"), "training.max_steps": 2})
    train(config, output=tmp_path / "run")
    assert {line["kind"] for line in logged(tmp_path / "run")} == {"train", "validation"}


class TestBuilding:
    def built(self, plain: Path, changes: dict[str, Any]) -> Any:
        config = load_config(plain / "tiny.yaml", {f"training.{key}": value for key, value in changes.items()})
        return build_objective(config.training, Tokenizers.load(plain / "run" / "tokenizer"))

    def test_what_is_asked_for_is_what_is_built(self, plain: Path) -> None:
        assert type(self.built(plain, {})) is LikelihoodObjective
        found = self.built(plain, OBJECTIVES["all"])
        assert isinstance(found, MinimumRisk)
        assert (found.sampler.candidates, found.risk.likelihood_weight) == (3, 0.1)
        assert isinstance(found.likelihood, ScheduledSampling)
        assert [found.likelihood.share.at(step) for step in (1, 2, 11)] == [1.0, 0.9, 0.0]
        assert isinstance(found.likelihood.objective, WordDropout)
        assert found.likelihood.objective.replacement == "zero"
        assert isinstance(found.likelihood.objective.objective, RDrop)
        assert found.parts == ("risk", "r_drop_loss")
        assert found.likelihood.objective.objective.label_smoothing == 0.1

    @pytest.mark.parametrize("utility", ["bleu", "chrf"])
    def test_gain_is_the_score_of_the_text(self, plain: Path, utility: str) -> None:
        texts = self.built(plain, {"minimum_risk": {"utility": utility}}).texts
        tokenizer = Tokenizers.load(plain / "run" / "tokenizer").target
        right = "um dois três quatro cinco"
        assert texts.decode(tokenizer.encode(right)) == right
        hypotheses = [right, "um dois três quatro", "cinco um", ""]
        gains = texts.gain(hypotheses, [right] * 4)
        assert gains == pytest.approx([s / 100 for s in score_sentences(hypotheses, [right] * 4, utility)])
        assert gains[0] == pytest.approx(1.0)
        assert gains[3] == 0.0

    @pytest.mark.parametrize("objective", ["word-dropout", "minimum-risk"])
    def test_without_tokenizers_it_says_so(self, plain: Path, objective: str) -> None:
        changes = {f"training.{key}": value for key, value in OBJECTIVES[objective].items()}
        with pytest.raises(ConfigError, match=rf"training\.{next(iter(OBJECTIVES[objective]))} needs tokenizers"):
            build_objective(load_config(plain / "tiny.yaml", changes).training)


WRONG = [
    ({"training.minimum_risk": {}, "training.r_drop": 1}, "training.r_drop: has no effect"),
    ({"training.minimum_risk": {}, "training.word_dropout": 0.1}, "training.word_dropout: has no effect"),
    ({"training.minimum_risk": {}, "training.scheduled_sampling": {}}, "training.scheduled_sampling: has no effect"),
    ({"training.minimum_risk": {}, "training.coverage_loss": 1}, "training.coverage_loss: has no effect"),
    ({"training.minimum_risk": {}, "training.guided_alignment": 1}, "training.guided_alignment: has no effect"),
    (
        {"training.minimum_risk": {"candidates": 1, "include_reference": False}},
        "training.minimum_risk.candidates: there",
    ),
    ({"training.minimum_risk": {"utility": "ter"}}, "training.minimum_risk.utility: "),
    ({"training.r_drop": 1, "model.dropout": 0}, "training.r_drop: compares two passes"),
    ({"training.r_drop": 1, "model.dropout": {"embedding": 0, "output": 0, "state": 0.3}}, "training.r_drop: compares"),
    ({"training.r_drop": -1}, "training.r_drop: "),
    ({"training.word_dropout": 1.0}, "training.word_dropout: expected a number below 1"),
    ({"training.word_dropout": "much"}, "training.word_dropout: expected a number, or a mapping"),
    ({"training.word_dropout": {"sources": 0.1}}, "training.word_dropout.sources: "),
    ({"training.scheduled_sampling": {"passes": 0}}, "training.scheduled_sampling.passes: "),
    ({"training.scheduled_sampling": {"decay": "cosine"}}, "training.scheduled_sampling.decay: "),
    (
        {"training.word_dropout": 0.1, "model.copying": True, "tokenizer.shared": True},
        "training.word_dropout: hides source tokens, ",
    ),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_does_not_go_together_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, changes))
    assert message in str(caught.value)


RIGHT: list[dict[str, Any]] = [
    {
        "training.r_drop": 1,
        "model.dropout": {"embedding": 0, "output": 0, "state": 0.3},
        "model.decoder": {"layers": 2},
    },
    {"training.word_dropout": {"target": 0.1}, "model.copying": True, "tokenizer.shared": True},
    {"training.minimum_risk": {"likelihood_weight": 0.1}, "training.r_drop": 1, "training.guided_alignment": 1},
]


@pytest.mark.parametrize("changes", RIGHT)
def test_what_goes_together_is_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = load_config(write_config(tmp_path, changes))
    assert parse_config(dump_config(config)) == config


def test_short_forms_and_defaults(tmp_path: Path) -> None:
    training = load_config(write_config(tmp_path)).training
    assert training.word_dropout == WordDropoutConfig(source=0.0, target=0.0)
    assert (training.r_drop, training.scheduled_sampling, training.minimum_risk) == (0.0, None, None)
    changes = {"training.word_dropout": 0.25, "training.scheduled_sampling": {}, "training.r_drop": 5}
    training = load_config(write_config(tmp_path, changes)).training
    assert training.word_dropout == WordDropoutConfig(source=0.25, target=0.25, replace="unknown")
    assert training.scheduled_sampling == ScheduledSamplingConfig()
    training = load_config(write_config(tmp_path, {"training.minimum_risk": {}})).training
    assert training.minimum_risk == RiskConfig()
