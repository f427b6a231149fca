"""Beam search against enumeration of everything, and against its definition in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from lookup_table import (
    BOS,
    EOS,
    PAD,
    Path,
    Prefix,
    Script,
    Table,
    TableModel,
    batch,
    exhaustive,
    narrow,
)

from seq2seq_attn.decoding import BeamSearch, GreedySearch, Hypothesis, Search
from seq2seq_attn.errors import ConfigError, Seq2SeqError

SENTENCES = [11, 5, 7, 2, 3]
LENGTHS = [2, 4, 1, 3, 2]
WIDE = 2**6  # more than the 31 finished and 32 live hypotheses that two words can make in five steps
TABLES = {
    "random": {},
    "early": {"eager": 1.0},
    "ties": {"values": (-2.0, -1.0, -0.5)},
    "equal": {"values": (-1.0,)},
    "gaps": {"impossible": 0.3},
}


def search(beam_size: int, penalty: float, *, n_best: int = 1, ratio: float = 1.0, extra: int = 1) -> BeamSearch:
    return BeamSearch(
        bos=BOS,
        eos=EOS,
        beam_size=beam_size,
        length_penalty=penalty,
        n_best=n_best,
        forbidden=(PAD,),
        max_length_ratio=ratio,
        extra_length=extra,
    )


def check(found: list[Hypothesis], wanted: list[Path], penalty: float) -> None:
    assert [hypothesis.finished for hypothesis in found] == [path.finished for path in wanted]
    for hypothesis, path in zip(found, wanted, strict=True):
        assert (*hypothesis.tokens, EOS)[: len(path.tokens)] == path.tokens
        assert hypothesis.token_log_probs == path.log_probs
        assert hypothesis.log_prob == pytest.approx(sum(path.log_probs), abs=1e-12)
        assert hypothesis.score == pytest.approx(path.score(penalty), abs=1e-12)


@pytest.mark.parametrize("n_best", [1, 7])
@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("kind", TABLES)
def test_a_beam_wide_enough_finds_the_best_there_is(kind, penalty, n_best):
    for seed in range(7):
        table = Table(seed, **TABLES[kind])
        found = search(WIDE, penalty, n_best=n_best)(TableModel(table), *batch(SENTENCES, LENGTHS))
        for sentence, length, hypotheses in zip(SENTENCES, LENGTHS, found, strict=True):
            wanted = exhaustive(table, sentence, length + 1, penalty, n_best)
            if wanted:  # else every sequence is impossible, which another test is about
                check(hypotheses, wanted, penalty)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["random", "early", "ties", "equal"])
def test_stopping_early_changes_nothing(kind, beam_size, penalty):
    """The plain one runs to the limit; stopping at the first finished hypothesis would lose better ones."""
    for seed in range(11):
        table = Table(seed, **TABLES[kind])
        for n_best in {1, beam_size}:
            find = search(beam_size, penalty, n_best=n_best, extra=7)
            found = find(TableModel(table), *batch(SENTENCES, LENGTHS))
            for sentence, length, hypotheses in zip(SENTENCES, LENGTHS, found, strict=True):
                check(hypotheses, narrow(table, sentence, length + 7, penalty, beam_size)[:n_best], penalty)


def test_it_does_stop_early():
    """Else the comparison above is empty: here all tables end long before the limit of a hundred steps."""
    model = TableModel(Table(1, eager=1.0))
    search(3, 1.0, extra=100)(model, *batch(SENTENCES, LENGTHS))
    assert len(model.rows_per_step) < 30
    assert model.rows_per_step[0] == 5
    assert max(model.rows_per_step) <= 15
    assert model.rows_per_step[-1] < 7  # finished sentences have left


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", TABLES)
def test_a_beam_of_one_is_greedy(kind, penalty):
    greedy = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), max_length_ratio=1.0, extra_length=5)
    for seed in range(11):
        table = Table(seed, **TABLES[kind])
        beam = search(1, penalty, extra=5)(TableModel(table), *batch(SENTENCES, LENGTHS))
        for (one,), (other,) in zip(beam, greedy(TableModel(table), *batch(SENTENCES, LENGTHS)), strict=True):
            assert (one.tokens, one.finished, one.token_log_probs) == (
                other.tokens,
                other.finished,
                other.token_log_probs,
            )
            assert torch.equal(one.weights, other.weights)


@pytest.mark.parametrize("kind", TABLES)
def test_a_sentence_is_the_same_alone_and_in_any_batch(kind):
    table = Table(13, **TABLES[kind])
    find = search(3, 0.6, n_best=3, extra=5)
    together = find(TableModel(table), *batch(SENTENCES, LENGTHS))
    for order in ([4, 3, 2, 1, 0], [2, 0], [0], [1], [2], [3], [4]):
        chosen = batch([SENTENCES[i] for i in order], [LENGTHS[i] for i in order])
        for i, hypotheses in zip(order, find(TableModel(table), *chosen), strict=True):
            assert len(hypotheses) == len(together[i])
            for one, other in zip(hypotheses, together[i], strict=True):
                assert (one.tokens, one.score, one.log_prob) == (other.tokens, other.score, other.log_prob)
                assert torch.equal(one.weights, other.weights)


@pytest.mark.parametrize("kind", TABLES)
def test_n_best_are_sorted_and_distinct(kind):
    for seed in range(7):
        model = TableModel(Table(seed, **TABLES[kind]))
        for hypotheses in search(5, 1.0, n_best=5, extra=5)(model, *batch(SENTENCES, LENGTHS)):
            assert 1 <= len(hypotheses) <= 5
            assert hypotheses == sorted(hypotheses, key=lambda found: (not found.finished, -found.score))
            assert len({(found.tokens, found.finished) for found in hypotheses}) == len(hypotheses)


@pytest.mark.parametrize("kind", TABLES)
def test_weights_follow_the_hypothesis_they_belong_to(kind):
    """A survivor continues any row of its beam: keeping weights by place mixes hypotheses."""
    table = Table(5, **TABLES[kind])
    found = search(5, 0.6, n_best=5, extra=5)(TableModel(table), *batch(SENTENCES, LENGTHS))
    for sentence, length, hypotheses in zip(SENTENCES, LENGTHS, found, strict=True):
        for hypothesis in hypotheses:
            rows = len(hypothesis.tokens) + hypothesis.finished
            wanted = [table.weights(sentence, hypothesis.tokens[:i], length) for i in range(rows)]
            assert torch.equal(hypothesis.weights, torch.tensor(wanted, dtype=torch.float64).view(rows, length))


def tokens_of(hypotheses: list[Hypothesis]) -> list[Prefix]:
    return [hypothesis.tokens for hypothesis in hypotheses]


def test_a_later_ending_can_win_and_is_waited_for():
    """Ending first is not ending best: 0.5 / 1 against 0.6 / 4 per token."""
    table = Script({(): {EOS: -0.5, 1: -0.6}, (1,): {1: 0.0}, (1, 1): {1: 0.0}, (1, 1, 1): {EOS: 0.0}})
    model = TableModel(table)
    (by_mean,) = search(2, 1.0, n_best=2)(model, *batch([1], [6]))
    assert tokens_of(by_mean) == [(1, 1, 1), ()]
    assert [found.score for found in by_mean] == [-0.15, -0.5]
    (by_probability,) = search(2, 0.0)(model, *batch([1], [6]))
    assert tokens_of(by_probability) == [()]


def test_a_poor_early_ending_does_not_narrow_the_beam():
    """The ending of the first step takes one of two places there, and gives it back."""
    table = Script(
        {
            (): {1: -1.0, EOS: -5.0, 3: -6.0},
            (1,): {1: -0.5, 3: -0.7},
            (1, 1): {EOS: -3.0},
            (1, 3): {EOS: -0.1},
        }
    )
    (found,) = search(2, 1.0, n_best=2)(TableModel(table), *batch([1], [6]))
    assert tokens_of(found) == [(1, 3), (1, 1)]


def test_what_the_limit_cuts_off_only_fills_what_is_left():
    table = Script({(): {1: -0.1, EOS: -2.0}, (1,): {1: -0.1, EOS: -3.0}, (1, 1): {1: -0.1, 3: -0.2, EOS: -4.0}})
    (best,) = search(5, 1.0)(TableModel(table), *batch([1], [2]))
    assert (tokens_of(best), best[0].finished) == ([(1, 1)], True)
    (found,) = search(5, 1.0, n_best=5)(TableModel(table), *batch([1], [2]))
    assert tokens_of(found) == [(1, 1), (1,), (), (1, 1, 1), (1, 1, 3)]
    assert [hypothesis.finished for hypothesis in found] == [True, True, True, False, False]
    assert found[3].score == pytest.approx(-0.1, abs=1e-12)  # the mean of three tokens


def test_a_limit_of_nothing_still_allows_one_token():
    (found,) = search(2, 1.0, ratio=0.0, extra=0)(TableModel(Table(1, values=(-1.0,))), *batch([1], [6]))
    assert tokens_of(found) == [()]  # tokens 1 and 2 tie, and 2 is the end: the one that is finished
    assert found[0].finished


def test_a_dead_end_is_kept_where_there_is_nothing_else():
    """Constraints and probabilities of 0 can leave no continuation; a sentence still gets an answer."""
    nowhere = Script({(): {1: -1.0, 3: -2.0}, (1,): {1: -1.0}})
    (found,) = search(3, 1.0, n_best=2)(TableModel(nowhere), *batch([1], [6]))
    assert tokens_of(found) == [(1, 1)]
    assert not found[0].finished
    assert found[0].score == -1.0
    (found,) = search(3, 1.0)(TableModel(Script({})), *batch([1], [6]))
    assert (tokens_of(found), found[0].log_prob, tuple(found[0].weights.shape)) == ([()], 0.0, (0, 6))
    somewhere = Script({(): {1: -1.0, EOS: -9.0}, (1,): {1: -1.0}})
    (found,) = search(3, 1.0, n_best=3)(TableModel(somewhere), *batch([1], [6]))
    assert tokens_of(found) == [()]
    assert found[0].finished


def test_a_dead_end_of_one_sentence_leaves_the_others_alone():
    class Mixed(Table):
        def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
            stuck = sentence == 7 and len(prefix) == 2
            return (-math.inf,) * 5 if stuck else super().log_probs(sentence, prefix)

    find = search(3, 0.6, n_best=3, extra=5)
    together = find(TableModel(Mixed(4)), *batch(SENTENCES, LENGTHS))
    alone = find(TableModel(Table(4)), *batch(SENTENCES, LENGTHS))
    for sentence, one, other in zip(SENTENCES, together, alone, strict=True):
        if sentence != 7:
            assert tokens_of(one) == tokens_of(other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sums_are_exact_in_any_precision_of_the_model(dtype):
    """Half precision stops counting at a few hundred: sums of its numbers must not be kept in it."""

    class Coarse(TableModel):
        def step(self, tokens, state):
            log_probs, weights, state = super().step(tokens, state)
            return log_probs.to(dtype), weights.to(dtype), state

    model = Coarse(Table(3, values=(-1.0, -0.75, -0.625)))
    for hypotheses in search(3, 1.0, n_best=3, extra=200)(model, *batch(SENTENCES, LENGTHS)):
        for found in hypotheses:
            assert found.log_prob == sum(found.token_log_probs)
            assert found.score == found.log_prob / (len(found.tokens) + found.finished)


def test_the_model_s_own_numbers_are_not_touched():
    """A table or an ensemble may hand out what it keeps; forbidding tokens must not write into it."""
    kept = torch.full((1, 5), -1.0)

    class Keeper(TableModel):
        def step(self, tokens, state):
            _, weights, state = super().step(tokens, state)
            return kept.expand(len(tokens), -1), weights, state

    for find in (search(3, 1.0), GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,))):
        find(Keeper(Table(1)), *batch([1], [3]))
        assert torch.equal(kept, torch.full((1, 5), -1.0))


def test_results_can_be_used_outside_inference_mode():
    (found,) = search(2, 1.0)(TableModel(Table(1)), *batch([1], [3]))
    found[0].weights.mul_(2)
    assert not found[0].weights.is_inference()


def test_no_sentences_give_no_hypotheses():
    empty = torch.zeros(0, 3, dtype=torch.long), torch.zeros(0).long()
    assert search(3, 1.0)(TableModel(Table(1)), *empty) == []


def test_numbers_that_are_none_are_an_error_and_not_a_translation():
    with pytest.raises(Seq2SeqError, match=r"NaN.*use an earlier checkpoint"):
        search(2, 1.0)(TableModel(Table(1, values=(math.nan,))), *batch([3], [2]))


def test_both_searches_are_searches():
    assert isinstance(search(2, 1.0), Search)
    assert isinstance(GreedySearch(bos=BOS, eos=EOS), Search)


@pytest.mark.parametrize(
    ("beam_size", "n_best", "penalty", "message"),
    [
        (0, 1, 1.0, "beam_size is 0, but a beam holds at least 1 hypothesis"),
        (5, 0, 1.0, "n_best is 0, but a beam of 5 gives 1 to 5 hypotheses"),
        (5, 6, 1.0, "n_best is 6, but a beam of 5 gives 1 to 5 hypotheses; make beam_size larger"),
        (5, 1, -0.5, "length_penalty is -0.5, but it must be a finite number of at least 0"),
        (5, 1, math.nan, "length_penalty is nan"),
    ],
)
def test_impossible_requests_are_refused(beam_size, n_best, penalty, message):
    with pytest.raises(ConfigError, match=message):
        search(beam_size, penalty, n_best=n_best)
