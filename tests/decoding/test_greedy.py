"""Greedy search against a loop over a table, in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from lookup_table import BOS, EOS, PAD, WORDS, Prefix, Table, TableModel, batch

from seq2seq_attn.decoding import GreedySearch, Hypothesis, LengthLimit
from seq2seq_attn.errors import ConfigError, Seq2SeqError

LENGTHS = [2, 5, 3, 1, 7]


def search(ratio: float = 1.0, extra: int = 3) -> GreedySearch:
    return GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=LengthLimit(ratio=ratio, extra=extra))


def run(table: Table, sentences: list[int], lengths: list[int], **limit: float) -> list[Hypothesis]:
    found = search(**limit)(TableModel(table), *batch(sentences, lengths))
    assert all(len(hypotheses) == 1 for hypotheses in found)
    return [hypotheses[0] for hypotheses in found]


def expected(table: Table, sentence: int, limit: int) -> tuple[Prefix, bool, list[float]]:
    prefix: Prefix = ()
    log_probs = []
    while len(prefix) < limit:
        row = table.log_probs(sentence, prefix)
        best = max((1, EOS, 3), key=lambda token: row[token])  # max keeps the first, lowest, of equals
        log_probs.append(row[best])
        if best == EOS:
            return prefix, True, log_probs
        prefix = (*prefix, best)
    return prefix, False, log_probs


@pytest.mark.parametrize("values", [None, (-1.0, -0.5)], ids=["random", "ties"])
@pytest.mark.parametrize("seed", range(7))
def test_takes_the_best_token_until_the_end_or_the_limit(seed, values):
    table = Table(seed, values)
    sentences = [11, 5, 7, 2, 3]
    for sentence, length, found in zip(sentences, LENGTHS, run(table, sentences, LENGTHS), strict=True):
        tokens, finished, log_probs = expected(table, sentence, length + 3)
        assert (found.tokens, found.finished) == (tokens, finished)
        assert found.token_log_probs == tuple(log_probs)
        assert found.log_prob == found.score == pytest.approx(sum(log_probs), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_weights_belong_to_the_token_they_predicted(seed):
    """One row per token and one for the end, cut to the sentence's own source, whoever left the batch before."""
    table = Table(seed)
    sentences = [11, 5, 7, 2, 3]
    for sentence, length, found in zip(sentences, LENGTHS, run(table, sentences, LENGTHS), strict=True):
        rows = len(found.tokens) + found.finished
        wanted = [table.weights(sentence, found.tokens[:i], length) for i in range(rows)]
        torch.testing.assert_close(found.weights, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=0)


def test_a_sentence_is_the_same_alone_and_in_any_batch():
    table = Table(17)
    together = run(table, [11, 5, 7, 2, 3], LENGTHS)
    for order in ([4, 3, 2, 1, 0], [2, 0], [1]):
        again = run(table, [[11, 5, 7, 2, 3][i] for i in order], [LENGTHS[i] for i in order])
        for i, found in zip(order, again, strict=True):
            assert found.tokens == together[i].tokens
            assert found.token_log_probs == together[i].token_log_probs
            assert torch.equal(found.weights, together[i].weights)


def test_finished_sentences_leave_the_batch():
    model = TableModel(Table(17))
    found = search()(model, *batch([11, 5, 7, 2, 3], LENGTHS))
    steps = [len(hypotheses[0].token_log_probs) for hypotheses in found]
    assert model.rows_per_step == [sum(step > t for step in steps) for t in range(max(steps))]


@pytest.mark.parametrize(
    ("ratio", "extra", "length", "limit"),
    [(2.0, 10, 3, 16), (1.5, 0, 3, 4), (0.0, 5, 7, 5), (0.5, 0, 1, 1), (0.0, 0, 3, 1)],
)
def test_the_limit_counts_tokens_by_ratio_and_extra(ratio, extra, length, limit):
    endless = Table(1, values=(-1.0,))  # all equal: token 1 for ever
    (found,) = run(endless, [3], [length], ratio=ratio, extra=extra)
    assert found.tokens == (1,) * limit
    assert not found.finished


def test_a_dead_end_keeps_what_there_was():
    """Nothing may follow: the sentence ends unfinished, and no impossible token is appended."""

    class Dead(Table):
        def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
            return (-math.inf,) * 5 if len(prefix) == sentence else (-math.inf, -1.0, -2.0, -3.0, -math.inf)

    found = run(Dead(1), [2, 0, 40], [3, 3, 3])
    assert [hypothesis.tokens for hypothesis in found] == [(1, 1), (), (1,) * 6]
    assert not any(hypothesis.finished for hypothesis in found)
    assert [hypothesis.log_prob for hypothesis in found] == [-2.0, 0.0, -6.0]
    assert [tuple(hypothesis.weights.shape) for hypothesis in found] == [(2, 3), (0, 3), (6, 3)]


def test_no_sentences_give_no_hypotheses():
    assert search()(TableModel(Table(1)), torch.zeros(0, 3, dtype=torch.long), torch.zeros(0).long()) == []


def test_numbers_that_are_none_are_an_error_and_not_a_translation():
    with pytest.raises(Seq2SeqError, match=r"NaN.*use an earlier checkpoint"):
        run(Table(1, values=(math.nan,)), [3], [2])


@pytest.mark.parametrize(
    ("ratio", "extra", "message"),
    [
        (-1.0, 10, "max_length_ratio is -1.0, but it must be a finite number of at least 0"),
        (math.inf, 10, "max_length_ratio is inf"),
        (math.nan, 10, "max_length_ratio is nan"),
        (2.0, -1, "extra_length is -1, but it must be at least 0"),
    ],
)
def test_impossible_limits_are_refused(ratio, extra, message):
    with pytest.raises(ConfigError, match=message):
        search(ratio, extra)


def test_the_end_of_a_sentence_cannot_be_forbidden():
    with pytest.raises(ValueError, match="end-of-sentence token 2 must be"):
        GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD, EOS))


def test_forbidden_tokens_are_never_chosen():
    """The table makes them the most probable ones everywhere."""
    assert {token for found in run(Table(3), list(range(50)), [3] * 50) for token in found.tokens} == set(WORDS)
