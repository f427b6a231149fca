"""Every search over numpy's arrays finds what it finds over torch's, ties included, and does it without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, VOCAB, Table, TableModel, batch
from wide_table import WideTable

from seq2seq_attn.decoding import (
    BeamSearch,
    Demands,
    Ensemble,
    ForbiddenPhrases,
    ForcedSearch,
    GreedySearch,
    Hypothesis,
    LengthLimit,
    NoRepeatNGram,
    RepetitionPenalty,
    SamplingSearch,
    Scoring,
    Search,
)
from seq2seq_attn.decoding.choices import best_choices
from seq2seq_attn.errors import ConfigError, Seq2SeqError

SPECIAL = {"bos": BOS, "eos": EOS, "forbidden": (PAD,)}
LIMIT = LengthLimit(ratio=1.0, extra=3)
SURFACES = ["", " a", "", " b", ""]
WIDE = 150  # tokens: more than a chunk
GNMT = Scoring(normalization="gnmt", length_penalty=0.6, coverage_penalty=0.3)
RULES = [NoRepeatNGram(2), RepetitionPenalty(1.3), ForbiddenPhrases(["b a"], SURFACES, EOS)]
PREFIXES = Demands(prefixes=[(1,), (), (3,), (1, 1), ()])
REQUIRED = Demands(required=[[(1, 3)], [], [(1,)], [(1, 3), (1,)], []], prefixes=[(), (3,), (), (), ()])
STARTS = [True, True, True, False, True]
SEARCHES = {
    "greedy": (GreedySearch(limit=LIMIT, **SPECIAL), None),
    "greedy, begun": (GreedySearch(limit=LIMIT, **SPECIAL), PREFIXES),
    "beam": (BeamSearch(beam_size=4, n_best=4, limit=LIMIT, **SPECIAL), None),
    "long, scored": (
        BeamSearch(beam_size=3, n_best=2, scoring=GNMT, limit=LengthLimit(extra=4, shortest=2), **SPECIAL),
        None,
    ),
    "groups": (BeamSearch(beam_size=6, n_best=5, groups=3, diversity=0.4, limit=LIMIT, **SPECIAL), None),
    "rules": (BeamSearch(beam_size=4, n_best=3, limit=LIMIT, rules=RULES, **SPECIAL), PREFIXES),
    "required": (BeamSearch(beam_size=4, n_best=3, limit=LIMIT, word_starts=torch.tensor(STARTS), **SPECIAL), REQUIRED),
    "samples": (SamplingSearch(bos=BOS, eos=EOS, forbidden=(PAD,), samples=5, limit=LIMIT, rules=RULES), None),
    "few tokens": (SamplingSearch(bos=BOS, eos=EOS, samples=4, limit=LIMIT, top_k=2, temperature=0.7), PREFIXES),
    "nucleus": (SamplingSearch(bos=BOS, eos=EOS, samples=4, limit=LIMIT, top_p=0.6), None),
    "forced": (ForcedSearch(bos=BOS, eos=EOS, targets=[(1,), (), (3, 3, 1), (1, 3), (3,)]), None),
}


def both_kinds(search: Search, model: object, demands: Demands | None, *, members: int = 0) -> list[Hypothesis]:
    """Search twice; hand back what is found over numpy's arrays, once it has been compared."""
    source, lengths = batch(SENTENCES, LENGTHS)
    found = []
    for pair in ((source, lengths), (source.numpy(), lengths.numpy())):
        found.append(search(model, [pair] * members if members else pair[0], pair[1], demands))
    for one, other in zip(*found, strict=True):
        assert [hypothesis.tokens for hypothesis in one] == [hypothesis.tokens for hypothesis in other]
        for wanted, got in zip(one, other, strict=True):
            assert isinstance(wanted.weights, torch.Tensor)
            assert isinstance(got.weights, np.ndarray)
            np.testing.assert_allclose(wanted.weights.numpy(), got.weights, rtol=0, atol=1e-15)
            assert wanted.finished == got.finished
            assert got.token_log_probs == pytest.approx(wanted.token_log_probs, abs=1e-12)
            assert got.score == pytest.approx(wanted.score, abs=1e-12)
    return [hypothesis for several in found[1] for hypothesis in several]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", SEARCHES)
def test_both_kinds_find_the_same(name, table):
    search, demands = SEARCHES[name]
    for seed in range(3):
        assert both_kinds(search, TableModel(Table(seed, **TABLES[table])), demands)


@pytest.mark.parametrize("name", ["greedy", "beam", "samples"])
def test_both_kinds_find_the_same_among_many_tokens_and_with_several_models(name):
    search, _ = SEARCHES[name]
    if name == "samples":
        search = SamplingSearch(bos=BOS, eos=EOS, samples=3, limit=LIMIT, top_p=0.9)
    models = [TableModel(WideTable(seed, WIDE)) for seed in range(2)]
    assert both_kinds(search, models[0], None)
    assert both_kinds(search, Ensemble(models), None, members=2)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("vocab", [5, 64, 128, 200, 1000])
def test_the_best_of_a_row_are_the_same_with_ties(vocab, count):
    """Coarse numbers, of which many are equal, and fine ones; some tokens are excluded."""
    random = np.random.default_rng(vocab + count)
    for coarse in (True, False):
        ranks = random.normal(size=(9, vocab)).astype(np.float32) * 2
        ranks = ranks.round() if coarse else ranks
        ranks[3, ::2] = -np.inf
        for excluded in (np.array([[2]]), random.integers(-1, vocab, size=(9, 3))):
            values, tokens = best_choices(ranks, count, excluded)
            wanted = best_choices(torch.from_numpy(ranks), count, torch.from_numpy(excluded))
            np.testing.assert_array_equal(values, wanted[0].numpy())
            possible = values > -np.inf
            np.testing.assert_array_equal(tokens[possible], wanted[1].numpy()[possible])


def test_not_a_number_is_noticed_in_numpy_too():
    for count in (1, 5):
        ranks = np.zeros((3, 4271), np.float32)
        ranks[1, 64] = np.nan
        with pytest.raises(Seq2SeqError, match="NaN"):
            best_choices(ranks, count)


def test_a_target_with_a_token_that_is_none_is_refused():
    source, lengths = (part.numpy() for part in batch(SENTENCES, LENGTHS))
    targets = [(1,), (3,), (3, VOCAB), (1,), (1,)]
    with pytest.raises(ConfigError, match=f"target of sentence 3 has token {VOCAB}"):
        ForcedSearch(bos=BOS, eos=EOS, targets=targets)(TableModel(Table(1)), source, lengths)


WITHOUT_TORCH = """
import sys
import numpy as np
from seq2seq_attn.decoding import *

class State:
    def select(self, rows):
        return self

class Model:
    def start(self, source, lengths):
        return State()

    def step(self, tokens, state):
        logits = np.sin(tokens[:, None] * 7.0 + np.arange(200) * 1.3)
        return logits - 6.0, np.full((len(tokens), 3), 1 / 3), state

source, lengths = np.array([[5, 6, 2], [7, 2, 0]]), np.array([3, 2])
limit = LengthLimit(ratio=1, extra=2)
rules = [NoRepeatNGram(1), RepetitionPenalty(1.1), ForbiddenPhrases(["x y"], [" x", " y"] * 100, 2)]
beam = BeamSearch(bos=1, eos=2, beam_size=3, n_best=2, limit=limit, rules=rules, watch=lambda step: None)
for search in (
    GreedySearch(bos=1, eos=2, limit=limit), beam, SamplingSearch(bos=1, eos=2, top_p=0.9),
    ForcedSearch(bos=1, eos=2, targets=[(3,), ()]),
):
    assert len(search(Model(), source, lengths)) == 2
assert len(beam(Model(), source, lengths, Demands(required=[[(9,)], []]))) == 2
pairs = [(source, lengths)] * 2
assert len(beam(Ensemble([Model(), Model()]), pairs, lengths)) == 2
assert "torch" not in sys.modules, "torch was loaded"
"""


def test_searching_numpy_arrays_loads_no_torch():
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], env={"PYTHONPATH": str(source)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
