"""Minimum Bayes risk against a loop over all pairs with sacreBLEU's own scores of sentences."""

from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.minimum_risk import UTILITIES, minimum_bayes_risk

SCORE = {
    "chrf": CHRF().sentence_score,
    "bleu": BLEU(effective_order=True).sentence_score,
}


def naive(candidates: list[str], utility: str, weights: list[float] | None = None) -> list[float]:
    weights = weights or [1.0] * len(candidates)
    return [
        sum(weight * SCORE[utility](ours, [theirs]).score for theirs, weight in zip(candidates, weights, strict=True))
        / sum(weights)
        for ours in candidates
    ]


def sentences(seed: int, count: int) -> list[str]:
    """Variations of one sentence, as samples of a model are: some equal, some empty, words repeated."""
    rng = random.Random(seed)
    words = [
        "A",
        "dog,",
        "two",
        "dogs",
        "(big)",
        "run-running",
        "through",
        "",
        "",
        "the",
        "the",
        "snow;",
        "e.g.",
        "3.5",
    ]
    words += ["km", "über", "Straßen!", "犬が走る", ".", "…"]
    made = [" ".join(rng.choices(words, k=rng.randint(0, 12))) for _ in range(count)]
    return [*made, made[0], "", " ", "a", "the the the the the", "\u2028"]


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_score_against_every_candidate(seed, utility):
    candidates = sentences(seed, 17)
    assert minimum_bayes_risk(candidates, utility=utility) == pytest.approx(naive(candidates, utility), abs=1e-9)


@pytest.mark.parametrize("utility", UTILITIES)
def test_weights_say_how_much_a_reference_counts(utility):
    rng = random.Random(1)
    candidates = sentences(9, 13)
    weights = [rng.choice([0.0, 0.1, 2.0, 7.5]) for _ in candidates]
    found = minimum_bayes_risk(candidates, utility=utility, weights=weights)
    assert found == pytest.approx(naive(candidates, utility, weights), abs=1e-9)
    # What was drawn several times counts several times.
    drawn = [text for text, times in zip(candidates[:5], [3, 1, 2, 0, 4], strict=True) for _ in range(times)]
    whole = minimum_bayes_risk(candidates[:5], utility=utility, weights=[3, 1, 2, 0, 4])
    assert minimum_bayes_risk(drawn, utility=utility)[0] == pytest.approx(whole[0], abs=1e-9)


def test_what_agrees_with_others_wins_over_the_odd_ones():
    """An empty translation, a copied one, and three that nearly say the same."""
    candidates = ["", "Ein Hund.", "A dog runs.", "A dog runs fast.", "A black dog runs."]
    for utility in UTILITIES:
        found = minimum_bayes_risk(candidates, utility=utility)
        assert max(found[:2]) < min(found[2:])


@pytest.mark.parametrize("utility", UTILITIES)
def test_ties_are_exact_so_that_the_earlier_wins(utility):
    """Four texts that share nothing, each there as often; in any order, and with sums that do not round alike."""
    texts = ["aaaa aaaa aaaa aaaa", "bbbb bbbb bbbb bbbb", "cccc cccc cccc cccc", "dddd dddd dddd dddd"]
    found = minimum_bayes_risk(texts, utility=utility, weights=[0.1] * 4)
    assert len(set(found)) == 1
    assert found.index(max(found)) == 0
    # The same scores, met in another order, must have the same sum.
    samples = sentences(3, 11)
    turned = samples[4:] + samples[:4]
    one, other = (minimum_bayes_risk(order, utility=utility) for order in (samples, turned))
    assert one == other[-4:] + other[:-4]


def test_a_single_candidate_agrees_with_itself():
    assert minimum_bayes_risk(["A dog."]) == [pytest.approx(100)]
    assert minimum_bayes_risk(["A dog."], utility="bleu") == [pytest.approx(100)]
    assert minimum_bayes_risk([""]) == [0.0]  # as sacreBLEU has it


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"utility": "chrff"}, UserError, r"unknown utility 'chrff'; did you mean 'chrf'\? \(known: chrf, bleu\)"),
        ({"weights": [1.0]}, DataError, "there are 2 candidates, but 1 weights; give one to each"),
        ({"weights": [1.0, -1.0]}, DataError, "finite numbers of at least 0"),
        ({"weights": [1.0, float("nan")]}, DataError, "finite numbers of at least 0"),
        ({"weights": [0.0, 0.0]}, DataError, "not all of them 0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        minimum_bayes_risk(["a", "b"], **arguments)


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(DataError, match="the list of candidates is empty"):
        minimum_bayes_risk([])
