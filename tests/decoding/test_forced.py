"""Forced decoding against the table it reads, against search, and against teacher forcing."""

from __future__ import annotations

import itertools
import math

import building
import pytest
import torch
from building import papers_wiring, sentences, small_model
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, WORDS, Script, Table, TableModel, batch, search
from transformer_building import small_transformer

from seq2seq_attn.decoding import BeamSearch, Demands, ForcedSearch, GreedySearch, Scoring
from seq2seq_attn.errors import ConfigError, Seq2SeqError

EVERY_TARGET = [target for length in range(5) for target in itertools.product(WORDS, repeat=length)]


def forced(targets):
    return ForcedSearch(bos=BOS, eos=EOS, targets=targets)


@pytest.mark.parametrize("kind", TABLES)
def test_every_target_there_is_gets_its_probability(kind):
    table = Table(3, **TABLES[kind])
    sources = [n % 7 for n in range(len(EVERY_TARGET))]
    lengths = [1 + n % 3 for n in range(len(EVERY_TARGET))]
    found = forced(EVERY_TARGET)(TableModel(table), *batch(sources, lengths))
    for sentence, length, target, (hypothesis,) in zip(sources, lengths, EVERY_TARGET, found, strict=True):
        written = (*target, EOS)
        wanted = tuple(table.log_probs(sentence, written[:i])[token] for i, token in enumerate(written))
        assert (hypothesis.tokens, hypothesis.finished) == (target, True)
        assert hypothesis.token_log_probs == wanted
        assert hypothesis.log_prob == hypothesis.score == pytest.approx(sum(wanted), abs=1e-12)
        weights = [table.weights(sentence, written[:i], length) for i in range(len(written))]
        assert torch.equal(hypothesis.weights, torch.tensor(weights, dtype=torch.float64))


@pytest.mark.parametrize("kind", TABLES)
def test_what_search_finds_gets_the_numbers_that_search_gave_it(kind):
    table = Table(5, **TABLES[kind])
    places, wanted = [], []
    for place, hypotheses in enumerate(
        search(4, 0.0, n_best=4, extra=4)(TableModel(table), *batch(SENTENCES, LENGTHS))
    ):
        finished = [hypothesis for hypothesis in hypotheses if hypothesis.finished]
        places += [place] * len(finished)
        wanted += finished
    assert len(wanted) > 5
    source = batch([SENTENCES[place] for place in places], [LENGTHS[place] for place in places])
    found = forced([hypothesis.tokens for hypothesis in wanted])(TableModel(table), *source)
    for (one,), other in zip(found, wanted, strict=True):
        assert (one.tokens, one.log_prob, one.token_log_probs) == (other.tokens, other.log_prob, other.token_log_probs)
        assert one.score == pytest.approx(other.score, abs=1e-12)  # no normalization: both are the log-probability
        assert torch.equal(one.weights, other.weights)


MODELS = {
    "bahdanau": lambda: small_model(papers_wiring("bahdanau"), dtype=torch.float32),
    "luong-general": lambda: small_model(papers_wiring("luong-general"), dtype=torch.float32),
    "transformer": lambda: small_transformer(dtype=torch.float32),
}


@pytest.mark.parametrize("name", MODELS)
def test_real_models_give_what_teacher_forcing_gives(name):
    model, given = MODELS[name](), sentences()
    rows = given.rows()
    search = ForcedSearch(bos=building.BOS, eos=building.EOS, targets=[out[:-1] for _, _, out in rows])
    found = search(model, given.source, given.source_lengths)
    with torch.inference_mode():
        features, weights, *_ = model(given.source, given.source_lengths, given.target_in)
        log_probs = model.log_probs(features)
    for row, (source, _, out) in enumerate(rows):
        (hypothesis,) = found[row]
        wanted = [float(log_probs[row, i, token]) for i, token in enumerate(out)]
        assert hypothesis.token_log_probs == pytest.approx(wanted, abs=1e-5)
        assert hypothesis.log_prob == pytest.approx(sum(wanted), abs=1e-5)
        torch.testing.assert_close(hypothesis.weights, weights[row, : len(out), : len(source)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_real_models_give_the_score_that_search_gave(name):
    model, given = MODELS[name](), sentences()
    with torch.no_grad():
        model.output.bias[building.EOS] += 4  # random models seldom end a sentence
    specials = {"bos": building.BOS, "eos": building.EOS}
    beam = BeamSearch(**specials, beam_size=8, n_best=8, scoring=Scoring(normalization="none"))
    finished = 0
    for find in (GreedySearch(**specials), beam):
        every = find(model, given.source, given.source_lengths)
        for found in zip(*every, strict=True):  # the first of every sentence, then the second ...
            again = ForcedSearch(**specials, targets=[hypothesis.tokens for hypothesis in found])
            for one, (other,) in zip(found, again(model, given.source, given.source_lengths), strict=True):
                same = len(one.token_log_probs)  # one that was cut off has no end of the sentence
                assert one.token_log_probs == pytest.approx(other.token_log_probs[:same], abs=1e-5)
                if one.finished:
                    finished += 1
                    assert one.score == pytest.approx(other.score, abs=1e-5)
    assert finished > 8


def test_rows_that_are_done_leave_the_batch():
    model = TableModel(Table(1))
    found = forced([(1,) * 3, (), (3,), (1, 3, 1)])(model, *batch([1, 2, 3, 4], [2, 2, 2, 2]))
    assert model.rows_per_step == [4, 3, 2, 2]
    assert [hypotheses[0].tokens for hypotheses in found] == [(1, 1, 1), (), (3,), (1, 3, 1)]


def test_a_target_that_cannot_be_has_no_probability():
    model = TableModel(Script({(): {1: -0.5}, (1,): {EOS: -0.25}}))
    (possible,), (impossible,) = forced([(1,), (3,)])(model, *batch([1, 1], [2, 2]))
    assert possible.log_prob == -0.75
    assert impossible.log_prob == impossible.score == -math.inf


def test_no_sentences_give_no_hypotheses():
    assert forced([])(TableModel(Table(1)), torch.zeros(0, 3, dtype=torch.long), torch.zeros(0).long()) == []


def test_numbers_that_are_none_are_an_error_and_not_a_score():
    with pytest.raises(Seq2SeqError, match="NaN"):
        forced([(1,)])(TableModel(Table(1, values=(math.nan,))), *batch([1], [2]))


@pytest.mark.parametrize(
    ("targets", "demands", "message"),
    [
        ([(1,)], None, "forced decoding has 1 targets, but the batch has 2 sentences"),
        ([(1,), (3, 5)], None, "target of sentence 2 has token 5, but the model's tokens are 0 to 4"),
        ([(-1,), ()], None, "target of sentence 1 has token -1"),
        ([(1,), (3,)], Demands(prefixes=[(1,), ()]), "no prefix or phrase can be asked of it"),
        ([(1,), (3,)], Demands(required=[[], [(1,)]]), "no prefix or phrase can be asked of it"),
    ],
)
def test_what_cannot_be_forced_is_refused(targets, demands, message):
    with pytest.raises(ConfigError, match=message):
        forced(targets)(TableModel(Table(1)), *batch([1, 2], [2, 2]), demands)


def test_demands_that_ask_for_nothing_are_met():
    asked = Demands(prefixes=[(), ()], required=[[], []])
    assert len(forced([(1,), (PAD,)])(TableModel(Table(1)), *batch([1, 2], [2, 2]), asked)) == 2
