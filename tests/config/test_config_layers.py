"""`extends` and overrides: what wins over what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seq2seq_attn.config import load_config
from seq2seq_attn.config.schema import DropoutConfig, JsonlCorpus, TextCorpus, TsvCorpus, WordDropoutConfig
from seq2seq_attn.errors import ConfigError


def test_mappings_merge_and_everything_else_is_replaced(write):
    write("model: {encoder: {layers: 3, hidden_size: 11}}\ntraining: {optimizer: {betas: [0.5, 0.7]}}\n", "base.yaml")
    child = write(
        "extends: base.yaml\nmodel: {encoder: {layers: 2}}\ntraining: {optimizer: {betas: [0.1, 0.2]}}\n", data=""
    )
    config = load_config(child)
    assert (config.model.encoder.layers, config.model.encoder.hidden_size) == (2, 11)
    assert config.training.optimizer.betas == (0.1, 0.2)


def test_overrides_win_over_the_file_which_wins_over_what_it_extends(write):
    write("seed: 2\nmodel: {embedding_size: 3}\ndecoding: {beam_size: 5}\n", "base.yaml")
    child = write("extends: base.yaml\nseed: 7\nmodel: {embedding_size: 11}\n", data="")
    config = load_config(child, ["seed=13", "seed=17"])
    assert (config.seed, config.model.embedding_size, config.decoding.beam_size) == (17, 11, 5)


def test_extends_is_relative_to_the_file_and_goes_several_steps(write):
    write("seed: 3\n", "configs/common/base.yaml")
    write("extends: common/base.yaml\ndecoding: {beam_size: 7}\n", "configs/middle.yaml", data="")
    child = write("extends: ../configs/middle.yaml\n", "mine/exp.yaml", data="")
    config = load_config(child)
    assert (config.seed, config.decoding.beam_size, config.name) == (3, 7, "exp")


def test_a_name_is_not_inherited(write):
    """Else two experiments would share a run folder."""
    write("name: base-run\n", "base.yaml")
    assert load_config("base.yaml").name == "base-run"
    assert load_config(write("extends: base.yaml\n", data="")).name == "exp"


@pytest.mark.parametrize("text", ["{batch_sentences: 7}", "{batch_sentences: 7, batch_tokens: null}"])
def test_an_inherited_batch_size_gives_way(write, text):
    write("training: {batch_tokens: 4096}\n", "base.yaml")
    training = load_config(write(f"extends: base.yaml\ntraining: {text}\n", data="")).training
    assert (training.batch_tokens, training.batch_sentences) == (None, 7)
    back = load_config("exp.yaml", ["training.batch_tokens=512"]).training
    assert (back.batch_tokens, back.batch_sentences) == (512, None)


def test_an_unrelated_key_does_not_change_the_batch_size(write):
    write("training: {batch_sentences: 13}\n", "base.yaml")
    assert load_config(write("extends: base.yaml\ntraining: {patience: 2}\n", data="")).training.batch_sentences == 13


def test_inherited_steps_do_not_prolong_as_many_epochs_as_are_written(write):
    write("training: {max_epochs: 9, min_steps: 50}\n", "base.yaml")
    child = write("extends: base.yaml\ntraining: {patience: 2}\n", data="")

    def limits(*overrides: str) -> tuple[int | None, int | None]:
        training = load_config(child, overrides).training
        return training.max_epochs, training.min_steps

    assert limits() == (9, 50)
    assert limits("training.max_epochs=2") == (2, None)
    assert limits("training.min_steps=60") == (9, 60)
    assert limits("training.max_epochs=2", "training.min_steps=60") == (2, 60)
    assert limits("training.min_steps=60", "training.max_epochs=2") == (2, 60)
    write("extends: base.yaml\ntraining: {max_epochs: 3}\n", "exp.yaml", data="")
    assert limits() == (3, None)


def test_two_batch_sizes_on_one_command_line_contradict(write):
    with pytest.raises(ConfigError, match="a batch has a size in tokens or in sentences"):
        load_config(write(), ["training.batch_tokens=512", "training.batch_sentences=7"])


def test_a_part_of_dropout_changes_an_inherited_number(write):
    write("model: {dropout: 0.1}\n", "base.yaml")
    child = write("extends: base.yaml\nmodel: {dropout: {variational: true}}\n", data="")
    assert load_config(child, ["model.dropout.state=0"]).model.dropout == DropoutConfig(
        embedding=0.1, state=0, output=0.1, recurrent=0, variational=True
    )


def test_a_number_for_dropout_takes_the_place_of_all_that_is_inherited(write):
    write("model: {dropout: {embedding: 0.1, recurrent: 0.2, variational: true}}\n", "base.yaml")
    child = write("extends: base.yaml\nmodel: {dropout: 0.5}\n", data="")
    assert load_config(child).model.dropout == DropoutConfig(embedding=0.5, state=0.5, output=0.5, recurrent=0)


def test_a_part_of_an_objective_changes_an_inherited_number(write):
    """Standing for: an objective that is off, because `replace` alone took the place of the number."""
    write("training: {word_dropout: 0.2, guided_alignment: 0.5}\n", "base.yaml")
    child = write("extends: base.yaml\ntraining: {word_dropout: {replace: zero}}\n", data="")
    changes = ["training.guided_alignment.loss=mse", "training.word_dropout.source=0"]
    aligned = [f"data.{split}.alignments={split}.align" for split in ("train", "validation")]
    training = load_config(child, [*changes, *aligned]).training
    assert training.word_dropout == WordDropoutConfig(source=0, target=0.2, replace="zero")
    assert (training.guided_alignment.weight, training.guided_alignment.loss) == (0.5, "mse")


def test_a_corpus_of_another_format_replaces_the_inherited_one(write):
    write("", "base.yaml")
    child = write("extends: base.yaml\ndata: {train: {tsv: pairs.tsv}}\n", data="")
    assert load_config(child).data.train == (TsvCorpus(tsv=("pairs.tsv",)),)
    back = load_config(child, ["data.train={source: a, target: b}"])
    assert back.data.train == (TextCorpus(source=("a",), target=("b",)),)


def test_a_key_of_an_inherited_corpus_can_be_changed(write):
    path = write(
        "seed: 1\n",
        data="data: {source_language: en, target_language: pt, validation: {tsv: v},\n"
        "  train: {jsonl: x, source: en, target: pt}}\n",
    )
    assert load_config(path, ["data.train.source=english"]).data.train == (
        JsonlCorpus(jsonl=("x",), source="english", target="pt"),
    )


def test_an_empty_section_inherits_and_null_resets(write):
    write("decoding: {beam_size: 3}\n", "base.yaml")
    assert load_config(write("extends: base.yaml\ndecoding:\n", data="")).decoding.beam_size == 3
    assert load_config(write("extends: base.yaml\ndecoding: null\n", data="")).decoding.beam_size == 5


def test_overrides_from_python_are_values(write):
    overrides = {
        "seed": 2,
        "model.attention": "bahdanau",
        "data.train": {"source": Path("a.en"), "target": ["a.pt", "b.pt"]},
        "training.optimizer.betas": (0.5, 0.25),
        "training.clip_norm": None,
    }
    config = load_config(write(), overrides)
    assert (config.seed, config.model.attention, config.training.clip_norm) == (2, "bahdanau", None)
    assert config.data.train == (TextCorpus(source=("a.en",), target=("a.pt", "b.pt")),)
    assert config.training.optimizer.betas == (0.5, 0.25)


def test_overrides_from_the_command_line_are_yaml(write):
    config = load_config(
        write(), ["training.clip_norm=null", "training.optimizer={kind: sgd, momentum: 0.5}", "name=a=b"]
    )
    assert config.training.clip_norm is None
    assert (config.training.optimizer.kind, config.training.optimizer.momentum) == ("sgd", 0.5)
    assert config.name == "a=b"


def test_a_cycle_is_refused_and_named(write):
    write("extends: b.yaml\n", "a.yaml")
    write("extends: sub/../a.yaml\n", "b.yaml", data="")
    Path("sub").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_config("a.yaml")
    chain = " -> ".join(["a.yaml", "b.yaml", os.path.join("sub", "..", "a.yaml")])  # noqa: PTH118 - pathlib keeps ..
    assert str(caught.value) == (
        f"a.yaml has 1 error\n  b.yaml line 1: extends: goes in a circle: {chain}; remove one of these"
    )


def test_a_file_that_extends_itself(write):
    with pytest.raises(ConfigError, match=r"line 6: extends: goes in a circle: exp\.yaml -> exp\.yaml"):
        load_config(write("extends: exp.yaml\n"))


def test_a_missing_base_names_the_line_and_a_near_file(write, folder):
    write("", "base.yaml")
    with pytest.raises(ConfigError) as caught:
        load_config(write("seed: 1\nextends: bas.yaml\n", data=""))
    assert str(caught.value) == (
        "exp.yaml has 1 error\n  line 2: extends: bas.yaml: no such file; did you mean 'base.yaml'?"
        f"  (working directory: {folder})"
    )


@pytest.mark.parametrize(("written", "found"), [("[a, b]", "a list of 2"), ("5", "the number 5"), ("", "nothing")])
def test_extends_takes_the_name_of_a_file(complaint, written, found):
    assert complaint(f"extends: {written}\n")[1] == f"line 6: extends: expected the name of a file, got {found}"


def test_an_error_in_an_inherited_file_names_that_file(write):
    write("model:\n  layers: 2\n", "base.yaml")
    child = write("extends: base.yaml\nseed: x\n", data="")
    with pytest.raises(ConfigError) as caught:
        load_config(child)
    lines = str(caught.value).split("\n  ")
    assert lines[:2] == ["exp.yaml has 2 errors", "line 2: seed: expected a whole number, got the text 'x'"]
    assert lines[2].startswith("base.yaml line 7: model.layers: unknown key; did you mean")


def test_a_broken_inherited_file(write):
    write("a: [1\n", "base.yaml", data="")
    with pytest.raises(
        ConfigError, match=r"exp\.yaml has 1 error\n  base\.yaml line 2: YAML syntax: expected ',' or '\]'"
    ):
        load_config(write("extends: base.yaml\n"))
