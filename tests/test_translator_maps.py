"""Attention maps of a run, labelled with the tokens that look and are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import trained_run
from transformer_building import trained_transformer

from seq2seq_attn import Translator
from seq2seq_attn.errors import UserError
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, TokenMap


def load(run: Path) -> Translator:
    return Translator.load(run, device="cpu")


def named(maps: list[TokenMap]) -> dict[tuple[str, int, int], TokenMap]:
    return {(found.part, found.layer, found.head): found for found in maps}


def test_all_heads_of_a_transformer_with_their_tokens() -> None:
    translator = load(trained_transformer())
    translation = translator.translate(["one two three"])[0]
    maps = translator.attention_maps("one two three", translation)
    assert (maps[0].part, maps[0].layer, maps[0].head) == ("cross", 2, 0)
    assert len(maps) == 1 + 4 * (2 + 3 + 3)
    source = ("one", "two", "three", "</s>")
    for found in maps:
        rows = source if found.part == "encoder" else translation.tokens
        assert found.rows == rows
        columns = ("<s>", *translation.tokens[:-1]) if found.part == "decoder" else source
        assert found.columns == columns
        assert found.weights.shape == (len(rows), len(columns))
        np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-6)
        if found.part == "decoder":
            assert (np.triu(found.weights, 1) == 0).all()
    np.testing.assert_allclose(maps[0].weights, translation.attention, atol=1e-6)
    by_name = named(maps)
    mean = np.mean([by_name["cross", 2, head].weights for head in (1, 2, 3, 4)], axis=0)
    np.testing.assert_allclose(mean, maps[0].weights, atol=1e-6)


@pytest.mark.parametrize("run", [trained_run, trained_transformer])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_without_a_target_it_is_the_models_own(run, beam_size) -> None:
    translator = load(run())
    translation = translator.translate(["nine eight"], beam_size=beam_size)[0]
    found = translator.attention_maps("nine eight", beam_size=beam_size)
    assert found[0].rows == translation.tokens
    np.testing.assert_allclose(found[0].weights, translation.attention, atol=1e-6)


def test_a_given_target_is_written_to_its_end() -> None:
    for run in (trained_run(), trained_transformer()):
        found = load(run).attention_maps("one two", "sete oito nove")
        assert found[0].rows == ("sete", "oito", "nove", "</s>")
        assert found[0].columns == ("one", "two", "</s>")
        np.testing.assert_allclose(found[0].weights.sum(axis=1), 1, atol=1e-6)


def test_a_translation_that_was_cut_off_stays_so() -> None:
    translator = load(trained_transformer())
    whole = translator.translate(["one two three four"])[0]
    assert whole.finished
    cut = type(whole)(**{**vars(whole), "tokens": whole.tokens[:2], "finished": False})
    found = named(translator.attention_maps("one two three four", cut))["decoder", 1, 1]
    assert (found.rows, found.columns) == (whole.tokens[:2], ("<s>", whole.tokens[0]))
    nothing = type(whole)(**{**vars(whole), "tokens": (), "finished": False})
    assert translator.attention_maps("one", nothing) == []


def test_nothing_to_look_at_and_too_much() -> None:
    translator = load(trained_run())
    assert translator.attention_maps(" \t") == []
    assert translator.attention_maps("one", "")[0].rows == ("</s>",)
    with pytest.raises(UserError, match=f"the target has 2001 tokens, but at most {MAX_SOURCE_TOKENS}"):
        translator.attention_maps("one", " ".join(["um"] * 2000))
    assert len(translator.attention_maps(" ".join(["one"] * 2000), "um")[0].columns) == MAX_SOURCE_TOKENS
