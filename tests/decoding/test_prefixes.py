"""Given beginnings of translations: always there, and what follows is what a model says after them."""

from __future__ import annotations

import pytest
import torch
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, Path, Table, TableModel, batch, exhaustive

from seq2seq_attn.decoding import BeamSearch, Demands, GreedySearch, LengthLimit, Search
from seq2seq_attn.decoding.sampling import SamplingSearch
from seq2seq_attn.errors import ConfigError

PREFIXES = [(3,), (), (1, 3), (3, 3, 1), (1,)]
LIMIT = LengthLimit(ratio=1.0, extra=3)


def searches() -> dict[str, Search]:
    common = {"bos": BOS, "eos": EOS, "forbidden": (PAD,), "limit": LIMIT}
    return {
        "greedy": GreedySearch(**common),
        "beam": BeamSearch(beam_size=3, n_best=3, **common),
        "groups": BeamSearch(beam_size=4, n_best=4, groups=2, diversity=0.5, **common),
        "sampling": SamplingSearch(samples=3, **common),
    }


@pytest.mark.parametrize("name", searches())
@pytest.mark.parametrize("kind", ["random", "early", "ties", "equal"])
def test_translations_begin_with_their_prefix(kind, name):
    for seed in range(3):
        found = searches()[name](TableModel(Table(seed, **TABLES[kind])), *batch(SENTENCES, LENGTHS), Demands(PREFIXES))
        for prefix, hypotheses in zip(PREFIXES, found, strict=True):
            assert all(one.tokens[: len(prefix)] == prefix for one in hypotheses)


@pytest.mark.parametrize("n_best", [1, 5])
@pytest.mark.parametrize("kind", ["random", "early", "ties"])
def test_a_beam_wide_enough_finds_the_best_with_the_prefix(kind, n_best):
    for seed in range(3):
        table = Table(seed, **TABLES[kind])
        search = BeamSearch(bos=BOS, eos=EOS, beam_size=64, n_best=n_best, limit=LIMIT, forbidden=(PAD,))
        found = search(TableModel(table), *batch(SENTENCES, [2, 1, 2, 2, 2]), Demands(PREFIXES))
        for sentence, length, prefix, hypotheses in zip(SENTENCES, [2, 1, 2, 2, 2], PREFIXES, found, strict=True):
            every = exhaustive(table, sentence, length + 3, 1.0, 10**6)
            wanted: list[Path] = [path for path in every if path.tokens[: len(prefix)] == prefix]
            assert [one.tokens for one in hypotheses] == [
                path.tokens[:-1] if path.finished else path.tokens for path in wanted[:n_best]
            ]
            assert [one.token_log_probs for one in hypotheses] == [path.log_probs for path in wanted[:n_best]]


@pytest.mark.parametrize("name", ["greedy", "beam", "groups"])
def test_a_prefix_of_one_sentence_leaves_the_others_alone(name):
    table = Table(3)
    search = searches()[name]
    with_prefix = search(TableModel(table), *batch(SENTENCES, LENGTHS), Demands([(3, 1), (), (), (), ()]))
    without = search(TableModel(table), *batch(SENTENCES, LENGTHS))
    for one, other in zip(with_prefix[1:], without[1:], strict=True):
        assert [hypothesis.tokens for hypothesis in one] == [hypothesis.tokens for hypothesis in other]


def test_a_prefix_may_have_what_search_may_not_choose():
    """An unknown word in what a user has typed already is no reason to refuse."""
    for search in searches().values():
        ((first, *_),) = search(TableModel(Table(1)), *batch([1], [3]), Demands([(PAD, 3)]))
        assert first.tokens[:2] == (PAD, 3)
        assert PAD not in first.tokens[2:]


@pytest.mark.parametrize("name", searches())
@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ((1,) * 6, "prefix of sentence 17 has 6 tokens, 7 with the end .* but its translation may have 6 at most"),
        ((1, EOS), "prefix of sentence 17 has token 2, but only the tokens of words can be asked for"),
        ((-1,), "prefix of sentence 17 has token -1"),
    ],
)
def test_prefixes_that_cannot_be_are_refused(name, prefix, message):
    demands = Demands(prefixes=[(), prefix], numbers=[4, 17])
    with pytest.raises(ConfigError, match=message):
        searches()[name](TableModel(Table(1)), *batch([1, 2], [3, 3]), demands)
    fits = Demands(prefixes=[(), (1,) * 5])
    assert searches()[name](TableModel(Table(1)), *batch([1, 2], [3, 3]), fits)[1][0].tokens[:5] == (1,) * 5


def test_there_is_one_prefix_for_each_sentence():
    with pytest.raises(ValueError, match="there are 1 prefixes for 2 sentences"):
        searches()["beam"](TableModel(Table(1)), *batch([1, 2], [3, 3]), Demands(prefixes=[(1,)]))


def test_empty_demands_demand_nothing():
    for name, search in searches().items():
        plain = search(TableModel(Table(1)), *batch(SENTENCES, LENGTHS))
        for demands in (Demands(), Demands([()] * 5, [()] * 5)):
            found = search(TableModel(Table(1)), *batch(SENTENCES, LENGTHS), demands)
            assert [[one.tokens for one in some] for some in found] == [
                [one.tokens for one in some] for some in plain
            ], name
            assert torch.equal(found[0][0].weights, plain[0][0].weights)
