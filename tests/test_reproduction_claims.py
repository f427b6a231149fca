"""The claims of ``scripts/reproduce.py``, on tables made by hand: what held, what did not, what is within noise."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from sacrebleu import corpus_bleu

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from reproductions.bahdanau_length import long_range
from reproductions.catalog import REPRODUCTIONS
from reproductions.claims import Finding, Verdict, all_of, decide
from reproductions.corpora import CORPORA
from reproductions.luong_ablation import LADDER, PUBLISHED
from reproductions.noise import better, compare, less
from reproductions.outcome import BLEU, ENTROPY, ERROR_RATE, NONZERO, PERPLEXITY, Outcome
from reproductions.results import Judged, Results
from reproductions.speeds import SpeedPoint
from reproductions.transformer import faster_everywhere, gains_with_length

TOY = CORPORA["toy"]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SHORT = [" ".join([WORDS[i % 10], *WORDS[: 4 + i % 5]]) for i in range(60)]
LONG = [" ".join([WORDS[i % 10], *WORDS * 3, WORDS[i % 7]]) for i in range(40)]
TESTS = {"test": Judged(SHORT, SHORT), "test_long": Judged(LONG, LONG)}


def spoiled(lines: Sequence[str], every: int) -> list[str]:
    """Turn every so-manyth sentence round, so that its n-grams are wrong."""
    return [" ".join(reversed(line.split())) if number % every == 0 else line for number, line in enumerate(lines)]


def results_of(
    hypotheses: Mapping[str, Mapping[str, Sequence[str]]],
    numbers: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    *,
    seeds: int = 1,
) -> Results:
    """Put translations (the same for all seeds) and other numbers (by seed) together."""
    outcomes = {}
    for variant, translations in hypotheses.items():
        bleu = {
            split: corpus_bleu(list(lines), [list(TESTS[split].references)]).score
            for split, lines in translations.items()
        }
        for seed in range(seeds):
            others = {what: {"test": by[variant][seed]} for what, by in (numbers or {}).items()}
            outcomes[variant, seed] = Outcome(
                variant, seed, 1, 1.0, "a machine", "nrefs:1", {BLEU: bleu, **others}, {**translations}
            )
    return Results(TOY, list(hypotheses), range(seeds), outcomes, TESTS)


GOOD = {"test": SHORT, "test_long": LONG}
BAD = {"test": spoiled(SHORT, 2), "test_long": spoiled(LONG, 2)}
NEARLY = {"test": [SHORT[0].replace("one", "two"), *SHORT[1:]], "test_long": LONG}


@pytest.mark.parametrize(
    ("first", "second", "finding"),
    [
        (GOOD, BAD, Finding.HELD),
        (BAD, GOOD, Finding.NOT_HELD),
        (GOOD, GOOD, Finding.NOT_DECIDED),
        (GOOD, NEARLY, Finding.NOT_DECIDED),  # better by a number, but in one sentence only
        (NEARLY, GOOD, Finding.NOT_DECIDED),
    ],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_bleu_is_decided_beyond_noise_only(first, second, finding, seeds):
    results = results_of({"first": first, "second": second}, seeds=seeds)
    verdict = better("first is better", "a paper", "first", ["second"]).check(results)
    assert verdict.finding is finding
    assert f"first {results.mean('first', BLEU):.2f}" in verdict.evidence


@pytest.mark.parametrize("seeds", [1, 3])
def test_more_seeds_are_no_more_sentences(seeds):
    """Standing for: four sentences that differ, counted three times, as twelve that do."""
    turned = [" ".join(reversed(line.split())) if number < 4 else line for number, line in enumerate(SHORT)]
    results = results_of({"first": GOOD, "second": {"test": turned, "test_long": LONG}}, seeds=seeds)
    assert results.mean("first", BLEU) > results.mean("second", BLEU) + 1
    verdict = compare(results, "first", "second")
    assert (verdict.finding, "p = 0.1" in verdict.evidence) == (Finding.NOT_DECIDED, True)


@pytest.mark.parametrize("seeds", [1, 3])
def test_models_that_have_learned_nothing_are_not_compared(seeds):
    """Standing for: 0.02 BLEU held to be better than 0.01, since the bootstrap is sure of it."""
    nothing = {"test": ["nil " * 9] * len(SHORT), "test_long": ["nil " * 40] * len(LONG)}
    little = {"test": [*SHORT[:1], *nothing["test"][1:]], "test_long": nothing["test_long"]}
    results = results_of({"first": little, "second": nothing}, seeds=seeds)
    assert 0 < results.mean("first", BLEU) < 1
    verdict = compare(results, "first", "second")
    assert verdict.finding is Finding.NOT_DECIDED
    assert "neither has learned to translate" in verdict.evidence
    assert (
        compare(results_of({"first": GOOD, "second": nothing}, seeds=seeds), "first", "second").finding is Finding.HELD
    )


@pytest.mark.parametrize(
    ("first", "second", "finding"),
    [
        ([5.0], [9.0], Finding.NOT_DECIDED),  # one seed does not tell
        ([5.0, 5.1, 4.9], [6.0, 6.2, 5.9], Finding.HELD),
        ([6.0, 6.2, 5.9], [5.0, 5.1, 4.9], Finding.NOT_HELD),
        ([5.0, 8.0, 3.0], [5.5, 3.0, 9.0], Finding.NOT_DECIDED),
        ([5.0, 5.0], [5.0, 5.0], Finding.NOT_DECIDED),
        ([5.0, 5.0, 5.0], [5.5, 6.0, 6.5], Finding.NOT_DECIDED),  # 3.5 standard errors, of three seeds
        ([5.0] * 6, [5.5, 6.0, 6.5] * 2, Finding.HELD),  # of six
    ],
)
def test_other_numbers_need_several_seeds(first, second, finding):
    """Perplexity: less is better. The third pair differs by 0.5 in the mean and by ten times that from seed to seed."""
    numbers = {PERPLEXITY: {"first": first, "second": second}}
    results = results_of({"first": GOOD, "second": GOOD}, numbers, seeds=len(first))
    assert compare(results, "first", "second", PERPLEXITY).finding is finding


def test_a_number_that_nobody_measured_decides_nothing():
    results = results_of({"first": GOOD, "second": GOOD})
    verdict = compare(results, "first", "second", ERROR_RATE)
    assert verdict.finding is Finding.NOT_DECIDED
    assert "no error rate of first" in verdict.evidence


@pytest.mark.parametrize(
    ("middle", "finding"),
    [([1.0, 1.1], Finding.HELD), ([0.1, 0.2], Finding.NOT_HELD), ([2.0, 2.1], Finding.NOT_DECIDED)],
)
def test_an_order_holds_if_every_step_of_it_does(middle, finding):
    numbers = {ENTROPY: {"a": [2.0, 2.1], "b": middle, "c": [0.5, 0.6]}}
    results = results_of({"a": GOOD, "b": GOOD, "c": GOOD}, numbers, seeds=2)
    assert less("a > b > c", "a paper", ["a", "b", "c"], ENTROPY).check(results).finding is finding


def test_a_claim_of_parts_falls_with_one_of_them():
    held, fallen, open_ = (Verdict(finding, finding.name) for finding in Finding)
    assert all_of([held, held]).finding is Finding.HELD
    assert all_of([held, open_]) == open_
    assert all_of([held, open_, fallen]) == fallen
    assert all_of([]).finding is Finding.NOT_DECIDED
    assert decide(float("nan"), 1.0, "").finding is Finding.NOT_DECIDED
    assert decide(1.0, float("nan"), "").finding is Finding.NOT_DECIDED


FALLS = {"test": SHORT, "test_long": spoiled(LONG, 1)}
BOTTOM = {"test": spoiled(SHORT, 1), "test_long": spoiled(LONG, 1)}  # 3.8 and 1.1 BLEU: few points to lose


@pytest.mark.parametrize(
    ("without", "attends", "finding"),
    [
        (FALLS, GOOD, Finding.HELD),
        (GOOD, FALLS, Finding.NOT_HELD),
        (FALLS, FALLS, Finding.NOT_DECIDED),
        (BOTTOM, {"test": SHORT, "test_long": spoiled(LONG, 2)}, Finding.HELD),
    ],
)
@pytest.mark.parametrize("seeds", [1, 2])
def test_the_fixed_vector_loses_more_on_long_sentences(without, attends, finding, seeds):
    verdict = long_range(TOY).check(results_of({"none": without, "bahdanau": attends}, seeds=seeds))
    assert verdict.finding is finding
    assert "BLEU on long sentences, of that on short ones" in verdict.evidence


def test_a_share_of_next_to_nothing_decides_nothing():
    """Standing for: a model with 0.1 BLEU on short sentences and on long ones, which has "lost nothing"."""
    little = {name: ["one " + "nil " * 25] * len(lines) for name, lines in GOOD.items()}
    found = results_of({"none": {"test": spoiled(SHORT, 2), "test_long": spoiled(LONG, 1)}, "bahdanau": little})
    assert 0 < found.mean("bahdanau", BLEU) < 1
    assert long_range(TOY).check(found).finding is Finding.NOT_DECIDED


def test_without_long_sentences_nothing_is_decided():
    found = results_of({"none": {"test": spoiled(SHORT, 2)}, "bahdanau": {"test": SHORT}})
    for outcome in found.outcomes.values():
        outcome.hypotheses["test_long"] = []
    tests = {"test": TESTS["test"], "test_long": Judged([], [])}
    short = Results(TOY, found.variants, found.seeds, found.outcomes, tests)
    assert long_range(TOY).check(short).finding is Finding.NOT_DECIDED


def speeds(lstm: Mapping[int, list[float]], transformer: Mapping[int, list[float]]) -> Results:
    points = [
        SpeedPoint(kind, 64, length, 1, rounds, rounds, "a machine")
        for length in lstm
        for kind, rounds in (("LSTM", lstm[length]), ("Transformer", transformer[length]))
    ]
    return Results(TOY, [], [1], {}, speeds=points)


@pytest.mark.parametrize(
    ("short", "long", "faster", "gains"),
    [
        ([150.0, 160.0], [300.0, 310.0], Finding.HELD, Finding.HELD),
        ([300.0, 310.0], [150.0, 160.0], Finding.HELD, Finding.NOT_HELD),
        ([50.0, 60.0], [300.0, 310.0], Finding.NOT_HELD, Finding.HELD),
        ([90.0, 160.0], [150.0, 310.0], Finding.NOT_DECIDED, Finding.NOT_DECIDED),
    ],
)
def test_speeds_are_judged_round_by_round(short, long, faster, gains):
    results = speeds({10: [100.0, 100.0], 80: [100.0, 100.0]}, {10: short, 80: long})
    assert faster_everywhere(results).finding is faster
    assert gains_with_length(results).finding is gains
    # a machine that is ten times slower in the second round changes nothing
    slower = speeds(
        {10: [100.0, 10.0], 80: [100.0, 10.0]}, {10: [short[0], short[1] / 10], 80: [long[0], long[1] / 10]}
    )
    assert faster_everywhere(slower).finding is faster
    assert gains_with_length(slower).finding is gains


@pytest.mark.parametrize("name", REPRODUCTIONS)
@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_every_claim_is_about_variants_that_there_are(name, corpus):
    """All models alike: nothing may be said to hold, or not to."""
    reproduction = REPRODUCTIONS[name]
    names = [variant.name for variant in reproduction.variants]
    numbers = {what: {key: [1.0, 1.0] for key in names} for what in (PERPLEXITY, ERROR_RATE, ENTROPY, NONZERO)}
    alike = results_of(dict.fromkeys(names, GOOD), numbers, seeds=2)
    claims = reproduction.claims(corpus)
    assert len(claims) >= 2
    speed = [SpeedPoint(kind, 64, length, 1, [1.0], [1.0], "") for kind in names for length in (10, 80)]
    alike = Results(TOY, names, alike.seeds, alike.outcomes, TESTS, speed if reproduction.grid else ())
    assert {claim.check(alike).finding for claim in claims} == {Finding.NOT_DECIDED}
    assert any("table 6" in claim.source for claim in claims) == (name == "luong-attention" and corpus.has_gold)


def test_the_ladder_has_the_gains_that_the_paper_prints():
    """Luong et al. (2015), table 1, prints differences beside its numbers: +1.3, +1.4, +2.8, +1.3, +0.9, +1.9."""
    bleu = [float(PUBLISHED[variant.name]["BLEU"]) for variant in LADDER]
    assert [round(above - below, 1) for below, above in pairwise(bleu)] == [1.3, 1.4, 2.8, 1.3, 0.9, 1.9]
