"""A trained model in use from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import copy_run, trained_run

from seq2seq_attn import Translation, Translator, load_checkpoint
from seq2seq_attn.errors import CheckpointError, UserError
from seq2seq_attn.translation import MAX_SOURCE_TOKENS

SENTENCES = ["one two", "three", "nine eight seven six five four", "zero zero", "one", "two three four"] * 2


@pytest.fixture(scope="module")
def translator() -> Iterator[Translator]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would only wait for one another
    yield Translator.load(trained_run(), device="cpu")
    torch.set_num_threads(threads)


def test_the_model_has_learned_something(translator: Translator) -> None:
    found = translator.translate(["three", "one two", "two three four"])
    assert [translation.text for translation in found[:2]] == ["três", "dois um"]


@pytest.mark.parametrize("beam_size", [1, 4])
def test_what_a_translation_says(translator: Translator, beam_size: int) -> None:
    for text, found in zip(SENTENCES, translator.translate(SENTENCES, beam_size=beam_size), strict=True):
        assert found.source == text
        assert found.source_tokens == (*text.split(), "</s>")
        assert found.finished
        assert found.tokens == (*found.text.split(), "</s>")
        assert found.attention.shape == (len(found.tokens), len(found.source_tokens))
        assert found.attention.min() >= 0
        np.testing.assert_allclose(found.attention.sum(axis=1), 1, atol=1e-6)
        assert found.log_prob < 0
        assert not found.truncated
        for source, target in found.alignment:
            assert 0 <= source < len(text.split())
            assert 0 <= target < len(found.text.split())


def test_the_score_is_the_log_probability_over_the_length(translator: Translator) -> None:
    found = translator.translate(["one two"], beam_size=4, length_penalty=0.7)[0]
    assert found.score == pytest.approx(found.log_prob / len(found.tokens) ** 0.7, rel=1e-6)
    found = translator.translate(["one two"], beam_size=4, length_penalty=0.0)[0]
    assert found.score == pytest.approx(found.log_prob, rel=1e-6)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_same_in_any_company_and_order(translator: Translator, beam_size: int) -> None:
    """Batches of 1, 7 and 64, and the sentences backwards, with blank ones in between."""
    texts = [*SENTENCES, "", " \t", "xyzzy", *SENTENCES[:4]]
    alone = translator.translate(texts, beam_size=beam_size, batch_sentences=1)
    for size in (7, 64):
        together = translator.translate(texts, beam_size=beam_size, batch_sentences=size)
        assert_alike(alone, together)
    backwards = translator.translate(texts[::-1], beam_size=beam_size, batch_sentences=7)
    assert_alike(alone, backwards[::-1])


def assert_alike(some: list[Translation], others: list[Translation]) -> None:
    for one, other in zip(some, others, strict=True):
        assert one.tokens == other.tokens
        assert one.alignment == other.alignment
        assert one.score == pytest.approx(other.score, abs=1e-5)
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)


def test_nothing_in_nothing_out(translator: Translator) -> None:
    assert translator.translate([]) == []
    assert translator.n_best([], count=2) == []


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u3000", "\u2028"])
def test_a_blank_line_gives_a_blank_one(translator: Translator, blank: str) -> None:
    found = translator.translate(["three", blank, "three"])
    assert found[1].text == ""
    assert found[1].attention.shape == (0, 0)
    assert found[0].text == found[2].text == "três"


@pytest.mark.parametrize(
    "text", ["日本語", "\U0001f600 \U0001f600", "\x00", "a\u2028b", "e\u0301 \u202e", "</s> <pad>", "$x_1$"]
)
def test_characters_never_seen(translator: Translator, text: str) -> None:
    found = translator.translate([text, f"{text} three"])
    assert all(translation.tokens for translation in found)
    assert "<unk>" not in found[0].text


def test_the_n_best_are_distinct_and_sorted(translator: Translator) -> None:
    for found in translator.n_best(SENTENCES[:4], count=3, beam_size=5):
        assert len(found) == 3
        assert len({translation.tokens for translation in found}) == 3
        scores = [translation.score for translation in found]
        assert scores == sorted(scores, reverse=True)
    best = [found[0] for found in translator.n_best(SENTENCES[:4], count=3, beam_size=5)]
    assert_alike(best, translator.translate(SENTENCES[:4], beam_size=5))


def test_every_sentence_has_as_many_candidates_blank_ones_too(translator: Translator) -> None:
    """Standing for: n lines per sentence, but one for a blank one, after which nobody can count any more."""
    assert [len(found) for found in translator.n_best(["one", "", "two"], count=2, beam_size=2)] == [2, 2, 2]


def test_a_very_long_line_is_cut_and_says_so(translator: Translator) -> None:
    found = translator.translate(["one " * (MAX_SOURCE_TOKENS + 10), "one " * 20], beam_size=1)
    assert [translation.truncated for translation in found] == [True, False]
    assert len(found[0].source_tokens) == MAX_SOURCE_TOKENS
    assert found[0].attention.shape == (len(found[0].tokens), MAX_SOURCE_TOKENS)


@pytest.mark.parametrize("numbers", [{"beam_size": 0}, {"beam_size": -1}])
def test_numbers_that_make_no_sense(translator: Translator, numbers: dict[str, int]) -> None:
    with pytest.raises(UserError, match="beam_size: expected at least 1"):
        translator.translate(["one"], **numbers)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="n_best is 3, but a beam of 2"):
        translator.n_best(["one"], count=3, beam_size=2)


def test_any_checkpoint_of_the_run(translator: Translator, tmp_path: Path) -> None:
    run = trained_run()
    early = Translator.load(run, device="cpu", checkpoint="step-00000060")
    again = Translator.load(run / "checkpoints" / "step-00000060", device="cpu")
    assert_alike(early.translate(SENTENCES), again.translate(SENTENCES))
    best = load_checkpoint(run)
    again = Translator(best.model, best.tokenizer, best.config.decoding)
    assert_alike(translator.translate(SENTENCES), again.translate(SENTENCES))
    with pytest.raises(CheckpointError, match="no checkpoint 'step-9'"):
        Translator.load(copy_run(run, tmp_path / "run"), checkpoint="step-9")
