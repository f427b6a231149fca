"""Sampling against the probabilities of every translation there is, worked out without tensors."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import NamedTuple

import building
import pytest
import torch
from building import papers_wiring, sentences, small_model
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, Prefix, Table, TableModel, batch
from torch import Tensor
from transformer_building import small_transformer

from seq2seq_attn.decoding import (
    Demands,
    Ensemble,
    ForcedSearch,
    GreedySearch,
    Hypothesis,
    LengthLimit,
    Past,
    SamplingSearch,
)
from seq2seq_attn.errors import ConfigError, Seq2SeqError

ROOM = LengthLimit(ratio=1.0, extra=3)
CHOICES = (1, EOS, 3)


def sampling(samples: int = 1, **settings) -> SamplingSearch:
    settings.setdefault("limit", ROOM)
    return SamplingSearch(bos=BOS, eos=EOS, forbidden=(PAD,), samples=samples, **settings)


def drawn(table: Table, search: SamplingSearch, sentence: int = 3, length: int = 1) -> list[Hypothesis]:
    return search(TableModel(table), *batch([sentence], [length]))[0]


def written(hypothesis: Hypothesis) -> Prefix:
    """The tokens with the end of the sentence, which tells what has ended from what was cut off."""
    return hypothesis.tokens + (EOS,) * hypothesis.finished


class Cut(NamedTuple):
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def next_tokens(table: Table, sentence: int, prefix: Prefix, cut: Cut) -> dict[int, float]:
    """Probabilities of what may come next, as the papers define them."""
    row = table.log_probs(sentence, prefix)
    masses = {token: math.exp(row[token]) ** (1 / cut.temperature) for token in CHOICES if row[token] > -math.inf}
    best = sorted(masses, key=lambda token: (-masses[token], token))
    best = best[: cut.top_k or None]
    total = sum(masses[token] for token in best)
    nucleus, mass = [], 0.0
    for token in best:
        if mass >= cut.top_p:
            break
        nucleus.append(token)
        mass += masses[token] / total
    total = sum(masses[token] for token in nucleus)
    return {token: masses[token] / total for token in nucleus}


def outcomes(table: Table, sentence: int, limit: int, cut: Cut, prefix: Prefix = ()) -> dict[Prefix, float]:
    """The probability of every translation, cut off at the limit."""
    found: dict[Prefix, float] = {}
    live = {prefix: 1.0}
    while live:
        longer: dict[Prefix, float] = {}
        for tokens, chance in live.items():
            for token, share in next_tokens(table, sentence, tokens, cut).items():
                new = (*tokens, token)
                into = found if token == EOS or len(new) == limit else longer
                into[new] = chance * share
        live = longer
    return found


def chi_square(found: Counter[Prefix], wanted: dict[Prefix, float]) -> tuple[float, float]:
    """The statistic and the most it may be: five standard deviations above its mean. Rare ones are taken together."""
    assert set(found) <= set(wanted)
    count = sum(found.values())
    rare = [outcome for outcome, chance in wanted.items() if chance * count < 10]
    groups = [[outcome] for outcome in wanted if outcome not in rare] + ([rare] if rare else [])
    statistic = 0.0
    for group in groups:
        expected = count * sum(wanted[outcome] for outcome in group)
        statistic += (sum(found[outcome] for outcome in group) - expected) ** 2 / expected
    freedom = len(groups) - 1
    return statistic, freedom + 5 * math.sqrt(2 * freedom)


CUTS = [
    Cut(),
    Cut(temperature=0.5),
    Cut(temperature=2.5),
    Cut(top_k=1),
    Cut(top_k=2),
    Cut(top_p=0.6),
    Cut(top_p=1e-9),
    Cut(temperature=1.7, top_k=2, top_p=0.8),
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize("kind", ["random", "early"])
def test_translations_come_as_often_as_they_are_probable(kind, cut):
    """And nothing comes that the cuts leave out: it would have no probability in the loop above."""
    table = Table(2, **TABLES[kind])
    found = drawn(table, sampling(3000, **cut._asdict()), sentence=11, length=1)
    assert len(found) == 3000
    statistic, most = chi_square(Counter(map(written, found)), outcomes(table, 11, 4, cut))
    assert statistic <= most


def test_samples_of_one_sentence_and_of_others_do_not_depend_on_each_other():
    """Pairs of samples have the product of the probabilities; one generator for all would pass without pairs."""

    class Same(Table):
        def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
            return super().log_probs(0, prefix)

    table = Same(2)
    alone = outcomes(table, 0, 2, Cut())
    pairs = {(*one, -1, *other): alone[one] * alone[other] for one, other in itertools.product(alone, alone)}
    limit = LengthLimit(ratio=0.0, extra=2)
    # Sentences 0, 1, 2 ... say the same: sample 1 of each with sample 1 of the next.
    numbers = list(range(2500))
    found = sampling(limit=limit)(TableModel(table), *batch(numbers, [1] * len(numbers)))
    firsts = [written(hypotheses[0]) for hypotheses in found]
    seen = Counter((*one, -1, *other) for one, other in itertools.pairwise(firsts))
    statistic, most = chi_square(seen, pairs)
    assert statistic <= most
    # Two samples of each sentence, which come sorted: the pair without its order.
    found = sampling(2, limit=limit)(TableModel(table), *batch(numbers, [1] * len(numbers)))
    seen = Counter(tuple(sorted(map(written, hypotheses))) for hypotheses in found)
    unordered: Counter[Prefix] = Counter()
    for one, other in itertools.product(alone, alone):
        unordered[tuple(sorted((one, other)))] += alone[one] * alone[other]
    statistic, most = chi_square(seen, unordered)
    assert statistic <= most


@pytest.mark.parametrize("temperature", [1e-9, 1e-300])
@pytest.mark.parametrize("kind", ["random", "early", "gaps"])
def test_near_temperature_zero_it_is_greedy(kind, temperature):
    greedy = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=ROOM)
    for seed in range(5):
        model = TableModel(Table(seed, **TABLES[kind]))
        wanted = greedy(model, *batch(SENTENCES, LENGTHS))
        for find in (sampling(3, temperature=temperature), sampling(3, top_k=1), sampling(3, top_p=1e-12)):
            for samples, (one,) in zip(find(model, *batch(SENTENCES, LENGTHS)), wanted, strict=True):
                for sample in samples:
                    assert (sample.tokens, sample.finished) == (one.tokens, one.finished)
                    assert sample.token_log_probs == one.token_log_probs
                    assert torch.equal(sample.weights, one.weights)


@pytest.mark.parametrize("kind", TABLES)
def test_log_probabilities_and_weights_are_the_models_own(kind):
    table = Table(5, **TABLES[kind])
    find = sampling(6, temperature=0.6, top_k=2, top_p=0.95)
    for place, hypotheses in enumerate(find(TableModel(table), *batch(SENTENCES, LENGTHS))):
        source = batch([SENTENCES[place]] * 6, [LENGTHS[place]] * 6)
        again = ForcedSearch(bos=BOS, eos=EOS, targets=[hypothesis.tokens for hypothesis in hypotheses])
        for one, (other,) in zip(hypotheses, again(TableModel(table), *source), strict=True):
            rows = len(one.tokens) + one.finished  # one that was cut off has no end of the sentence
            assert one.token_log_probs == other.token_log_probs[:rows]
            assert torch.equal(one.weights, other.weights[:rows])
            assert one.score == one.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-12)


@pytest.mark.parametrize("kind", TABLES)
def test_all_samples_are_kept_the_finished_and_probable_ones_first(kind):
    for hypotheses in sampling(20)(TableModel(Table(1, **TABLES[kind])), *batch(SENTENCES, LENGTHS)):
        assert len(hypotheses) == 20
        assert hypotheses == sorted(hypotheses, key=lambda found: (not found.finished, -found.log_prob))


def same(one: list[Hypothesis], other: list[Hypothesis]) -> bool:
    return [(h.tokens, h.log_prob) for h in one] == [(h.tokens, h.log_prob) for h in other]


@pytest.mark.parametrize("kind", TABLES)
def test_a_sentence_gets_the_same_samples_in_any_batch(kind):
    table = Table(13, **TABLES[kind])
    find = sampling(7)
    together = find(TableModel(table), *batch(SENTENCES, LENGTHS))
    for order in ([4, 3, 2, 1, 0], [2, 0], [1, 1], [0], [3]):
        source, lengths = batch([SENTENCES[i] for i in order], [LENGTHS[i] for i in order])
        padded = torch.cat([source, torch.full((len(order), 3), 9)], dim=1)  # garbage behind the ends
        for given in (source, padded):
            for i, hypotheses in zip(order, find(TableModel(table), given, lengths), strict=True):
                assert same(hypotheses, together[i])


REAL = {
    "lstm": lambda: small_model(papers_wiring("bahdanau"), dtype=torch.float32),
    "transformer": lambda: small_transformer(dtype=torch.float32),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_draws_the_same_in_any_batch(name):
    model, given = REAL[name](), sentences()
    find = SamplingSearch(bos=building.BOS, eos=building.EOS, samples=9, temperature=0.8, top_p=0.95)
    together = find(model, given.source, given.source_lengths)
    for order in ([3, 1, 2, 0], [2, 2, 0], [1], [0]):
        chosen = find(model, given.source[order], given.source_lengths[order])
        for i, hypotheses in zip(order, chosen, strict=True):
            wanted = together[i]
            assert sorted(found.tokens for found in hypotheses) == sorted(found.tokens for found in wanted)
            scores = [found.log_prob for found in hypotheses]
            assert scores == pytest.approx([found.log_prob for found in wanted], abs=1e-4)


def test_few_samples_are_the_first_of_many():
    table = Table(2)
    few, many = (Counter(map(written, drawn(table, sampling(count), sentence=11))) for count in (8, 50))
    assert few <= many
    assert 3 < len(few) < len(many)


def test_the_seed_says_which_samples():
    table = Table(1)
    one, other = drawn(table, sampling(30, seed=1)), drawn(table, sampling(30, seed=2))
    assert not same(one, other)
    assert same(one, drawn(table, sampling(30, seed=1)))


def test_a_sentence_that_comes_twice_gets_the_same_and_another_one_does_not():
    source, lengths = batch([3, 3, 3], [2, 2, 3])  # the table reads the first token only; the third is longer
    first, again, longer = sampling(20, limit=LengthLimit(ratio=0.0, extra=4))(TableModel(Table(1)), source, lengths)
    assert same(first, again)
    assert not same(first, longer)


def test_an_ensemble_of_a_model_with_itself_draws_what_the_model_draws():
    model, (source, lengths) = TableModel(Table(3)), batch(SENTENCES, LENGTHS)
    wanted = sampling(9)(model, source, lengths)
    found = sampling(9)(Ensemble([model, model]), [(source, lengths), (source, lengths)], lengths)
    assert all(same(one, other) for one, other in zip(found, wanted, strict=True))


def test_a_source_that_is_no_tensor_can_be_sampled_from():
    class Numbered(TableModel):
        def start(self, source: list[str], source_lengths: Tensor):
            return super().start(*batch([int(text) for text in source], source_lengths.tolist()))

    found = sampling(5)(Numbered(Table(3)), ["11", "5"], torch.tensor([2, 4]))
    assert [len(hypotheses) for hypotheses in found] == [5, 5]
    assert all(map(same, found, sampling(5)(Numbered(Table(3)), ["11", "5"], torch.tensor([2, 4]))))


def test_prefixes_are_written_and_the_rest_is_drawn_as_often_as_it_is_probable():
    table, prefix = Table(2), (3, 1)
    source = batch([11, 5], [2, 2])
    asked = Demands(prefixes=[prefix, ()])
    given, free = sampling(2500)(TableModel(table), *source, asked)
    assert all(hypothesis.tokens[:2] == prefix for hypothesis in given)
    statistic, most = chi_square(Counter(map(written, given)), outcomes(table, 11, 5, Cut(), prefix))
    assert statistic <= most
    statistic, most = chi_square(Counter(map(written, free)), outcomes(table, 5, 5, Cut()))
    assert statistic <= most
    for hypothesis in given[:20]:
        wanted = [table.log_probs(11, hypothesis.tokens[:i])[token] for i, token in enumerate(written(hypothesis))]
        assert hypothesis.token_log_probs == tuple(wanted)


def test_limits_of_length_hold():
    limit = LengthLimit(ratio=1.0, extra=1, shortest=2)
    found = sampling(200, limit=limit)(TableModel(Table(1, eager=1.0)), *batch([1, 2], [2, 5]))
    for hypotheses, length in zip(found, (2, 5), strict=True):
        lengths = {len(hypothesis.tokens) for hypothesis in hypotheses}
        assert min(lengths) == 2
        assert max(len(written(hypothesis)) for hypothesis in hypotheses) == length + 1


def test_rules_hold_and_see_what_each_row_has_written():
    """A token may come once; each sentence forbids its own first one, too."""
    seen: list[tuple[Prefix, int]] = []

    class Once:
        def __call__(self, log_probs: Tensor, past: Past) -> Tensor:
            ranks = log_probs.clone()
            for row, (tokens, sentence) in enumerate(zip(past.tokens.tolist(), past.sentences.tolist(), strict=True)):
                seen.append((tuple(tokens), sentence))
                for token in tokens:
                    ranks[row, token] = -math.inf
                if not tokens:
                    ranks[row, (1, 3)[sentence]] = -math.inf
            return ranks

    found = sampling(50, rules=[Once()])(TableModel(Table(1)), *batch([1, 2], [2, 2]))
    for sentence, hypotheses in enumerate(found):
        tokens = {hypothesis.tokens for hypothesis in hypotheses}
        assert tokens <= {(), ((3, 1)[sentence],), ((3, 1), (1, 3))[sentence]}
        assert len(tokens) > 1
    assert {tokens for tokens, _ in seen} >= {(), (1,), (3,)}


def test_samples_that_have_ended_leave_the_batch():
    model = TableModel(Table(1, eager=1.0))
    found = sampling(40, limit=LengthLimit(ratio=0.0, extra=50))(model, *batch(SENTENCES, LENGTHS))
    steps = [len(written(hypothesis)) for hypotheses in found for hypothesis in hypotheses]
    assert model.rows_per_step == [sum(count > step for count in steps) for step in range(max(steps))]


def test_a_dead_end_keeps_what_there_was():
    """Nothing may follow: the sample ends unfinished, and no impossible token is appended."""

    class Dead(Table):
        def log_probs(self, sentence: int, prefix: Prefix) -> tuple[float, ...]:
            return (-math.inf,) * 5 if len(prefix) == sentence else (-math.inf, -1.0, -math.inf, -3.0, -math.inf)

    for settings in ({}, {"top_k": 2}, {"top_p": 0.9}, {"temperature": 0.1}):
        found = sampling(4, **settings)(TableModel(Dead(1)), *batch([2, 0, 40], [3, 3, 3]))
        assert [{len(hypothesis.tokens) for hypothesis in hypotheses} for hypotheses in found] == [{2}, {0}, {6}]
        assert not any(hypothesis.finished for hypotheses in found for hypothesis in hypotheses)
        assert {hypothesis.log_prob for hypothesis in found[1]} == {0.0}


def test_no_sentences_give_no_hypotheses():
    assert sampling(3)(TableModel(Table(1)), torch.zeros(0, 3, dtype=torch.long), torch.zeros(0).long()) == []


def test_numbers_that_are_none_are_an_error_and_not_a_translation():
    with pytest.raises(Seq2SeqError, match="NaN"):
        drawn(Table(1, values=(math.nan,)), sampling())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "samples is 0, but at least 1 translation must be drawn"),
        ({"temperature": 0.0}, "temperature is 0.0, but it must be a finite number above 0; .* use a beam of 1"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"top_k": -1}, "top_k is -1, but it must be at least 1, or 0 for all tokens"),
        ({"top_p": 0.0}, "top_p is 0.0, but it must be above 0 and at most 1"),
        ({"top_p": 1.01}, "top_p is 1.01"),
        ({"top_p": math.nan}, "top_p is nan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        sampling(**settings)


def test_demands_that_sampling_cannot_meet_are_refused():
    with pytest.raises(ConfigError, match="sampling cannot promise that a phrase will appear; use beam search"):
        sampling()(TableModel(Table(1)), *batch([1, 2], [1, 1]), Demands(required=[[], [(1,)]]))
    with pytest.raises(ConfigError, match=r"prefix of sentence 2 has 4 tokens.*may have 4 at most"):
        sampling()(TableModel(Table(1)), *batch([1, 2], [1, 1]), Demands(prefixes=[(), (1, 1, 3, 1)]))
