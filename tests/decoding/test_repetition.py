"""Rules against repetition, against loops over lists."""

from __future__ import annotations

import math
import random

import pytest
import torch
from lookup_table import BOS, EOS, PAD, TableModel, batch
from wide_table import SPECIAL, WideTable

from seq2seq_attn.decoding import (
    BeamSearch,
    Demands,
    GreedySearch,
    LengthLimit,
    NoRepeatNGram,
    Past,
    RepetitionPenalty,
    Rule,
)
from seq2seq_attn.errors import ConfigError

SIZE = 11
LIMIT = LengthLimit(ratio=1.0, extra=9)


def blocked(past: list[int], size: int) -> set[int]:
    """Tokens that would make the last ``size`` tokens a repetition."""
    grams = {tuple(past[i : i + size]) for i in range(len(past) - size + 1)}
    return {token for token in range(SIZE) if tuple([*past, token][-size:]) in grams and len(past) >= size - 1}


def penalized(row: list[float], past: list[int], factor: float) -> list[float]:
    return [value * factor if token in past else value for token, value in enumerate(row)]


def histories(length: int) -> torch.Tensor:
    return torch.randint(3, 7, (13, length), generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 17])
def test_what_would_repeat_an_n_gram_is_impossible(size, length):
    past = histories(length)
    log_probs = torch.randn(13, SIZE, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    kept = log_probs.clone()
    found = NoRepeatNGram(size)(log_probs, Past(past, torch.arange(13)))
    assert torch.equal(log_probs, kept)
    for row in range(13):
        banned = blocked(past[row].tolist(), size)
        wanted = [-math.inf if token in banned else value for token, value in enumerate(log_probs[row].tolist())]
        assert found[row].tolist() == wanted


@pytest.mark.parametrize("factor", [1.0, 1.2, 3.0])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_what_was_written_is_less_likely(factor, length):
    past = histories(length)
    log_probs = torch.randn(13, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64).log_softmax(-1)
    log_probs[:, 5] = -math.inf
    kept = log_probs.clone()
    found = RepetitionPenalty(factor)(log_probs, Past(past, torch.arange(13)))
    assert torch.equal(log_probs, kept)
    assert (found <= 0).all()
    for row in range(13):
        assert found[row].tolist() == pytest.approx(penalized(log_probs[row].tolist(), past[row].tolist(), factor))


RULES: dict[str, list[Rule]] = {
    "none": [],
    "bigrams": [NoRepeatNGram(2)],
    "unigrams": [NoRepeatNGram(1)],
    "penalty": [RepetitionPenalty(1.5)],
    "both": [RepetitionPenalty(1.3), NoRepeatNGram(2)],
}


def ranked(kind: str, row: list[float], past: list[int]) -> list[float]:
    factor = {"penalty": 1.5, "both": 1.3}.get(kind, 1.0)
    size = {"bigrams": 2, "both": 2, "unigrams": 1}.get(kind)
    banned = set(SPECIAL) - {EOS} | (blocked(past, size) if size else set())
    row = penalized(row, past, factor)
    return [-math.inf if token in banned else value for token, value in enumerate(row)]


@pytest.mark.parametrize("kind", RULES)
def test_greedy_search_keeps_the_rules(kind):
    """A table that says the same few words again and again; against a loop in plain Python."""
    table = WideTable(5, SIZE, favorites=(5, 6), boost=6.0)
    search = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=LIMIT, rules=RULES[kind])
    lengths = [3, 1, 6, 2]
    for sentence, length, (found,) in zip(
        range(1, 5), lengths, search(TableModel(table), *batch([1, 2, 3, 4], lengths)), strict=True
    ):
        past: list[int] = []
        log_probs = []
        while len(past) < length + 9:
            row = table.log_probs(sentence, tuple(past))
            ranks = ranked(kind, list(row), past)
            best = max(range(SIZE), key=lambda token: ranks[token])
            if ranks[best] == -math.inf:
                break
            log_probs.append(row[best])
            past.append(best)
            if best == EOS:
                break
        assert (*found.tokens, EOS)[: len(past)] == tuple(past)
        assert found.token_log_probs == tuple(log_probs)  # the model's own


@pytest.mark.parametrize("kind", RULES)
def test_beam_search_keeps_the_rules(kind):
    """Against beam search without rules over a table in which they are written; and a beam of one is greedy."""
    table = WideTable(7, SIZE, favorites=(5, 6), boost=6.0)

    class Ruled(WideTable):
        def log_probs(self, sentence, prefix):
            return tuple(ranked(kind, list(table.log_probs(sentence, prefix)), list(prefix)))

    common = {"bos": BOS, "eos": EOS, "limit": LIMIT, "forbidden": (PAD,)}
    given = batch([1, 2, 3, 4], [3, 1, 6, 2])
    for beam in (1, 2, 5):
        search = BeamSearch(beam_size=beam, n_best=beam, rules=RULES[kind], **common)
        plain = BeamSearch(beam_size=beam, n_best=beam, **common)
        found, wanted = search(TableModel(table), *given), plain(TableModel(Ruled(7, SIZE)), *given)
        for sentence, (hypotheses, others) in enumerate(zip(found, wanted, strict=True), start=1):
            assert [one.tokens for one in hypotheses] == [other.tokens for other in others]
            assert [one.score for one in hypotheses] == pytest.approx([other.score for other in others])
            for one in hypotheses:
                said = (*one.tokens, EOS)[: len(one.token_log_probs)]
                own = [table.log_probs(sentence, said[:t])[token] for t, token in enumerate(said)]
                assert one.token_log_probs == tuple(own)
        if beam == 1:
            greedy = GreedySearch(rules=RULES[kind], **common)(TableModel(table), *given)
            assert [one.tokens for (one,) in found] == [one.tokens for (one,) in greedy]
            assert [one.log_prob for (one,) in found] == [one.log_prob for (one,) in greedy]


@pytest.mark.parametrize("seed", range(5))
def test_no_n_gram_comes_twice_except_where_a_prefix_has_it(seed):
    rng = random.Random(seed)
    table = WideTable(seed, SIZE, favorites=(5, 6), boost=5.0)
    prefixes = [[5, 5, 5], [], [6], [rng.randint(5, 10) for _ in range(4)]]
    for search in (
        GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD,), limit=LIMIT, rules=[NoRepeatNGram(2)]),
        BeamSearch(bos=BOS, eos=EOS, beam_size=4, n_best=4, forbidden=(PAD,), limit=LIMIT, rules=[NoRepeatNGram(2)]),
    ):
        found = search(TableModel(table), *batch([1, 2, 3, 4], [4, 4, 4, 4]), Demands(prefixes=prefixes))
        for prefix, hypotheses in zip(prefixes, found, strict=True):
            for one in hypotheses:
                assert list(one.tokens[: len(prefix)]) == prefix
                for end in range(max(len(prefix), 1), len(one.tokens)):
                    assert one.tokens[end] not in blocked(list(one.tokens[:end]), 2)


def test_rules_are_rules():
    assert isinstance(NoRepeatNGram(2), Rule)
    assert isinstance(RepetitionPenalty(2.0), Rule)


@pytest.mark.parametrize("size", [0, -1])
def test_an_n_gram_has_tokens(size):
    with pytest.raises(ConfigError, match=f"no_repeat_ngram is {size}, but an n-gram has at least 1 token"):
        NoRepeatNGram(size)


@pytest.mark.parametrize("factor", [0.9, math.nan, math.inf])
def test_a_penalty_is_none_below_one(factor):
    with pytest.raises(ConfigError, match=f"repetition_penalty is {factor}, but it must be a finite number of at le"):
        RepetitionPenalty(factor)
