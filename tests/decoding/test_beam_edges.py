"""What beam search does at the edges: nothing possible, odd numbers, other devices, wrong requests."""

from __future__ import annotations

import math

import pytest
import torch
from lookup_table import (
    BOS,
    EOS,
    LENGTHS,
    PAD,
    SENTENCES,
    TABLES,
    Prefix,
    Script,
    Table,
    TableModel,
    batch,
    search,
    tokens_of,
)

from seq2seq_attn.decoding import GreedySearch, Search
from seq2seq_attn.errors import ConfigError, Seq2SeqError


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


def test_everything_stays_on_the_device_of_the_source():
    """A tensor made without naming its device lands elsewhere on a GPU; here what is written to it is lost."""
    source, lengths = batch(SENTENCES, LENGTHS)
    for find in (search(3, 1.0, n_best=3), GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,))):
        wanted = find(TableModel(Table(1)), source, lengths)
        with torch.device("meta"):
            found = find(TableModel(Table(1)), source, lengths)
        assert [tokens_of(hypotheses) for hypotheses in found] == [tokens_of(hypotheses) for hypotheses in wanted]
        assert torch.equal(found[0][0].weights, wanted[0][0].weights)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", TABLES)
def test_a_gpu_finds_the_same(kind):
    source, lengths = batch(SENTENCES, LENGTHS)
    find = search(3, 0.6, n_best=3, extra=5)
    here = find(TableModel(Table(13, **TABLES[kind])), source, lengths)
    there = find(TableModel(Table(13, **TABLES[kind])), source.cuda(), lengths.cuda())
    assert [tokens_of(found) for found in here] == [tokens_of(found) for found in there]


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
