"""What a run says of its model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import copy_run, trained_run

from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.experiment.info import describe_run


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ({}, "luong-general"),
        ({"attention": "mocha"}, "mocha"),
        ({"attention": {"score": "bahdanau", "coverage": True, "heads": 4}}, "bahdanau, coverage sum, heads 4"),
        ({"architecture": "transformer", "transformer": {"heads": 8}}, "multi-head, heads 8"),
    ],
)
def test_the_mechanism_in_one_line(model, line):
    """A Transformer must not be said to attend as the recurrent default does."""
    assert describe_attention(ModelConfig.model_validate(model)) == line


def test_scores_are_those_of_the_best_checkpoint(tmp_path: Path) -> None:
    """Standing for: a run that went on to a better checkpoint, with the scores of the one before."""
    run = copy_run(trained_run(), tmp_path / "run")
    assert [one["split"] for one in describe_run(run)["scores"]] == ["test"]
    path = run / "evaluation" / "test.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["origin"]["checkpoint"] = "step-00000001"
    path.write_text(json.dumps(record), encoding="utf-8")
    assert describe_run(run)["scores"] == []
    path.write_text(json.dumps(record | {"origin": None}), encoding="utf-8")
    assert len(describe_run(run)["scores"]) == 1, "of releases that did not write it down"
