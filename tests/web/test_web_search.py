"""Search in JavaScript finds what that in Python finds, on models that are tables."""

from __future__ import annotations

import math
from typing import Any

import pytest
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, Table, TableModel, batch

from seq2seq_attn.decoding import BeamSearch, Demands, GreedySearch, LengthLimit, Scoring
from seq2seq_attn.decoding.rules import NoRepeatNGram, RepetitionPenalty

SPECIAL = {"bos": BOS, "eos": EOS, "forbidden": [PAD]}
LIMIT = {"ratio": 1.0, "extra": 2}
SEARCHES: list[dict[str, Any]] = [
    {},
    {"prefix": [3, 1]},
    {"penalty": 1.3, "limit": {"ratio": 1.5, "shortest": 2}},
    *({"beamSize": size, "nBest": size} for size in (1, 2, 3, 5, 7)),
    {"beamSize": 5, "nBest": 1},
    {"beamSize": 3, "nBest": 2, "prefix": [1]},
    *(
        {"beamSize": 3, "nBest": 2, "scoring": {"normalization": normalization, "lengthPenalty": penalty}}
        for normalization in ("average", "none", "gnmt", "reward")
        for penalty in (0.0, 0.6, 1.0, 2.5)
    ),
    {"beamSize": 4, "nBest": 3, "scoring": {"coveragePenalty": 0.4}},
    {"beamSize": 4, "nBest": 3, "scoring": {"coveragePenalty": 3.0, "normalization": "gnmt"}},
    {"beamSize": 4, "nBest": 4, "limit": {"ratio": 0.5, "extra": 1, "longest": 3}},
    {"beamSize": 4, "nBest": 2, "limit": {"ratio": 2.0, "extra": 1, "shortestRatio": 1.0, "shortest": 2}},
    {"beamSize": 3, "nBest": 3, "noRepeat": 1},
    {"beamSize": 4, "nBest": 2, "noRepeat": 2, "penalty": 1.7},
    {"beamSize": 6, "nBest": 6, "groups": 2, "diversity": 0.7},
    {"beamSize": 6, "nBest": 4, "groups": 3, "diversity": 0.3, "noRepeat": 2},
    {"beamSize": 4, "nBest": 4, "groups": 4, "diversity": 5.0, "scoring": {"coveragePenalty": 0.5}},
]


class Recorder(TableModel):
    """Writes down all that a search may have asked for."""

    def all(self, sentence: int, length: int, limit: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        prefixes: list[tuple[int, ...]] = [()]
        for _ in range(limit + 1):
            for prefix in prefixes:
                row = [None if math.isinf(value) else value for value in self.table.log_probs(sentence, prefix)]
                found[" ".join(map(str, prefix))] = [row, self.table.weights(sentence, prefix, length)]
            prefixes = [(*prefix, word) for prefix in prefixes for word in (1, 3)]
        return found


def limit_of(search: dict[str, Any]) -> LengthLimit:
    names = {"shortestRatio": "shortest_ratio"}
    return LengthLimit(**{names.get(name, name): value for name, value in {**LIMIT, **search.get("limit", {})}.items()})


def python_search(search: dict[str, Any]) -> BeamSearch | GreedySearch:
    rules = []
    if "noRepeat" in search:
        rules.append(NoRepeatNGram(search["noRepeat"]))
    if "penalty" in search:
        rules.append(RepetitionPenalty(search["penalty"]))
    shared: dict[str, Any] = {"bos": BOS, "eos": EOS, "forbidden": (PAD,), "limit": limit_of(search), "rules": rules}
    if "beamSize" not in search:
        return GreedySearch(**shared)
    names = {"lengthPenalty": "length_penalty", "coveragePenalty": "coverage_penalty"}
    scoring = {names.get(name, name): value for name, value in search.get("scoring", {}).items()}
    return BeamSearch(
        **shared,
        beam_size=search["beamSize"],
        n_best=search["nBest"],
        scoring=Scoring(**scoring),
        groups=search.get("groups", 1),
        diversity=search.get("diversity", 0.0),
    )


@pytest.mark.parametrize("name", TABLES)
def test_the_same_hypotheses(name: str, run_script) -> None:
    model = Recorder(Table(seed=7, **TABLES[name]))
    longest = max(int(limit_of(search)(batch(SENTENCES, LENGTHS)[1]).max()) for search in SEARCHES)
    assert longest <= 13
    pairs = list(zip(SENTENCES, LENGTHS, strict=True))
    tables = [
        {"table": model.all(sentence, length, min(longest, 3 * length + 4)), "sourceLength": length}
        for sentence, length in pairs
    ]
    searches = [{**search, "limit": {**LIMIT, **search.get("limit", {})}} for search in SEARCHES]
    found = run_script("search.mjs", {"tables": tables, "searches": searches, "special": SPECIAL})
    source, lengths = batch(SENTENCES, LENGTHS)
    for number, search in enumerate(SEARCHES):
        demands = Demands(prefixes=[search["prefix"]] * len(pairs)) if "prefix" in search else None
        every = python_search(search)(model, source, lengths, demands)
        for sentence, expected, theirs in zip(SENTENCES, every, found, strict=True):
            hypotheses = theirs[number]
            where = f"{name}, sentence {sentence}, {search}"
            assert [each["tokens"] for each in hypotheses] == [list(each.tokens) for each in expected], where
            assert [each["finished"] for each in hypotheses] == [each.finished for each in expected], where
            for one, other in zip(hypotheses, expected, strict=True):
                assert one["score"] == pytest.approx(other.score, rel=1e-12), where
                assert one["logProb"] == pytest.approx(other.log_prob, rel=1e-12), where
                assert one["tokenLogProbs"] == list(other.token_log_probs), where
                seen = [weight for row in one["weights"] for weight in row]
                assert seen == pytest.approx(other.weights.flatten().tolist(), abs=1e-6), where
