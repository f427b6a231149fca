"""A Transformer from its configuration to its pictures, by the command line."""

from __future__ import annotations

import json
import signal
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from command_server import Commands, Done
from tiny import trained_run, write_config
from transformer_building import TINY, trained_transformer

from seq2seq_attn import Translator, load_checkpoint, load_config
from seq2seq_attn.models.transformer import TransformerSeq2Seq

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def transformer() -> Path:
    return trained_transformer()


def texts_of(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_it_trains_learns_and_comes_back(commands: Commands, transformer: Path) -> None:
    validations = [json.loads(line) for line in (transformer / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in validations if line.get("event", line.get("kind")) == "validation"]
    assert len(losses) >= 2
    assert losses[-1] < min(losses[0], 1.6), "2.6 is what one knows who knows the words only"
    model = load_checkpoint(transformer).model
    assert isinstance(model, TransformerSeq2Seq)
    assert model.decoder.alignment_layer == 2
    assert json.loads(commands("info", transformer, "--json").out)["architecture"] == "transformer"


def test_it_translates_as_in_python(commands: Commands, transformer: Path, tmp_path: Path) -> None:
    sentences = tmp_path / "sentences"
    sentences.write_text("one two\n\nthree\nnine eight seven\n", encoding="utf-8")
    done = commands("translate", transformer, "--source", sentences, "--beam-size", 4)
    assert (done.status, done.err) == (0, "")
    translator = Translator.load(transformer, device="cpu")
    wanted = translator.translate(["one two", "", "three", "nine eight seven"], beam_size=4)
    assert done.out.splitlines() == [translation.text for translation in wanted]


def test_a_resumed_run_is_the_uninterrupted_one(commands: Commands, tmp_path: Path) -> None:
    changes = TINY | {"training.max_epochs": 2, "model.dropout": 0.1, "data.test": {}}
    config = write_config(tmp_path, changes)
    assert commands("train", config, "--output", tmp_path / "whole").status == 0
    done = commands("train", config, "--output", tmp_path / "two", signal_at=(9, int(signal.SIGTERM)))
    assert done.status == 128 + signal.SIGTERM
    done = commands("train", config, "--output", tmp_path / "two", "--resume")
    assert done.status == 0, done.err
    assert "resuming from step" in done.err
    model = Path("checkpoints", "last", "model.safetensors")
    assert (tmp_path / "whole" / model).read_bytes() == (tmp_path / "two" / model).read_bytes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.transformer.heads=5", "5 heads do not divide embedding_size 32"),
        ("model.dropout.recurrent=0.1", "a Transformer has no recurrent weights; remove this key"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    commands: Commands, tmp_path: Path, setting: str, message: str
) -> None:
    config = write_config(tmp_path, TINY)
    done = commands("train", config, setting, "--output", tmp_path / "run")
    assert done.status == 2
    assert setting.partition("=")[0] in done.err
    assert message in done.err
    assert not (tmp_path / "run").exists()


def attend(commands: Commands, run: Path, picture: Path, *options: object) -> Done:
    pytest.importorskip("matplotlib")
    return commands("attend", run, "one two", "--output", picture, *options)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--part", "cross", "--layer", 2], ["head 1", "head 2", "head 3", "head 4"]),
        (["--part", "encoder"], [f"layer {layer}, head {head}" for layer in (1, 2) for head in (1, 2, 3, 4)]),
        (["--head", 3], ["layer 1", "layer 2", "layer 3"]),
    ],
    ids=str,
)
def test_heads_in_one_picture(
    commands: Commands, transformer: Path, tmp_path: Path, options: list[object], names: list[str]
) -> None:
    picture = tmp_path / "a.svg"
    done = attend(commands, transformer, picture, *options)
    text = Translator.load(transformer, device="cpu").translate(["one two"])[0].text
    assert (done.status, done.out, done.err) == (0, f"{text}\n", "")
    shown = texts_of(picture)
    assert [name for name in shown if name.startswith(("head", "layer"))] == names
    assert {"one", "two", "</s>"} <= set(shown)


def test_one_head_alone_is_a_large_picture(commands: Commands, transformer: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.svg"
    options = ["--part", "decoder", "--layer", 3, "--head", 1, "--target", "um dois"]
    done = attend(commands, transformer, picture, *options)
    assert (done.status, done.out, done.err) == (0, "", "")
    shown = texts_of(picture)
    assert "decoder attention, layer 3, head 1" in shown
    assert [shown.count(token) for token in ("<s>", "um", "dois", "</s>", "one")] == [1, 2, 2, 1, 0]
    assert {"target, written", "target, read", "1.00"} <= set(shown)


def test_a_given_target_for_any_run(commands: Commands, transformer: Path, tmp_path: Path) -> None:
    for run in (transformer, trained_run()):
        picture = tmp_path / "a.svg"
        done = attend(commands, run, picture, "--target", "sete oito")
        assert (done.status, done.out, done.err) == (0, "", "")
        assert {"sete", "oito", "one", "two", "source", "target"} <= set(texts_of(picture))


def test_a_recurrent_run_has_one_map(commands: Commands, tmp_path: Path) -> None:
    plain, named = tmp_path / "a.svg", tmp_path / "b.svg"
    assert attend(commands, trained_run(), plain).status == 0
    for options in (["--part", "cross"], ["--layer", 1], ["--head", 1]):
        assert attend(commands, trained_run(), named, *options).status == 0
        assert set(texts_of(named)) == {*texts_of(plain), "cross attention"}


WRONG = [
    (True, ["--part", "decodr"], "--part is 'decodr', but it is cross, encoder or decoder; did you mean 'decoder'?"),
    (True, ["--layer", 4], "--layer is 4, but the cross attention has layers 1 to 3"),
    (True, ["--part", "encoder", "--layer", 3], "--layer is 3, but the encoder attention has layers 1 to 2"),
    (True, ["--layer", 0], "--layer is 0, but the cross attention has layers 1 to 3"),
    (True, ["--head", 5], "--head is 5, but a layer of the cross attention has heads 1 to 4"),
    (True, ["--head", 0], "--head is 0, but a layer of the cross attention has heads 1 to 4"),
    (True, ["--target", " "], "the target is empty, so there is no attention to draw"),
    (True, ["--target", "\udcff"], "the target is not valid UTF-8"),
    (
        False,
        ["--part", "encoder"],
        "--part is 'encoder', but a recurrent model has no attention there; what its decoder sees of the source is "
        "--part cross",
    ),
    (False, ["--layer", 2], "--layer is 2, but the cross attention has 1 layer only"),
    (False, ["--head", 2], "--head is 2, but a layer of the cross attention has 1 head only"),
]


@pytest.mark.parametrize(("is_transformer", "options", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_not_there(
    commands: Commands, tmp_path: Path, is_transformer: bool, options: list[object], words: str
) -> None:
    run = trained_transformer() if is_transformer else trained_run()
    done = attend(commands, run, tmp_path / "a.png", *options)
    assert (done.status, done.out, done.err) == (2, "", f"seq2seq-attn: {words}\n")
    assert not (tmp_path / "a.png").exists()


def test_the_shipped_configuration_is_one() -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / "toy-transformer.yaml")
    assert config.model.architecture == "transformer"
    assert config.data.train is not None
