"""What a watched beam search says it did, against a search that is written out in plain Python."""

from __future__ import annotations

import math

import pytest
from lookup_table import BOS, EOS, LENGTHS, PAD, SENTENCES, TABLES, Path, Table, TableModel, batch, continuations
from wide_table import WideTable

from seq2seq_attn.decoding import BeamSearch, BeamStep, Considered, ForcedSearch, LengthLimit, NoRepeatNGram, Scoring

LIMIT = LengthLimit(ratio=1.0, extra=3)


def watched(table: Table, beam_size: int, penalty: float = 1.0, **settings) -> tuple[list, list[BeamStep]]:
    steps: list[BeamStep] = []
    search = BeamSearch(
        bos=BOS,
        eos=EOS,
        beam_size=beam_size,
        forbidden=(PAD,),
        watch=steps.append,
        **{"limit": LIMIT, "scoring": Scoring(length_penalty=penalty), **settings},
    )
    return search(TableModel(table), *batch(SENTENCES, LENGTHS)), steps


def spelled(steps: list[BeamStep]) -> dict[int, tuple[int, ...]]:
    """The tokens behind every node; the first nodes are the roots."""
    paths: dict[int, tuple[int, ...]] = {root: () for root in range(len(SENTENCES))}
    for step in steps:
        for one in step.considered:
            if one.node is not None:
                paths[one.node] = (*paths[one.parent], one.token)
    return paths


def by_sentence(step: BeamStep, sentence: int) -> list[Considered]:
    return [one for one in step.considered if one.sentence == sentence]


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("beam_size", [1, 2, 4])
@pytest.mark.parametrize("kind", TABLES)
def test_what_stays_is_the_best_of_all_and_is_what_the_definition_keeps(kind, beam_size, penalty):
    table = Table(7, **TABLES[kind])
    found, steps = watched(table, beam_size, penalty)
    paths = spelled(steps)
    for place, sentence in enumerate(SENTENCES):
        live, finished = [Path()], []
        for step in steps:
            seen = [one for one in by_sentence(step, place) if one.fate != "forbidden"]
            if not seen:
                break
            extended = sorted(
                (new for path in live for new in continuations(table, sentence, path)),
                key=lambda path: -sum(path.log_probs),
            )
            ranked = sorted(
                [(path.score(penalty), 0, path) for path in finished]
                + [(path.score(penalty), 1, path) for path in extended],
                key=lambda one: -one[0],
            )
            stay = [path for _, new, path in ranked[:beam_size] if new]
            # the ends that are there already stand before equals
            kept = [one for one in seen if one.fate not in ("outscored", "overtaken")]
            assert sorted(paths[one.node] for one in kept) == sorted(path.tokens for path in stay)
            for one in seen:
                tokens = (*paths[one.parent], one.token)
                path = next(path for path in extended if path.tokens == tokens)
                assert one.log_prob == path.log_probs[-1]
                assert one.score == pytest.approx(path.score(penalty), abs=1e-12)
            lowest = min((one.score for one in kept), default=math.inf)
            fallen = [one for one in seen if one.fate == "outscored"]
            assert all(one.score <= lowest + 1e-12 for one in fallen)
            assert len(fallen) == min(beam_size + 3, max(len(extended) - beam_size, 0))
            for one in fallen:
                assert one.rival is None or one.rival in {other.node for other in kept}
            finished += [path for path in stay if path.finished]
            assert [one.fate == "finished" for one in kept] == [one.token == EOS for one in kept]
            live = [path for path in stay if not path.finished]
        written = {paths[one.node] for step in steps for one in by_sentence(step, place) if one.node is not None}
        for hypothesis in found[place]:
            assert (*hypothesis.tokens, EOS) in written if hypothesis.finished else hypothesis.tokens in written


def test_watching_changes_nothing():
    for kind in TABLES:
        table = Table(3, **TABLES[kind])
        search = BeamSearch(bos=BOS, eos=EOS, beam_size=3, n_best=3, forbidden=(PAD,), limit=LIMIT)
        wanted = search(TableModel(table), *batch(SENTENCES, LENGTHS))
        found, _ = watched(table, 3, n_best=3)
        assert [[one.tokens for one in several] for several in found] == [
            [one.tokens for one in several] for several in wanted
        ]


def test_every_reason_is_met_and_is_true():
    """Many tables: a hypothesis that ends the search, one that is cut off, one that an ended one overtakes."""
    met = set()
    for seed in range(12):
        rules = [NoRepeatNGram(1)] if seed % 2 else []
        _, steps = watched(Table(seed, eager=0.3 if seed % 2 else 0.0), 3, rules=rules)
        paths = spelled(steps)
        scores = {one.node: one.score for step in steps for one in step.considered if one.node is not None}
        limits = [length + 3 for length in LENGTHS]
        for step in steps:
            for one in step.considered:
                met.add(one.fate)
                before = paths[one.parent]
                if one.fate == "forbidden":
                    assert one.token in (PAD, BOS, *before)
                    assert one.node is None
                    assert one.score == -math.inf
                elif one.fate == "limit":
                    assert step.length == limits[one.sentence]
                elif one.fate in ("settled", "overtaken"):
                    assert paths[one.rival][-1] == EOS
                    assert scores[one.rival] >= one.score
                elif one.fate == "kept":
                    assert one.token != EOS
    assert met == {"kept", "finished", "outscored", "overtaken", "forbidden", "settled", "limit"}


def test_groups_say_what_made_way_for_another_group():
    _, steps = watched(Table(5), 4, groups=2, diversity=3.0)
    assert any(one.fate == "yielded" for step in steps for one in step.considered)
    # places of a group are never more than it has
    for step in steps:
        for sentence in range(len(SENTENCES)):
            assert sum(one.node is not None for one in by_sentence(step, sentence)) <= 4


def test_forced_decoding_shows_what_the_model_says_at_every_place():
    table = WideTable(2, 30)
    targets = [(7, 8), (), (9,), (7, 7, 7), (11,)]
    seen: dict[tuple[int, int], list[float]] = {}
    place = 0

    def look(sentences, log_probs):
        nonlocal place
        for sentence, row in zip(sentences.tolist(), log_probs.tolist(), strict=True):
            seen[sentence, place] = row
        place += 1

    ForcedSearch(bos=BOS, eos=EOS, targets=targets, watch=look)(TableModel(table), *batch(SENTENCES, LENGTHS))
    assert set(seen) == {(i, t) for i, target in enumerate(targets) for t in range(len(target) + 1)}
    for (i, t), row in seen.items():
        assert row == list(table.log_probs(SENTENCES[i], targets[i][:t]))
