"""Several runs that translate together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import copy_run, trained_run
from transformer_building import trained_transformer
from translators import TRANSFORMER, small_translator, some_sentences

from seq2seq_attn import Translator
from seq2seq_attn.data.tokenizers import WordTokenizer
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.translation.members import split_runs, vocabulary_difference

TEXTS = ["one two", "three", "nine eight seven six five four", "", "zero zero"]


def test_a_model_with_itself_is_the_model() -> None:
    texts = some_sentences(8)
    alone = small_translator("luong-general", beam_size=3, dtype=torch.float64)
    member = alone.members[0]
    together = Translator(alone.model, alone.tokenizers, alone.decoding, others=[member, member])
    for one, other in zip(alone.translate(texts), together.translate(texts), strict=True):
        assert (one.tokens, one.alignment) == (other.tokens, other.alignment)
        assert one.score == pytest.approx(other.score, abs=1e-9)
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-6)


def test_the_probability_is_the_mean_of_the_members() -> None:
    source, target = ["s4 s9 s5"], ["t8 t4"]
    together = small_translator("luong-general", TRANSFORMER, dtype=torch.float64)
    single = [
        Translator(*member, together.decoding).score(source, target)[0].token_log_probs for member in together.members
    ]
    (found,) = together.score(source, target)
    assert found.token_log_probs == pytest.approx(np.log(np.mean(np.exp(single), axis=0)), abs=1e-9)
    assert not np.allclose(*single)


@pytest.mark.parametrize("as_list", [True, False])
def test_runs_of_different_kinds_from_disk(as_list: bool) -> None:
    runs = [trained_run(), trained_transformer()]
    translator = Translator.load(runs if as_list else ",".join(map(str, runs)), device="cpu")
    assert [type(member.model).__name__ for member in translator.members] == ["RNNSeq2Seq", "TransformerSeq2Seq"]
    found = translator.translate(TEXTS)
    assert [one.text for one in found][:2] == ["dois um", "três"]
    for one in found:
        assert one.attention.shape == (len(one.tokens), len(one.source_tokens))
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, atol=1e-5)


def test_sources_may_be_encoded_in_different_ways(tmp_path: Path) -> None:
    """The second member reads unknown words for the digits above four; attention is the first one's alone."""
    other = copy_run(trained_run(), tmp_path / "other")
    path = other / "tokenizer" / "source" / "vocabulary.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    swapped = [f"{line}x" if line in ("five", "six", "seven", "eight", "nine") else line for line in lines]
    path.write_text("\n".join(swapped), encoding="utf-8")
    translator = Translator.load([trained_run(), other], device="cpu")
    alone = Translator.load(trained_run(), device="cpu")
    text = "nine eight one"
    forced = translator.score([text], ["um oito nove"])[0]
    np.testing.assert_allclose(forced.attention, alone.score([text], ["um oito nove"])[0].attention, atol=1e-5)
    assert forced.log_prob != pytest.approx(alone.score([text], ["um oito nove"])[0].log_prob, abs=1e-3)
    known = "one two"
    assert translator.translate([known])[0].text == alone.translate([known])[0].text


def change_tokenizer(run: Path, change: str) -> str:
    folder = run / "tokenizer" / "target"
    path = folder / "vocabulary.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    if change == "other":
        number = lines.index("um")
        lines[number] = "hum"
        path.write_text("\n".join(lines), encoding="utf-8")
        return f"token {number} of its target vocabulary is 'hum', but that of the first run is 'um'"
    settings = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "tokenizer.json").write_text(json.dumps({**settings, "kind": "character"}), encoding="utf-8")
    return "its target tokenizer is of kind 'character', but that of the first run is 'word'"


@pytest.mark.parametrize("change", ["other", "kind"])
def test_the_run_whose_vocabulary_differs_is_named(tmp_path: Path, change: str) -> None:
    runs = [copy_run(trained_run(), tmp_path / name) for name in ("a", "b", "c")]
    message = change_tokenizer(runs[2], change)
    with pytest.raises(CheckpointError) as caught:
        Translator.load(runs, device="cpu")
    assert str(caught.value).startswith(f"{runs[2]}: {message} ({runs[0]})")


def test_vocabularies_of_different_sizes() -> None:
    some, more = WordTokenizer(["a", "b"]), WordTokenizer(["a", "b", "c"])
    found = vocabulary_difference(some, more)
    assert found == "its target vocabulary has 7 tokens, but that of the first run has 6"
    assert vocabulary_difference(some, WordTokenizer(["a", "b"])) == ""


def test_how_runs_are_named(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    assert split_runs(tmp_path / "a,b") == [tmp_path / "a,b"], "a folder may have a comma in its name"
    assert split_runs("x,y/z") == [Path("x"), Path("y/z")]
    assert split_runs(["x", Path("y")]) == [Path("x"), Path("y")]
    for wrong in ("", "x,", ",x", []):
        with pytest.raises(CheckpointError, match="name a run, or several separated by commas"):
            split_runs(wrong)
    with pytest.raises(CheckpointError, match="nowhere: no such run folder"):
        Translator.load(f"{trained_run()},nowhere", device="cpu")
    shutil.rmtree(tmp_path / "a,b")
