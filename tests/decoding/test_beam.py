"""Beam search against enumeration of everything, and against its definition in plain Python."""

from __future__ import annotations

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
    TABLES,
    MixedTable,
    Path,
    Script,
    Table,
    TableModel,
    batch,
    exhaustive,
    narrow,
    search,
    tokens_of,
)

from seq2seq_attn.decoding import GreedySearch, Hypothesis, LengthLimit

WIDE = 2**6  # more than the 31 finished and 32 live hypotheses that two words can make in five steps


def check(found: list[Hypothesis], wanted: list[Path], penalty: float) -> None:
    assert [hypothesis.finished for hypothesis in found] == [path.finished for path in wanted]
    for hypothesis, path in zip(found, wanted, strict=True):
        assert (*hypothesis.tokens, EOS)[: len(path.tokens)] == path.tokens
        assert hypothesis.token_log_probs == path.log_probs
        assert hypothesis.log_prob == pytest.approx(sum(path.log_probs), abs=1e-12)
        assert hypothesis.score == pytest.approx(path.score(penalty), abs=1e-12)


@pytest.mark.parametrize("n_best", [1, 7])
@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_beam_wide_enough_finds_the_best_there_is(penalty, n_best):
    table = MixedTable(0)
    found = search(WIDE, penalty, n_best=n_best)(TableModel(table), *batch(MANY, MANY_LENGTHS))
    for sentence, length, hypotheses in zip(MANY, MANY_LENGTHS, found, strict=True):
        wanted = exhaustive(table, sentence, length + 1, penalty, n_best)
        if wanted:  # else every sequence is impossible, which another test is about
            check(hypotheses, wanted, penalty)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
def test_stopping_early_changes_nothing(beam_size, penalty):
    """The plain one runs to the limit; stopping at the first finished hypothesis would lose better ones."""
    table = MixedTable(0, ["random", "early", "ties", "equal"])
    wanted = [
        narrow(table, sentence, length + 7, penalty, beam_size)
        for sentence, length in zip(MANY, MANY_LENGTHS, strict=True)
    ]
    for n_best in {1, beam_size}:
        find = search(beam_size, penalty, n_best=n_best, extra=7)
        found = find(TableModel(table), *batch(MANY, MANY_LENGTHS))
        for hypotheses, paths in zip(found, wanted, strict=True):
            check(hypotheses, paths[:n_best], penalty)


def test_it_does_stop_early():
    """Else the comparison above is empty: here all tables end long before the limit of a hundred steps."""
    model = TableModel(Table(1, eager=1.0))
    search(3, 1.0, extra=100)(model, *batch(SENTENCES, LENGTHS))
    assert len(model.rows_per_step) < 30
    assert model.rows_per_step[0] == 5
    assert max(model.rows_per_step) <= 15
    assert model.rows_per_step[-1] < 7  # finished sentences have left


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
def test_a_beam_of_one_is_greedy(penalty):
    greedy = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=LengthLimit(ratio=1.0, extra=5))
    table, given = MixedTable(0), batch(MANY, MANY_LENGTHS)
    beam = search(1, penalty, extra=5)(TableModel(table), *given)
    for (one,), (other,) in zip(beam, greedy(TableModel(table), *given), strict=True):
        assert (one.tokens, one.finished, one.token_log_probs) == (other.tokens, other.finished, other.token_log_probs)
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


def test_n_best_are_sorted_and_distinct():
    for hypotheses in search(5, 1.0, n_best=5, extra=5)(TableModel(MixedTable(0)), *batch(MANY, MANY_LENGTHS)):
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
