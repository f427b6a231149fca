"""Ensembles against a table of means, written without tensors, and against their own members."""

from __future__ import annotations

import math

import building
import pytest
import torch
from building import papers_wiring, sentences, small_model
from lookup_table import LENGTHS, SENTENCES, TABLES, Prefix, Script, Table, TableModel, batch, search
from transformer_building import small_transformer

from seq2seq_attn.decoding import BeamSearch, Ensemble, GreedySearch, Hypothesis
from seq2seq_attn.errors import ConfigError

BATCH = batch(SENTENCES, LENGTHS)
SPECIALS = {"bos": building.BOS, "eos": building.EOS, "forbidden": (building.PAD, building.UNK)}


class MeanTable(Table):
    """What tables say on average; ``shifts`` are added to the number of the sentence that each is asked for."""

    def __init__(self, tables: list[Table], shifts: list[int]) -> None:
        super().__init__(seed=0)
        object.__setattr__(self, "tables", list(zip(tables, shifts, strict=True)))

    def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
        rows = [table.log_probs(sentence + shift, prefix) for table, shift in self.tables]
        means = [sum(map(math.exp, column)) / len(rows) for column in zip(*rows, strict=True)]
        return tuple(math.log(mean) if mean else -math.inf for mean in means)

    def weights(self, sentence: int, prefix: Prefix, source_length: int) -> list[float]:
        rows = [table.weights(sentence, prefix, source_length) for table, shift in self.tables if not shift]
        return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def assert_alike(found: list[list[Hypothesis]], wanted: list[list[Hypothesis]], tolerance: float) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert [hypothesis.tokens for hypothesis in ours] == [hypothesis.tokens for hypothesis in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=tolerance)
            assert one.log_prob == pytest.approx(other.log_prob, abs=tolerance)
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=tolerance)
            torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shift", [0, 7])
@pytest.mark.parametrize("kind", ["random", "early", "gaps"])
def test_it_is_the_mean_of_the_members_probabilities(kind, shift):
    """The second of three may read sources that were encoded in another way: then its weights are not shown."""
    tables, shifts = [Table(seed, **TABLES[kind]) for seed in (1, 2, 3)], [0, shift, 0]
    sources = [batch([sentence + added for sentence in SENTENCES], LENGTHS) for added in shifts]
    find = search(4, 0.6, n_best=4, extra=5)
    found = find(Ensemble([TableModel(table) for table in tables]), sources, BATCH[1])
    assert_alike(found, find(TableModel(MeanTable(tables, shifts)), *BATCH), 1e-12)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_model_with_itself_is_the_model(kind, count):
    """Exactly, so that ties stay ties."""
    model = TableModel(Table(4, **TABLES[kind]))
    find = search(3, 1.0, n_best=3, extra=5)
    found, alone = find(Ensemble([model] * count), [BATCH] * count, BATCH[1]), find(model, *BATCH)
    assert_alike(found, alone, 1e-12)
    assert [one.log_prob for ours in found for one in ours] == [one.log_prob for ours in alone for one in ours]


REAL = {
    "bahdanau": lambda seed: small_model(papers_wiring("bahdanau"), seed=seed, dtype=torch.float32),
    "luong-general": lambda seed: small_model(papers_wiring("luong-general"), seed=seed, dtype=torch.float32),
    "transformer": lambda seed: small_transformer(seed=seed, dtype=torch.float32),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_with_itself_is_the_model(name):
    model, given = REAL[name](1), sentences()
    pair = (given.source, given.source_lengths)
    for find in (GreedySearch(**SPECIALS), BeamSearch(**SPECIALS, beam_size=5, n_best=5)):
        assert_alike(find(Ensemble([model, model]), [pair, pair], pair[1]), find(model, *pair), 1e-6)


def test_lstms_and_transformers_vote_together():
    """Whatever beam search found, its probabilities are the mean of what teacher forcing says of it."""
    given = sentences()
    pair = (given.source, given.source_lengths)
    members = [model(seed) for seed, model in enumerate(REAL.values(), start=1)]
    found = BeamSearch(**SPECIALS, beam_size=4, n_best=4)(Ensemble(members), [pair] * len(members), pair[1])
    for row, hypotheses in enumerate(found):
        length = int(pair[1][row])
        for hypothesis in hypotheses:
            written = [*hypothesis.tokens, *[building.EOS] * hypothesis.finished]
            target_in = torch.tensor([[building.BOS, *written[:-1]]])
            with torch.inference_mode():
                forced = [
                    model(given.source[row : row + 1, :length], pair[1][row : row + 1], target_in) for model in members
                ]
                rows = [model.log_probs(out.features)[0].tolist() for model, out in zip(members, forced, strict=True)]
            wanted = [
                math.log(sum(math.exp(log_probs[i][token]) for log_probs in rows) / len(members))
                for i, token in enumerate(written)
            ]
            assert hypothesis.token_log_probs == pytest.approx(wanted, abs=1e-5)
            mean = sum(out.weights[0] for out in forced) / len(members)
            torch.testing.assert_close(hypothesis.weights, mean, rtol=0, atol=1e-5)


def test_a_sentence_is_the_same_alone_and_in_any_batch():
    members = [TableModel(Table(seed)) for seed in (1, 2)]
    find = search(3, 0.6, n_best=3, extra=5)
    together = find(Ensemble(members), [BATCH] * 2, BATCH[1])
    for order in ([4, 3, 2, 1, 0], [2, 0], [1]):
        chosen = batch([SENTENCES[i] for i in order], [LENGTHS[i] for i in order])
        assert_alike(find(Ensemble(members), [chosen] * 2, chosen[1]), [together[i] for i in order], 0.0)


def test_a_member_without_attention_does_not_dim_the_weights():
    class Blind(Table):
        def weights(self, sentence: int, prefix: Prefix, source_length: int) -> list[float]:
            return [0.0] * source_length

    find = search(2, 1.0, extra=3)
    (found,) = find(Ensemble([TableModel(Blind(1)), TableModel(Table(2))]), [batch([3], [4])] * 2, torch.tensor([4]))
    tokens = found[0].tokens
    rows = [Table(2).weights(3, tokens[:i], 4) for i in range(len(found[0].weights))]
    torch.testing.assert_close(found[0].weights, torch.tensor(rows, dtype=torch.float64), rtol=0, atol=1e-12)
    (found,) = find(Ensemble([TableModel(Blind(1))] * 2), [batch([3], [4])] * 2, torch.tensor([4]))
    assert not found[0].weights.any()


def test_sources_are_compared_without_their_padding():
    source, lengths = BATCH
    garbage = source.clone()
    garbage[torch.arange(source.shape[1]) >= lengths.unsqueeze(1)] = 77
    members = [TableModel(Table(1)), TableModel(Table(2))]
    find = search(2, 1.0, extra=3)
    wanted = find(Ensemble(members), [BATCH, BATCH], lengths)
    assert_alike(find(Ensemble(members), [BATCH, (garbage, lengths)], lengths), wanted, 0.0)


def test_an_ensemble_can_be_a_member():
    tables = [Table(seed) for seed in (1, 2)]
    inner = Ensemble([TableModel(table) for table in tables])
    find = search(3, 0.6, extra=5)
    found = find(Ensemble([inner, inner]), [([BATCH, BATCH], BATCH[1])] * 2, BATCH[1])
    assert_alike(found, find(inner, [BATCH, BATCH], BATCH[1]), 1e-12)


def test_what_one_member_forbids_the_others_may_want():
    """The mean of logarithms would be minus infinity."""
    one, other = Script({(): {1: -0.1, 2: -3.0}}), Script({(): {3: -0.2, 2: -3.0}, (1,): {2: -0.5}})
    (found,) = search(3, 0.0)(Ensemble([TableModel(one), TableModel(other)]), [batch([1], [3])] * 2, torch.tensor([3]))
    assert found[0].tokens == (1,)
    assert found[0].log_prob == pytest.approx(-0.1 - 0.5 + 2 * math.log(0.5), abs=1e-12)


def test_what_is_no_ensemble_is_refused():
    with pytest.raises(ConfigError, match="an ensemble has no members"):
        Ensemble([])
    with pytest.raises(ConfigError, match="ensemble of 2 models got 1 sources"):
        search(1, 1.0)(Ensemble([TableModel(Table(1))] * 2), [BATCH], BATCH[1])
    given = sentences()
    pair = (given.source, given.source_lengths)
    models = [small_transformer(), small_transformer(vocabulary=(building.SOURCE_VOCABULARY, 23))]
    with pytest.raises(ConfigError, match="need one target vocabulary, but theirs have 19, 23 tokens"):
        GreedySearch(**SPECIALS)(Ensemble(models), [pair, pair], pair[1])
