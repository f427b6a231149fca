"""Every way to score against enumeration of everything, and against the equations in plain Python."""

from __future__ import annotations

import math
import random

import pytest
import torch
from lookup_table import (
    BOS,
    EOS,
    LENGTHS,
    MANY,
    MANY_LENGTHS,
    PAD,
    SENTENCES,
    WORDS,
    MixedTable,
    Path,
    Score,
    Table,
    TableModel,
    batch,
    exhaustive,
    narrow,
)

from seq2seq_attn.decoding import BeamSearch, GreedySearch, Hypothesis, LengthLimit, Scoring
from seq2seq_attn.decoding.scoring import log_coverage
from seq2seq_attn.errors import ConfigError

WAYS = [("none", 0.7), ("average", 0.6), ("gnmt", 0.8), ("gnmt", 2.0), ("reward", 0.4), ("reward", 3.0)]
COVERAGE = [0.0, 0.2, 5.0]


def by_length(normalization: str, strength: float) -> Score:
    def score(path: Path) -> float:
        length, log_prob = len(path.tokens), sum(path.log_probs)
        if normalization == "average":
            return log_prob / max(length, 1) ** strength
        if normalization == "gnmt":
            return log_prob / ((5 + length) ** strength / 6**strength)
        return log_prob + (strength * length if normalization == "reward" else 0.0)

    return score


def with_coverage(score: Score, beta: float, table: Table, sentence: int, source_length: int) -> Score:
    def covered(path: Path) -> float:
        looks = [table.weights(sentence, path.tokens[:t], source_length) for t in range(len(path.tokens))]
        sums = [sum(look[j] for look in looks) for j in range(source_length)]
        return score(path) + beta * sum(math.log(min(total, 1.0)) for total in sums)

    return covered if beta else score


def find(beam: int, way: tuple[str, float], beta: float, *, n_best: int = 1, extra: int = 1) -> BeamSearch:
    scoring = Scoring(normalization=way[0], length_penalty=way[1], coverage_penalty=beta)
    limit = LengthLimit(ratio=1.0, extra=extra)
    return BeamSearch(bos=BOS, eos=EOS, beam_size=beam, n_best=n_best, scoring=scoring, limit=limit, forbidden=(PAD,))


def check(found: list[Hypothesis], wanted: list[Path], score: Score) -> None:
    assert [hypothesis.tokens for hypothesis in found] == [
        path.tokens[:-1] if path.finished else path.tokens for path in wanted
    ]
    for hypothesis, path in zip(found, wanted, strict=True):
        assert hypothesis.finished == path.finished
        assert hypothesis.token_log_probs == path.log_probs
        assert hypothesis.score == pytest.approx(score(path), abs=1e-9)


@pytest.mark.parametrize("beta", COVERAGE)
@pytest.mark.parametrize("way", WAYS)
def test_a_beam_wide_enough_finds_the_best_there_is(way, beta):
    table = MixedTable(0)
    found = find(64, way, beta, n_best=7)(TableModel(table), *batch(MANY, MANY_LENGTHS))
    for sentence, length, hypotheses in zip(MANY, MANY_LENGTHS, found, strict=True):
        score = with_coverage(by_length(*way), beta, table, sentence, length)
        wanted = exhaustive(table, sentence, length + 1, score, 7)
        if wanted:
            check(hypotheses, wanted, score)


@pytest.mark.parametrize("beta", COVERAGE)
@pytest.mark.parametrize("way", WAYS)
def test_stopping_early_changes_nothing(way, beta):
    score, sentences, lengths = by_length(*way), MANY[:20], MANY_LENGTHS[:20]
    for seed, beam in [(0, 1), (1, 2), (2, 3), (3, 5)]:
        table = MixedTable(seed, ["random", "early", "ties", "equal"])
        for n_best in {1, beam}:
            found = find(beam, way, beta, n_best=n_best, extra=5)(TableModel(table), *batch(sentences, lengths))
            for sentence, length, hypotheses in zip(sentences, lengths, found, strict=True):
                complete = with_coverage(score, beta, table, sentence, length)
                check(hypotheses, narrow(table, sentence, length + 5, score, beam, complete)[:n_best], complete)


@pytest.mark.parametrize("way", WAYS[:5])
def test_it_does_stop_early(way):
    """Else the comparison above is empty. A reward of 3 a token is worth waiting for, to the last token."""
    model = TableModel(Table(1, eager=1.0))
    find(3, way, 0.0, extra=60)(model, *batch(SENTENCES, LENGTHS))
    assert len(model.rows_per_step) < 60


@pytest.mark.parametrize("way", WAYS)
def test_no_continuation_exceeds_what_is_called_possible(way):
    """Random continuations of random beginnings, the certain ones among them, with coverage at its best."""
    rng = random.Random(7)
    scores = Scoring(normalization=way[0], length_penalty=way[1], coverage_penalty=1.0).upto(20, like=torch.empty(0))
    for _ in range(300):
        limit = rng.randint(1, 20)
        length = rng.randint(0, limit)
        total = -rng.random() * 10
        bound = scores.best_possible(torch.tensor([total], dtype=torch.float64), torch.tensor([limit])).item()
        for more in range(length, limit + 1):
            steps = [rng.choice([0.0, -rng.random()]) for _ in range(more - length)]
            later = torch.tensor(total + sum(steps), dtype=torch.float64)
            assert scores.score(later, more).item() <= bound + 1e-12


def test_the_coverage_of_wu_et_al():
    """By hand: half of the first position, twice the second, none of the third, which counts as a millionth."""
    attended = torch.tensor([[0.5, 2.0, 0.0, 9.0], [1.0, 0.25, 0.0, 0.0]], dtype=torch.float64)
    found = log_coverage(attended, torch.tensor([3, 2]))
    assert found.tolist() == pytest.approx([math.log(0.5) + math.log(1e-6), math.log(0.25)], abs=1e-12)


def test_the_numbers_of_the_gnmt_penalty():
    """lp(Y) of Wu et al. (2016) at alpha 0.2 and 0.7, worked out by hand for 4 and 13 tokens."""
    for alpha, length, divisor in [(0.2, 4, 1.5**0.2), (0.7, 13, 3**0.7), (0.0, 9, 1.0)]:
        scores = Scoring(normalization="gnmt", length_penalty=alpha).upto(20, like=torch.empty(0))
        found = scores.score(torch.tensor([-6.0], dtype=torch.float64), length).item()
        assert found == pytest.approx(-6.0 / divisor, abs=1e-12)


def test_coverage_chooses_the_translation_that_looks_everywhere():
    """Of two equally probable ones the first looks at one place only; and a model without attention still works."""

    class Looks(Table):
        def log_probs(self, sentence, prefix):
            row = {(): (1, 3), (1,): (EOS,), (3,): (EOS,)}[prefix]
            return tuple(-0.5 if token in row else -math.inf for token in range(5))

        def weights(self, sentence, prefix, source_length):
            if prefix == (3,):
                return [0.0, 1.0] if sentence == 1 else [0.0, 0.0]
            return [1.0, 0.0] if sentence == 1 else [0.0, 0.0]

    for beta, wanted in [(0.0, (1,)), (0.1, (3,))]:
        found = find(2, ("average", 1.0), beta)(TableModel(Looks(0)), *batch([1, 2], [2, 2]))
        assert found[0][0].tokens == wanted
        assert found[1][0].tokens == (1,)
        assert math.isfinite(found[1][0].score)


@pytest.mark.parametrize("fewest", [1, 2, 4])
def test_a_minimum_length_is_enumeration_without_the_short_ones(fewest):
    table, given, score = (
        MixedTable(0, ["random", "early", "ties"]),
        batch(MANY, MANY_LENGTHS),
        by_length("average", 1.0),
    )
    limit = LengthLimit(ratio=1.0, extra=1, shortest=fewest)
    search = BeamSearch(bos=BOS, eos=EOS, beam_size=64, n_best=3, limit=limit, forbidden=(PAD,))
    found = search(TableModel(table), *given)
    one = GreedySearch(bos=BOS, eos=EOS, limit=limit, forbidden=(PAD,))(TableModel(table), *given)
    for sentence, length, hypotheses, (best,) in zip(MANY, MANY_LENGTHS, found, one, strict=True):
        least = min(fewest, length)  # the limit wins: the end must fit, too
        check(hypotheses, exhaustive(table, sentence, length + 1, score, 3, least), score)
        assert len(best.tokens) >= least


def test_lengths_by_ratio_and_absolute():
    lengths = torch.tensor([1, 3, 10, 40])
    assert LengthLimit()(lengths).tolist() == [12, 16, 30, 90]
    assert LengthLimit(longest=25)(lengths).tolist() == [12, 16, 25, 25]
    assert LengthLimit().fewest(lengths).tolist() == [0, 0, 0, 0]
    assert LengthLimit(shortest=2, shortest_ratio=0.5).fewest(lengths).tolist() == [2, 2, 5, 20]
    assert LengthLimit(ratio=1.0, extra=0, shortest_ratio=1.0).fewest(lengths).tolist() == [0, 2, 9, 39]
    assert LengthLimit(longest=12, shortest_ratio=1.5).fewest(lengths).tolist() == [1, 4, 11, 11]


@pytest.mark.parametrize("longest", [1, 3])
def test_a_maximum_length_counts_the_end(longest):
    table = Table(3, values=(-1.0,))
    limit = LengthLimit(longest=longest)
    for search in (
        BeamSearch(bos=BOS, eos=EOS, beam_size=1, limit=limit, forbidden=(PAD,)),
        GreedySearch(bos=BOS, eos=EOS, limit=limit, forbidden=(PAD,)),
    ):
        ((found,),) = search(TableModel(table), *batch([3], [9]))
        assert found.tokens == (WORDS[0],) * longest
        assert not found.finished


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"longest": 0}, "max_length is 0, but it must be at least 1"),
        ({"shortest": -1}, "min_length is -1, but it must be at least 0"),
        ({"shortest_ratio": -1.0}, "min_length_ratio is -1.0"),
        ({"shortest": 7, "longest": 7}, "min_length is 7, .* more than max_length, 7; set max_length to at least 8"),
        ({"shortest_ratio": 3.0}, "min_length_ratio is 3.0, but it must not be more than max_length_ratio, 2.0"),
    ],
)
def test_lengths_that_contradict_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        LengthLimit(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "avarage"}, "length_normalization is 'avarage', .* did you mean 'average'"),
        ({"length_penalty": -0.1}, "length_penalty is -0.1, but it must be a finite number of at least 0"),
        ({"coverage_penalty": math.inf}, "coverage_penalty is inf"),
    ],
)
def test_scoring_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Scoring(**options)
