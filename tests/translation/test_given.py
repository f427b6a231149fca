"""Given translations get the numbers that a search gives them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from translators import SOURCE, TARGET, TRANSFORMER, small_seq2seq, small_translator, some_sentences

from seq2seq_attn import Translation
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import BOS, EOS
from seq2seq_attn.errors import UserError

TEXTS = [*some_sentences(9), "", some_sentences(1, longest=20)[0]]
SCORINGS = [
    {"length_normalization": "average", "length_penalty": 0.7},
    {"length_normalization": "none"},
    {"length_normalization": "gnmt", "length_penalty": 0.6, "coverage_penalty": 0.4},
    {"length_normalization": "reward", "length_penalty": 0.3},
]


def assert_equal(one: Translation, other: Translation) -> None:
    for field in ("source", "text", "tokens", "source_tokens", "finished", "truncated", "alignment"):
        assert getattr(one, field) == getattr(other, field), field
    assert one.score == pytest.approx(other.score, abs=1e-9)
    assert one.log_prob == pytest.approx(other.log_prob, abs=1e-9)
    assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-9)
    np.testing.assert_allclose(one.attention, other.attention, atol=1e-6)


@pytest.mark.parametrize("scoring", SCORINGS, ids=lambda scoring: scoring["length_normalization"])
@pytest.mark.parametrize("beam_size", [1, 4])
def test_what_search_found_scores_as_it_did_there(scoring: dict, beam_size: int) -> None:
    translator = small_translator("luong-general", beam_size=beam_size, dtype=torch.float64, **scoring)
    short = translator.decoding.model_copy(update={"max_length": 2})
    found = translator.translate(TEXTS) + translator.translate(TEXTS, decoding=short)
    assert any(one.finished and one.text for one in found)
    assert not all(one.finished for one in found)
    for one, forced in zip(found, translator.score(TEXTS * 2, found, batch_sentences=3), strict=True):
        assert_equal(forced, one)


@pytest.mark.parametrize("names", [(TRANSFORMER,), ("luong-dot", TRANSFORMER), ("none",)], ids="+".join)
def test_any_models_and_samples_too(names: tuple[str, ...]) -> None:
    translator = small_translator(*names, dtype=torch.float64, sampling={"seed": 3})
    candidates = translator.n_best(TEXTS, count=3)
    sources = [text for text in TEXTS for _ in range(3)]
    flat = [one for several in candidates for one in several]
    for one, forced in zip(flat, translator.score(sources, flat), strict=True):
        assert_equal(forced, one)


def test_a_text_is_the_same_as_its_tokens() -> None:
    translator = small_translator("luong-general", dtype=torch.float64, beam_size=2, max_length=None)
    found = [one for one in translator.translate(TEXTS) if one.finished]
    forced = translator.score([one.source for one in found], [one.text for one in found])
    assert len(found) > 2
    for one, other in zip(found, forced, strict=True):
        assert_equal(other, one)


@pytest.mark.parametrize("name", ["bahdanau", TRANSFORMER])
def test_the_log_probability_is_that_of_teacher_forcing(name: str) -> None:
    """The model run over the whole target at once, as it is trained."""
    translator = small_translator(name, dtype=torch.float64)
    source, target = "s4 s9 s5", "t8 t4 t18 t9"
    model = small_seq2seq(name, dtype=torch.float64)
    ids = [*SOURCE.encode(source), EOS], [BOS, *TARGET.encode(target)]
    with torch.no_grad():
        forced = model(torch.tensor([ids[0]]), torch.tensor([4]), torch.tensor([ids[1]]))
        log_probs = model.log_probs(forced.features)[0]
    wanted = [log_probs[place, token].item() for place, token in enumerate([*ids[1][1:], EOS])]
    (found,) = translator.score([source], [target])
    assert found.token_log_probs == pytest.approx(wanted, abs=1e-9)
    assert found.log_prob == pytest.approx(sum(wanted), abs=1e-9)
    assert found.score == pytest.approx(sum(wanted) / 5, abs=1e-9)
    np.testing.assert_allclose(found.attention, forced.weights[0], atol=1e-6)
    assert (found.text, found.tokens) == (target, (*target.split(), "</s>"))


def test_nothing_and_almost_nothing() -> None:
    translator = small_translator("bahdanau")
    nothing, no_source, no_target, unknown = translator.score(["", "", "s4", "s4"], ["", "t5", "", "zzz"])
    assert (nothing.log_prob, nothing.tokens) == (0.0, ())
    assert (no_source.source_tokens, no_source.tokens) == (("</s>",), ("t5", "</s>"))
    assert no_source.log_prob < 0
    assert (no_target.tokens, len(no_target.token_log_probs)) == (("</s>",), 1)
    assert unknown.tokens == ("<unk>", "</s>")
    assert translator.score([], []) == []


def test_how_it_is_scored_can_be_said() -> None:
    translator = small_translator("bahdanau")
    (found,) = translator.score(["s4"], ["t5"], decoding=DecodingConfig(length_normalization="none"))
    assert found.score == pytest.approx(found.log_prob)


def test_as_many_of_one_as_of_the_other() -> None:
    with pytest.raises(UserError, match="there are 2 sources, but 1 targets"):
        small_translator("bahdanau").score(["s4", "s5"], ["t4"])


def test_what_json_says_of_it() -> None:
    (found,) = small_translator("bahdanau").score(["s4 s5"], ["t5"])
    said = found.to_dict()

    assert {field.name for field in dataclasses.fields(Translation)} == set(said)
    assert said["tokens"] == ["t5", "</s>"]
    assert said["alignment"] == [list(link) for link in found.alignment]
    np.testing.assert_allclose(said["attention"], found.attention, atol=0.00005)
    assert all(weight == round(weight, 4) for row in said["attention"] for weight in row)
    impossible = dataclasses.replace(found, log_prob=-math.inf)
    assert impossible.to_dict()["log_prob"] is None
