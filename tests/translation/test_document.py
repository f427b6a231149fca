"""Attention documents of translations: what is drawn is what search has found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from translators import TRANSFORMER, small_translator, some_sentences

from seq2seq_attn import Translator
from seq2seq_attn.data.tokenizers import Tokenizers, WordTokenizer
from seq2seq_attn.translation import document
from seq2seq_attn.translation.document import FORMAT, attention_document, attention_panel

NAMES = ("bahdanau", "luong-general", "multi-head", "none", TRANSFORMER)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_those_of_the_translation(name: str) -> None:
    translator = small_translator(name)
    for found in translator.translate(some_sentences(5), beam_size=3):
        panel = attention_panel(translator, found, name="it", languages=("en", "de"))
        assert (panel["source"], panel["text"]) == (found.source, found.text)
        assert [token["token"] for token in panel["tokens"]] == list(found.tokens)
        assert len(panel["source_tokens"]) == len(found.source_tokens)
        assert panel["log_probs"] == pytest.approx(found.token_log_probs, abs=1e-6)
        assert math.fsum(panel["log_probs"]) == pytest.approx(panel["log_prob"], abs=1e-4)
        if name == "none":
            assert panel["maps"] == []
        else:
            first = panel["maps"][0]
            assert (first["part"], first["head"]) == ("cross", 0)
            np.testing.assert_allclose(first["weights"], found.attention, atol=5.1e-5)
        assert json.loads(json.dumps(panel, allow_nan=False)) == panel


def test_every_head_has_its_map() -> None:
    translator = small_translator(TRANSFORMER)
    (found,) = translator.translate(["s4 s5 s6"])
    maps = translator.attention_maps(found.source, found)
    panel = attention_panel(translator, found, name="it")
    heads = [one for one in maps if one.head]
    assert len(heads) > 4
    for one, drawn in zip(heads, panel["maps"][1:], strict=True):
        assert (drawn["part"], drawn["layer"], drawn["head"]) == (one.part, one.layer, one.head)
        np.testing.assert_allclose(drawn["weights"], one.weights, atol=5.1e-5)
    (alone,) = attention_panel(translator, found, name="it", heads=False)["maps"]
    assert alone["weights"] == panel["maps"][0]["weights"]


def test_of_very_long_sentences_the_heads_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standing for: one request that fills the memory, and one that is refused for a target it did not give."""
    translator = small_translator(TRANSFORMER)
    (found,) = translator.translate(["s4 s5 s6"])
    every = attention_panel(translator, found, name="it")["maps"]
    numbers = sum(one.weights.size for one in translator.attention_maps(found.source, found))
    for name, limit, maps in (
        ("MOST_NUMBERS", numbers, every),
        ("MOST_NUMBERS", numbers - 1, every[:1]),
        ("MAX_SOURCE_TOKENS", len(found.tokens), every),
        ("MAX_SOURCE_TOKENS", len(found.tokens) - 1, [every[0] | {"layer": 1}]),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(document, name, limit)
            assert attention_panel(translator, found, name="it")["maps"] == maps


def test_an_ensemble_shows_the_weights_of_the_ensemble() -> None:
    translator = small_translator("bahdanau", "luong-general")
    (found,) = translator.translate(["s4 s5 s6 s7"])
    (drawn,) = attention_panel(translator, found, name="both")["maps"]
    np.testing.assert_allclose(drawn["weights"], found.attention, atol=5.1e-5)
    alone = translator.attention_maps(found.source, found)[0].weights
    assert np.abs(alone - found.attention).max() > 0.01


def test_alternatives_and_the_beam_go_with_it() -> None:
    translator = small_translator("luong-general")
    (found,) = translator.translate(["s4 s5 s6"], beam_size=3)
    beam = translator.beam(found.source, beam_size=3)
    panel = attention_panel(translator, found, name="it", alternatives=4, beam=beam)
    assert [len(place) for place in panel["alternatives"]] == [4] * len(found.tokens)
    assert panel["beam"] == beam.to_dict()
    for place, token, log_prob in zip(panel["alternatives"], found.tokens, found.token_log_probs, strict=True):
        chances = [one["log_prob"] for one in place]
        assert chances == sorted(chances, reverse=True)
        told = {one["token"]["token"]: one["log_prob"] for one in place}
        assert told.get(token, log_prob) == pytest.approx(log_prob, abs=1e-4)
    assert attention_panel(translator, found, name="it", alternatives=0)["alternatives"] is None


def test_a_given_target_and_one_that_was_cut_off() -> None:
    translator = small_translator("luong-general", max_length=2)
    (given,) = translator.score(["s4 s5"], ["t4 t5 t6"])
    panel = attention_panel(translator, given, name="it", forced=True)
    assert panel["forced"]
    assert [token["token"] for token in panel["tokens"]] == ["t4", "t5", "t6", "</s>"]
    cut = next(one for one in translator.translate(some_sentences(20)) if not one.finished)
    panel = attention_panel(translator, cut, name="it")
    assert not panel["finished"]
    assert panel["tokens"][-1]["token"] != "</s>"
    assert np.shape(panel["maps"][0]["weights"]) == (len(panel["tokens"]), len(panel["source_tokens"]))


def test_a_blank_sentence_has_nothing() -> None:
    translator = small_translator("luong-general")
    (found,) = translator.translate([" "])
    panel = attention_panel(translator, found, name="it")
    assert (panel["source_tokens"], panel["tokens"], panel["maps"]) == ([], [], [])


def test_an_unknown_source_word_is_shown_as_it_stands() -> None:
    translator = small_translator("luong-general")
    (found,) = translator.translate(["s4 Zebra, s5"])
    told = attention_panel(translator, found, name="it")["source_tokens"]
    assert [token["token"] for token in told] == ["s4", "<unk>", "<unk>", "s5", "</s>"]
    assert [token["surface"] for token in told] == [" s4", " Zebra", ",", " s5", ""]
    assert [token["word_start"] for token in told] == [True, True, False, True, False]
    assert [token["special"] for token in told] == [False] * 4 + [True]


def test_document_names_its_format() -> None:
    assert attention_document([], title="it") == {"format": FORMAT, "title": "it", "panels": []}


def test_signs_inside_a_word_do_not_part_it() -> None:
    """Standing for: pages that write "it' s ( ok)" for "it's (ok)"."""
    words = WordTokenizer.train(["it's (ok) here"], vocabulary_size=50)
    plain = small_translator("luong-general")
    translator = Translator(plain.model, Tokenizers(words, words), plain.decoding)
    (scored,) = translator.score(["it's here (ok)"], ["(ok) it's"])
    panel = attention_panel(translator, scored, name="it", alternatives=0)
    for tokens, text, starts in (
        (panel["source_tokens"], " it's here (ok)", [True, False, False, True, True, False, False]),
        (panel["tokens"], " (ok) it's", [True, False, False, True, False, False]),
    ):
        assert "".join(token["surface"] for token in tokens[:-1]) == text
        assert [token["word_start"] for token in tokens[:-1]] == starts
