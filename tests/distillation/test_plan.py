"""What every model of a distillation is trained with, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tiny import write_config

from seq2seq_attn.config.schema import TextCorpus
from seq2seq_attn.distillation.plan import Plan, make_plan
from seq2seq_attn.errors import ConfigError


def plan_of(folder: Path, changes: dict[str, object], *overrides: str, forward: int = 2, backward: int = 2) -> Plan:
    path = write_config(folder, changes)
    return make_plan(path, overrides, [], forward=forward, backward=backward, output=folder / "out")


def test_teachers_differ_in_their_seeds(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"seed": 5}, forward=3)
    assert [one.config.seed for one in plan.forward_teachers()] == [5, 6, 7]
    assert [one.config.seed for one in plan.backward_teachers()] == [5, 6]
    assert plan.student().seed == 5
    names = [one.folder.relative_to(tmp_path / "out").as_posix() for one in plan.forward_teachers()]
    assert names == ["teachers/forward-1", "teachers/forward-2", "teachers/forward-3"]


def test_teachers_are_not_judged_on_test_sets(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {})
    assert plan.student().data.test
    assert not any(one.config.data.test for one in [*plan.forward_teachers(), *plan.backward_teachers()])


def test_what_is_of_one_direction_is_turned_round_or_left_out(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {
            "model.source_vectors": "english.vec",
            "training.guided_alignment": 0.5,
            "decoding.lexicon": "words.tsv",
            "decoding.replace_unknown": True,
        },
        f"data.train.alignments={tmp_path / 'train.align'}",
    )
    (forward, _), (backward, _) = plan.forward_teachers(), plan.backward_teachers()
    assert (forward.config.model.source_vectors, forward.config.model.target_vectors) == ("english.vec", None)
    assert (backward.config.model.source_vectors, backward.config.model.target_vectors) == (None, "english.vec")
    assert (forward.config.training.guided_alignment.weight, backward.config.training.guided_alignment.weight) == (
        0.5,
        0,
    )
    assert (forward.config.decoding.lexicon, backward.config.decoding.lexicon) == ("words.tsv", None)
    assert [part.alignments is None for part in backward.config.data.train] == [True]
    assert [part.alignments is None for part in plan.student().data.train] == [False, True, True]


def test_the_student_learns_from_every_corpus_three_times(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    own = tree["data"]["train"]
    tree["data"]["train"] = [own, {**own, "tag": "<more>", "weight": 0.5}]
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    plan = make_plan(path, [], [], forward=1, backward=1, output=tmp_path / "out")
    text = tmp_path / "out" / "text"
    made = plan.student().data.train
    assert made[:2] == plan.config.data.train
    assert list(made[2:]) == [
        TextCorpus(source=(str(text / corpus / source),), target=(str(text / corpus / target),), tag=tag, weight=weight)
        for corpus, tag, weight in (("corpus-1", None, 1.0), ("corpus-2", "<more>", 0.5))
        for source, target in (("source", "target.translated"), ("source.translated", "target"))
    ]
    forward = make_plan(path, [], [], forward=1, backward=0, output=tmp_path / "out")
    assert list(forward.student().data.train) == [*made[:3], made[4]]
    backward = make_plan(path, [], [], forward=0, backward=1, output=tmp_path / "out")
    assert list(backward.student().data.train) == [*made[:2], made[3], made[5]]


def test_tokenizers_are_shared_where_they_can_be(tmp_path: Path) -> None:
    own = plan_of(tmp_path, {})
    assert own.student().tokenizer.reuse == str(tmp_path / "out" / "teachers" / "forward-1")
    assert plan_of(tmp_path, {}, forward=0).student().tokenizer.reuse is None
    taken = plan_of(tmp_path, {"tokenizer": {"kind": "word", "shared": False, "reuse": "runs/other"}})
    assert taken.student().tokenizer.reuse == "runs/other"
    assert taken.forward_teachers()[0].config.tokenizer.reuse == "runs/other"
    assert taken.backward_teachers()[0].config.tokenizer.reuse is None  # its source is the other's target
    shared = plan_of(tmp_path, {"tokenizer": {"kind": "word", "shared": True, "reuse": "runs/other"}})
    assert shared.backward_teachers()[0].config.tokenizer.reuse == "runs/other"


def test_what_is_said_of_teachers_takes_the_place_of_what_is_said_of_all(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    teacher = ["training.max_epochs=5"]
    for overrides in (["training.max_epochs=9", "seed=3"], {"training.max_epochs": 9, "seed": 3}):
        plan = make_plan(path, overrides, teacher, forward=1, backward=1, output=None)
        assert plan.student().training.max_epochs == 9
        assert {one.config.training.max_epochs for one in plan.forward_teachers() + plan.backward_teachers()} == {5}
        assert (plan.student().seed, plan.forward_teachers()[0].config.seed) == (3, 3)
        assert plan.folder == Path("runs/tiny")


def test_an_initial_model_has_one_direction(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use --backward 0"):
        plan_of(tmp_path, {"training.initial": "runs/other"})
    plan = plan_of(tmp_path, {"training.initial": "runs/other"}, backward=0)
    assert plan.forward_teachers()[0].config.training.initial == "runs/other"
