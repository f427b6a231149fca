"""What a configuration says of decoding is what search does."""

from __future__ import annotations

import math

import pytest
import sacrebleu
from translators import SOURCE, TARGET, small_translator, some_sentences

from seq2seq_attn import Translator
from seq2seq_attn.config.schema import DecodingConfig, MinimumRiskConfig, SamplingConfig
from seq2seq_attn.errors import ConfigError

TEXTS = some_sentences(6)
NAME = "luong-general"


def texts_of(translator: Translator, **decoding: object) -> list[str]:
    asked = DecodingConfig(**{"max_length": 7, **decoding})
    return [found.text for found in translator.translate(TEXTS, decoding=asked)]


def test_limits_of_length() -> None:
    translator = small_translator(NAME)
    assert all(2 <= len(text.split()) <= 4 for text in texts_of(translator, min_length=2, max_length=4))
    assert any(len(text.split()) < 2 for text in texts_of(translator))
    short = texts_of(translator, max_length=None, max_length_ratio=0.01, min_length_ratio=0.01)
    assert all(len(text.split()) <= 10 for text in short)
    for source, text in zip(TEXTS, texts_of(translator, max_length=99, min_length_ratio=2.0), strict=True):
        assert len(text.split()) >= 2 * (len(source.split()) + 1)


def test_nothing_is_written_twice() -> None:
    translator = small_translator(NAME)
    free = texts_of(translator, min_length=5)
    assert any(len(set(text.split())) < len(text.split()) for text in free)
    once = texts_of(translator, min_length=5, no_repeat_ngram=1)
    assert all(len(set(text.split())) == len(text.split()) for text in once)
    penalized = texts_of(translator, min_length=5, repetition_penalty=50.0)
    assert penalized == once, "a penalty that is high enough forbids"


def test_forbidden_phrases() -> None:
    translator = small_translator(NAME)
    free = texts_of(translator, min_length=3)
    word = next(text.split()[0] for text in free if text)
    bound = texts_of(translator, min_length=3, forbidden=[word])
    assert not any(word in text.split() for text in bound)
    first, second = free[0].split()[:2]
    bound = texts_of(translator, min_length=3, forbidden=f"{first} {second}")
    assert not any(f" {first} {second} " in f" {text} " for text in bound)
    assert any(first in text.split() for text in bound)


def test_groups_differ() -> None:
    translator = small_translator(NAME)
    asked = {"beam_size": 4, "max_length": 7, "min_length": 4}
    alike = translator.n_best(TEXTS, count=4, decoding=DecodingConfig(**asked))
    groups = DecodingConfig(**asked, diverse_groups=4, diversity=20.0)
    diverse = translator.n_best(TEXTS, count=4, decoding=groups)

    def beginnings(found: list) -> int:
        return sum(len({one.tokens[0] for one in several}) for several in found)

    assert beginnings(diverse) > beginnings(alike)


def test_samples_are_drawn_as_asked() -> None:
    translator = small_translator(NAME)
    best = texts_of(translator, beam_size=1)
    cold = texts_of(translator, sampling=SamplingConfig(temperature=0.001))
    narrow = texts_of(translator, sampling=SamplingConfig(top_k=1))
    nucleus = texts_of(translator, sampling=SamplingConfig(top_p=1e-9))
    assert best == cold == narrow == nucleus
    some = texts_of(translator, sampling=SamplingConfig(seed=1))
    assert some == texts_of(translator, sampling=SamplingConfig(seed=1))
    assert some != texts_of(translator, sampling=SamplingConfig(seed=2))
    several = translator.n_best(TEXTS, count=9, decoding=DecodingConfig(max_length=7, sampling=SamplingConfig()))
    assert all(len(found) == 9 for found in several)
    for found in several:
        order = [(not one.finished, -one.score) for one in found]
        assert order == sorted(order)


def test_least_risk_is_what_agrees_best_with_all_others() -> None:
    translator = small_translator(NAME)
    sampling = SamplingConfig(seed=5)
    drawn = translator.n_best(TEXTS, count=8, decoding=DecodingConfig(max_length=7, sampling=sampling))
    risk = MinimumRiskConfig(candidates=8)
    asked = DecodingConfig(max_length=7, sampling=sampling, minimum_risk=risk)
    chosen = translator.n_best(TEXTS, count=2, decoding=asked)
    for candidates, best in zip(drawn, chosen, strict=True):
        texts = [one.text for one in candidates]

        def expected(text: str, texts: list[str] = texts) -> float:
            return sum(sacrebleu.sentence_chrf(text, [other]).score for other in texts) / len(texts)

        ranked = sorted({*texts}, key=expected, reverse=True)
        assert expected(best[0].text) == pytest.approx(expected(ranked[0]))
        assert best[0].score == pytest.approx(expected(best[0].text), abs=1e-6)
        assert len(best) == min(2, len(ranked))
        assert len({one.text for one in best}) == len(best)
        assert best[0].log_prob in [pytest.approx(one.log_prob) for one in candidates if one.text == best[0].text]


def test_risk_of_an_n_best_list_counts_probabilities() -> None:
    translator = small_translator(NAME)
    listed = translator.n_best(TEXTS, count=4, beam_size=4)
    risk = MinimumRiskConfig(candidates=4, of="n-best", utility="bleu")
    asked = DecodingConfig(max_length=7, beam_size=4, minimum_risk=risk)
    for candidates, best in zip(listed, translator.translate(TEXTS, decoding=asked), strict=True):
        weights = [math.exp(one.log_prob) for one in candidates]

        def expected(text: str, candidates: list = candidates, weights: list = weights) -> float:
            scores = [sacrebleu.sentence_bleu(text, [one.text]).score for one in candidates]
            return sum(score * weight for score, weight in zip(scores, weights, strict=True)) / sum(weights)

        assert expected(best.text) == pytest.approx(max(expected(one.text) for one in candidates))
        assert best.score == pytest.approx(expected(best.text), abs=1e-6)


@pytest.mark.parametrize(
    ("decoding", "count", "message"),
    [
        ({}, 0, "n_best is 0, but it must be at least 1"),
        ({"beam_size": 2}, 3, "n_best is 3, but a beam of 2"),
        ({"minimum_risk": {"candidates": 4}}, 5, "n_best is 5, but minimum_risk.candidates is 4"),
    ],
)
def test_more_than_there_is(decoding: dict, count: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_translator(NAME, **decoding).n_best(TEXTS, count=count)


def test_what_holds_for_one_call_only() -> None:
    translator = small_translator(NAME, beam_size=3)
    before = translator.translate(TEXTS)
    translator.translate(TEXTS, beam_size=1, length_penalty=0.0, batch_sentences=2)
    translator.translate(TEXTS, decoding=DecodingConfig(sampling=SamplingConfig()))
    assert [found.text for found in translator.translate(TEXTS)] == [found.text for found in before]
    assert translator.decoding.beam_size == 3
    with pytest.raises(ConfigError, match="beam_size: expected at least 1, got the number 0"):
        translator.translate(TEXTS, beam_size=0)


def test_the_score_is_that_of_the_configuration_whatever_has_found_it() -> None:
    for decoding in ({"beam_size": 1}, {"beam_size": 3}, {"sampling": SamplingConfig()}):
        translator = small_translator(NAME, length_normalization="gnmt", length_penalty=0.8, **decoding)
        for found in translator.translate(TEXTS):
            length = len(found.tokens)
            assert found.score == pytest.approx(found.log_prob / ((5 + length) / 6) ** 0.8, rel=1e-6)
            assert found.log_prob == pytest.approx(sum(found.token_log_probs))


def test_the_vocabularies_of_these_tests_fit_the_models() -> None:
    assert (len(SOURCE), len(TARGET)) == (17, 19)
