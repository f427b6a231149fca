"""A sentence translates the same alone and in company, in any order: the guarantee that other programs broke.

Standing for: OpenNMT-py's issue 318, where 24 BLEU became 9 with another batch size.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from building import CASES, papers_wiring
from specs import NAMES
from translators import TRANSFORMER, small_translator, some_sentences

from seq2seq_attn import Translation, Translator
from seq2seq_attn.translation import Constraint

TEXTS = [*some_sentences(8, longest=5), "", " ", *some_sentences(1, seed=2, longest=20)]


def assert_alike(some: list[list[Translation]], others: list[list[Translation]]) -> None:
    for ones, twos in zip(some, others, strict=True):
        assert [one.tokens for one in ones] == [two.tokens for two in twos]
        assert [one.text for one in ones] == [two.text for two in twos]
        for one, two in zip(ones, twos, strict=True):
            assert one.score == pytest.approx(two.score, abs=1e-4)
            assert one.log_prob == pytest.approx(two.log_prob, abs=1e-4)
            assert one.token_log_probs == pytest.approx(two.token_log_probs, abs=1e-4)
            assert (one.finished, one.alignment) == (two.finished, two.alignment)
            np.testing.assert_allclose(one.attention, two.attention, atol=1e-4)


def check_any_batch(
    translator: Translator, *, count: int = 1, constraints: list[Constraint] | None = None, varied: bool = True
) -> None:
    """Batches of 1, 7 and 64; the last in another order. Models whose answer is always the same show little."""
    alone = translator.n_best(TEXTS, count=count, batch_sentences=1, constraints=constraints)
    assert_alike(alone, translator.n_best(TEXTS, count=count, batch_sentences=7, constraints=constraints))
    order = list(range(len(TEXTS)))
    random.Random(3).shuffle(order)
    shuffled = translator.n_best(
        [TEXTS[number] for number in order],
        count=count,
        batch_sentences=64,
        constraints=constraints and [constraints[number] for number in order],
    )
    assert_alike([alone[number] for number in order], shuffled)
    assert not varied or len({found[0].text for found in alone}) > 2


SEEDS = {"bahdanau": 4}  # whose model has more than one answer
MECHANISMS = ("luong-general", "bahdanau", "none", "luong-general+monotonic=mocha")


@pytest.mark.parametrize(
    ("name", "beam_size"), [*((name, 1) for name in MECHANISMS), (TRANSFORMER, 1), (TRANSFORMER, 3)]
)
def test_the_same_at_any_batch_size(name: str, beam_size: int) -> None:
    check_any_batch(small_translator(name, beam_size=beam_size, seed=SEEDS.get(name, 2)))


@pytest.mark.slow
@pytest.mark.unchecked_shapes
@pytest.mark.parametrize("case", [case for case in CASES if case != papers_wiring(MECHANISMS[0])], ids=str)
def test_every_mechanism_in_every_wiring(case) -> None:
    check_any_batch(small_translator(case, beam_size=2), varied=False)


WAYS = {
    "n-best": {"beam_size": 4, "coverage_penalty": 0.3, "length_normalization": "gnmt", "length_penalty": 0.6},
    "limits": {"beam_size": 3, "min_length": 3, "max_length": 6, "length_normalization": "reward"},
    "rules": {"beam_size": 3, "no_repeat_ngram": 2, "repetition_penalty": 1.3, "forbidden": ("t5", "t6 t7")},
    "groups": {"beam_size": 4, "diverse_groups": 2, "diversity": 0.7},
    "samples": {"sampling": {"temperature": 0.9, "top_k": 7, "top_p": 0.9, "seed": 3}},
    "risk of samples": {"minimum_risk": {"candidates": 6}, "sampling": {"seed": 4}},
    "risk of n-best": {"minimum_risk": {"candidates": 5, "of": "n-best", "utility": "bleu"}},
    "unknown words": {"beam_size": 2, "replace_unknown": True},
}


@pytest.mark.parametrize(("name", "way"), [*(("luong-general", way) for way in WAYS), (TRANSFORMER, "n-best")])
def test_every_way_to_search(name: str, way: str) -> None:
    check_any_batch(small_translator(name, **WAYS[way]), count=2 if way == "n-best" else 1)


def test_constraints_of_every_sentence() -> None:
    chance = random.Random(5)
    words = [f"t{number}" for number in range(4, 19)]
    constraints = [
        Constraint(
            " ".join(chance.choices(words, k=chance.randrange(3))), tuple(chance.choices(words, k=chance.randrange(2)))
        )
        for _ in TEXTS
    ]
    check_any_batch(small_translator("luong-dot", beam_size=3), constraints=constraints)


def test_an_ensemble() -> None:
    check_any_batch(small_translator("bahdanau", TRANSFORMER, beam_size=3))


def test_the_mechanisms_tested_are_known() -> None:
    assert set(MECHANISMS) - set(NAMES) == {"luong-general+monotonic=mocha"}
