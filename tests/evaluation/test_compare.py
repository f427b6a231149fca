"""Tests of significance, and sentences side by side."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.compare import DIFFERENCES, compare_systems, format_comparison
from seq2seq_attn.evaluation.metrics import MetricOptions, score_corpus, score_sentences

SENTENCES = 61
WORDS = ["the", "a", "man", "woman", "dog", "cat", "sees", "hears", "red", "old", "house", "tree", "today"]


def write(seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(5, 12))) for _ in range(SENTENCES)]


def spoil(lines: list[str], share: float, seed: int) -> list[str]:
    """Put another word in the place of a share of all words."""
    draw = random.Random(seed)
    return [" ".join(draw.choice(WORDS) if draw.random() < share else word for word in line.split()) for line in lines]


REFERENCES = write()
SYSTEMS = {
    "good": spoil(REFERENCES, 0.10, 2),
    "alike": spoil(REFERENCES, 0.11, 3),
    "worse": spoil(REFERENCES, 0.25, 4),
}


def their_table(folder: Path, references: list[list[str]], *options: str) -> list[list[list[float]]]:
    """Run sacreBLEU's own command on all systems; return the numbers of every cell of its table."""
    paths = []
    for name, lines in [*SYSTEMS.items(), *((f"reference{i}", lines) for i, lines in enumerate(references))]:
        paths.append(folder / name)
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    inputs, sets = paths[: len(SYSTEMS)], paths[len(SYSTEMS) :]
    command = [sys.executable, "-m", "sacrebleu", *map(str, sets), "-i", *map(str, inputs), *options]
    # its JSON cannot hold what its bootstrap computes, so the table is read
    done = subprocess.run([*command, "-m", "bleu", "chrf", "ter", "-f", "latex", "-w", "6"], capture_output=True)
    rows = [line for line in done.stdout.decode().splitlines() if "&" in line][1:]
    return [[[float(n) for n in re.findall(r"\d+\.\d+", cell)] for cell in row.split("&")[1:]] for row in rows]


@pytest.mark.parametrize("number", [1, 2])
def test_all_numbers_equal_the_sacrebleu_command(number: int, tmp_path: Path) -> None:
    sets = [REFERENCES, spoil(REFERENCES, 0.3, 5)][:number]
    asked = MetricOptions(resamples=211)
    ours = compare_systems(SYSTEMS, sets, ["bleu", "chrf", "ter"], options=asked, trials=401).metrics
    bootstrap = their_table(tmp_path, sets, "--paired-bs", "--paired-bs-n", "211")
    randomization = their_table(tmp_path, sets, "--paired-ar", "--paired-ar-n", "401")
    assert [found.name for found in ours.values()] == ["BLEU", "chrF2", "TER"]
    assert [found.lower_is_better for found in ours.values()] == [False, False, True]
    p_values = set()
    for column, metric in enumerate(ours.values()):
        assert f"nrefs:{number}|bs:211|seed:12345" in metric.bootstrap_signature
        assert f"nrefs:{number}|ar:401|seed:12345" in metric.randomization_signature
        assert [result.system for result in metric.results] == list(SYSTEMS)
        for row, result in enumerate(metric.results):
            found = [result.score, result.interval.mean, result.interval.margin]
            assert found == pytest.approx(bootstrap[row][column][:3], abs=1e-5)
            assert randomization[row][column][0] == pytest.approx(result.score, abs=1e-5)
            if row == 0:
                assert (result.bootstrap, result.randomization) == (None, None)
            else:
                assert result.bootstrap == pytest.approx(bootstrap[row][column][3], abs=1e-4)
                assert result.randomization == pytest.approx(randomization[row][column][1], abs=1e-4)
                p_values |= {result.bootstrap, result.randomization}
    assert min(p_values) < 0.01
    assert max(p_values) > 0.05


def test_p_values_are_those_of_plain_loops() -> None:
    """TER of one reference is a quotient of two sums, so that both tests can be done by hand."""
    trials, resamples = 199, 151
    lengths = [len(line.split()) for line in REFERENCES]
    edits = {}
    for name in ("good", "alike"):
        scores = score_sentences(SYSTEMS[name], REFERENCES, "ter")
        edits[name] = [round(score * length / 100) for score, length in zip(scores, lengths, strict=True)]
    first, second = edits.values()
    measured = abs(sum(first) - sum(second)) / sum(lengths)

    generator = np.random.default_rng(12345)
    rows = generator.choice(SENTENCES, size=(resamples, SENTENCES), replace=True)
    resampled = [abs(sum(first[i] - second[i] for i in row)) / sum(lengths[i] for i in row) for row in rows]
    mean = sum(resampled) / resamples
    bootstrap = (1 + sum(found - mean > measured for found in resampled)) / (1 + resamples)

    generator = np.random.default_rng(12345)
    keeps = generator.integers(2, size=(trials, SENTENCES), dtype=bool)
    larger = 0
    for keep in keeps:
        difference = sum((first[i] - second[i]) * (1 if keep[i] else -1) for i in range(SENTENCES))
        larger += abs(difference) > abs(sum(first) - sum(second))
    randomization = (1 + larger) / (1 + trials)

    pair = {name: SYSTEMS[name] for name in ("good", "alike")}
    asked = MetricOptions(resamples=resamples)
    found = compare_systems(pair, REFERENCES, ["ter"], options=asked, trials=trials).metrics["ter"].results[1]
    assert found.bootstrap == pytest.approx(bootstrap, abs=1e-12)
    # differences that are as large as the measured one are equal in integers, not quite so in floats
    assert found.randomization == pytest.approx(randomization, abs=2.5 / trials)


def test_identical_systems_are_never_significant() -> None:
    """sacreBLEU says p = 0.001 and p = 0.0001 here."""
    same = {"one": SYSTEMS["good"], "other": list(SYSTEMS["good"])}
    found = compare_systems(same, REFERENCES, ["bleu", "chrf", "chrf++", "ter"], trials=100)
    for metric in found.metrics.values():
        assert (metric.results[1].bootstrap, metric.results[1].randomization) == (1.0, 1.0)
    (sentences,) = found.by_sentence
    assert (sentences.wins, sentences.losses, sentences.ties) == (0, 0, SENTENCES)
    assert sentences.differences == []
    assert "*" not in format_comparison(found).replace("* p <", "")


@pytest.mark.parametrize("differing", [1, 2, 3, 4, 7])
def test_randomization_cannot_be_surer_than_its_sentences_allow(differing: int) -> None:
    """Of 2^m ways to swap m sentences two give the measured difference itself: none, and all of them."""
    other = [f"{line} oops" if number < differing else line for number, line in enumerate(REFERENCES)]
    pair = {"one": REFERENCES, "other": other}
    found = compare_systems(pair, REFERENCES, ["ter"], trials=3000).metrics["ter"].results[1]
    # all sentences lose: every other way gives less
    exact = 2 / 2**differing
    assert found.randomization is not None
    assert exact <= found.randomization <= exact + 0.001


def test_results_do_not_depend_on_which_other_systems_and_metrics_there_are() -> None:
    together = compare_systems(SYSTEMS, REFERENCES, ["bleu", "chrf"], trials=100)
    alone = compare_systems(
        {"good": SYSTEMS["good"], "worse": SYSTEMS["worse"]}, REFERENCES, ["chrf", "chrf"], trials=100
    )
    assert together.metrics["chrf"].results[2] == alone.metrics["chrf"].results[1]
    assert together.by_sentence[1] == alone.by_sentence[0]
    assert list(alone.metrics) == ["chrf"]


@pytest.mark.parametrize("metric", ["chrf", "ter"])
def test_wins_losses_and_the_largest_differences(metric: str) -> None:
    sources = [f"source {number}" for number in range(SENTENCES)]
    found = compare_systems(
        SYSTEMS, REFERENCES, ["bleu"], sources=sources, trials=10, sentence_metric=metric
    ).by_sentence[1]
    wins = losses = 0
    gaps = []
    for number, reference in enumerate(REFERENCES):
        first, other = (
            score_corpus([SYSTEMS[name][number]], [reference], [metric])[metric].score for name in ("good", "worse")
        )
        better = other - first if metric == "chrf" else first - other
        wins += better > 0
        losses += better < 0
        gaps.append((-abs(other - first), number + 1))
    assert (found.system, found.metric) == ("worse", metric)
    assert (found.wins, found.losses, found.ties) == (wins, losses, SENTENCES - wins - losses)
    assert losses > wins > 0
    assert [one.number for one in found.differences] == [number for _, number in sorted(gaps)[:DIFFERENCES]]
    one = found.differences[0]
    assert (one.source, one.references) == (f"source {one.number - 1}", (REFERENCES[one.number - 1],))
    assert (one.baseline, one.system) == (SYSTEMS["good"][one.number - 1], SYSTEMS["worse"][one.number - 1])
    assert one.baseline_score == pytest.approx(score_sentences([one.baseline], list(one.references), metric)[0])


def test_a_comparison_prints_itself_and_becomes_json() -> None:
    sources = [f"source {number}" for number in range(SENTENCES)]
    found = compare_systems(SYSTEMS, REFERENCES, ["bleu", "ter"], split="news", sources=sources, trials=200)
    text = format_comparison(found)
    lines = text.splitlines()
    assert lines[0] == f"news: {SENTENCES} sentences, compared with good"
    bleu = found.metrics["bleu"]
    row = next(line for line in lines if line.startswith("worse "))
    assert row.split() == [
        "worse",
        f"{bleu.results[2].score:.2f}",
        f"{bleu.results[2].interval.mean:.2f}",
        "±",
        f"{bleu.results[2].interval.margin:.2f}",
        f"{bleu.results[2].bootstrap:.4f}*",
        f"{bleu.results[2].randomization:.4f}*",
    ]
    assert f"bootstrap: BLEU|{bleu.bootstrap_signature}" in lines
    assert "TER (lower is better)" in text
    for sentences in found.by_sentence:
        counts = f"better in {sentences.wins}, worse in {sentences.losses}, equal in {sentences.ties}"
        assert f"{sentences.system}, by chrf of single sentences: {counts}" in lines
    first = found.by_sentence[1].differences[0]
    assert f"  worse      {first.system}" in lines
    assert f"  source     source {first.number - 1}" in lines
    read = json.loads(json.dumps(found.to_dict()))
    assert read["metrics"]["bleu"]["results"][1]["bootstrap"] == bleu.results[1].bootstrap
    assert read["by_sentence"][0]["differences"][0]["references"]


def test_wrong_requests_are_explained() -> None:
    with pytest.raises(UserError, match="needs two systems or more"):
        compare_systems({"one": REFERENCES}, REFERENCES)
    with pytest.raises(UserError, match="unknown metric 'blue'; did you mean 'bleu'"):
        compare_systems(SYSTEMS, REFERENCES, ["blue"])
    with pytest.raises(UserError, match="unknown metric 'chrff'"):
        compare_systems(SYSTEMS, REFERENCES, sentence_metric="chrff")
    with pytest.raises(UserError, match="needs at least 1 trial, not 0"):
        compare_systems(SYSTEMS, REFERENCES, trials=0)
    short = {**SYSTEMS, "alike": SYSTEMS["alike"][:7]}
    with pytest.raises(DataError, match=f"^alike: there are 7 hypotheses, but the references have {SENTENCES} lines"):
        compare_systems(short, REFERENCES)
    with pytest.raises(DataError, match="nothing to score"):
        compare_systems({"one": [], "other": []}, [])
