"""Diverse beam groups against their definition in plain Python, and what is left of them without diversity."""

from __future__ import annotations

import math

import pytest
from lookup_table import (
    BOS,
    EOS,
    LENGTHS,
    MANY,
    MANY_LENGTHS,
    PAD,
    SENTENCES,
    TABLES,
    MixedTable,
    Path,
    Table,
    TableModel,
    batch,
    search,
)
from wide_table import WideTable

from seq2seq_attn.decoding import BeamSearch, Hypothesis, LengthLimit
from seq2seq_attn.errors import ConfigError


def grouped(beam: int, groups: int, diversity: float, *, n_best: int | None = None, extra: int = 5) -> BeamSearch:
    return BeamSearch(
        bos=BOS,
        eos=EOS,
        beam_size=beam,
        n_best=n_best or beam,
        limit=LengthLimit(ratio=1.0, extra=extra),
        forbidden=(PAD,),
        groups=groups,
        diversity=diversity,
    )


def same(one: list[Hypothesis], other: list[Hypothesis]) -> bool:
    def facts(found: list[Hypothesis]) -> list[object]:
        return [(each.tokens, each.finished, each.score, each.log_prob, each.token_log_probs) for each in found]

    return facts(one) == facts(other)


def diverse(table: Table, sentence: int, limit: int, beam: int, groups: int, diversity: float) -> list[Path]:
    """Algorithm 1 of Vijayakumar et al. (2018) with Hamming diversity over nine tokens, in loops.

    Finished hypotheses hold places as in plain beam search, and a group stops when nothing better can come of it.
    """
    size = beam // groups
    live = [[Path()] for _ in range(groups)]
    finished: list[list[Path]] = [[] for _ in range(groups)]
    for _ in range(limit):
        chosen: list[int] = []
        for group in range(groups):
            extended = []
            for path in live[group]:
                row = table.log_probs(sentence, path.tokens)
                for token in set(range(9)) - {PAD, BOS}:
                    extended.append(Path((*path.tokens, token), (*path.log_probs, row[token])))
            cost = {path: diversity * chosen.count(path.tokens[-1]) for path in extended}
            extended.sort(key=lambda path: -(sum(path.log_probs) - cost[path]))
            extended = extended[:size]
            chosen += [path.tokens[-1] for path in extended]
            stay = []
            for place, path in enumerate(extended):
                if place + sum(other.score(1.0) >= path.score(1.0) for other in finished[group]) < size:
                    stay.append(path)
            finished[group] += [path for path in stay if path.finished]
            finished[group] = sorted(finished[group], key=lambda path: -path.score(1.0))[:size]
            live[group] = [path for path in stay if not path.finished]
            possible = max((sum(path.log_probs) / limit for path in live[group]), default=-math.inf)
            if len(finished[group]) == size and finished[group][-1].score(1.0) >= possible:
                live[group] = []
    best = sorted((path for group in finished for path in group), key=lambda path: -path.score(1.0))
    cut = sorted((path for group in live for path in group), key=lambda path: -path.score(1.0))
    return list(dict.fromkeys(best + cut))


def test_one_group_is_plain_beam_search():
    model, given = TableModel(MixedTable(0)), batch(MANY, MANY_LENGTHS)
    plain = search(4, 1.0, n_best=4, extra=5)(model, *given)
    for one, other in zip(grouped(4, 1, 0.7)(model, *given), plain, strict=True):
        assert same(one, other)


@pytest.mark.parametrize(("beam", "groups"), [(4, 2), (6, 2), (6, 3), (3, 3)])
def test_without_diversity_groups_are_independent_beams(beam, groups):
    """All find the same then, and the same is given once."""
    model, given, size = TableModel(MixedTable(0)), batch(MANY, MANY_LENGTHS), beam // groups
    plain = search(size, 1.0, n_best=size, extra=5)(model, *given)
    for one, other in zip(grouped(beam, groups, 0.0)(model, *given), plain, strict=True):
        assert same(one[: len(other)], other)
        assert not any(more.finished for more in one[len(other) :])


@pytest.mark.parametrize("diversity", [0.3, 1.0, 7.0])
@pytest.mark.parametrize(("beam", "groups"), [(2, 2), (6, 2), (6, 3)])
def test_groups_choose_as_defined(beam, groups, diversity):
    table, sentences, lengths = WideTable(0, 9, favorites=(EOS,), boost=1.5), list(range(1, 19)), [2, 1, 4] * 6
    for extra in (3, 20):
        found = grouped(beam, groups, diversity, extra=extra)(TableModel(table), *batch(sentences, lengths))
        for sentence, length, hypotheses in zip(sentences, lengths, found, strict=True):
            wanted = diverse(table, sentence, length + extra, beam, groups, diversity)[:beam]
            assert [one.token_log_probs for one in hypotheses] == [path.log_probs for path in wanted]
            assert [one.score for one in hypotheses] == pytest.approx([path.score(1.0) for path in wanted])


def test_a_second_group_avoids_the_first():
    """Of two equally long beams the second may not begin as the first if that costs more than it gives."""

    class Two(Table):
        def log_probs(self, sentence, prefix):
            row = {(): (-9.0, -0.5, -9.0, -1.0, -9.0)}.get(prefix, (-9.0, -3.0, -0.1, -3.0, -9.0))
            return row

    for diversity, firsts in [(0.0, {1}), (0.4, {1}), (0.6, {1, 3})]:
        (found,) = grouped(2, 2, diversity)(TableModel(Two(0)), *batch([1], [3]))
        assert {one.tokens[0] for one in found} == firsts
        assert found[0].log_prob == pytest.approx(-0.6)  # the cost of diversity stays in no score
        if len(found) == 2:
            assert found[1].score == pytest.approx((-1.0 - 0.1) / 2)


def test_n_best_of_groups_are_sorted_and_distinct():
    for hypotheses in grouped(6, 3, 0.5)(TableModel(MixedTable(0)), *batch(MANY, MANY_LENGTHS)):
        assert 1 <= len(hypotheses) <= 6
        assert hypotheses == sorted(hypotheses, key=lambda one: (not one.finished, -one.score))
        assert len({(one.tokens, one.finished) for one in hypotheses}) == len(hypotheses)


@pytest.mark.parametrize("kind", TABLES)
def test_a_sentence_is_the_same_alone_and_in_any_batch(kind):
    table = Table(13, **TABLES[kind])
    find = grouped(6, 3, 0.5)
    together = find(TableModel(table), *batch(SENTENCES, LENGTHS))
    for order in ([4, 3, 2, 1, 0], [2, 0], [0], [3]):
        chosen = batch([SENTENCES[i] for i in order], [LENGTHS[i] for i in order])
        for i, hypotheses in zip(order, find(TableModel(table), *chosen), strict=True):
            assert same(hypotheses, together[i])


def test_more_diversity_gives_more_different_words():
    def words(diversity: float) -> int:
        count = 0
        for seed in range(6):
            model = TableModel(WideTable(seed, 23, favorites=(EOS,), boost=2.0))
            for hypotheses in grouped(4, 4, diversity)(model, *batch([1, 2, 3], [4, 5, 6])):
                count += len({token for one in hypotheses for token in one.tokens})
        return count

    assert words(0.0) < words(0.5) < words(3.0)


@pytest.mark.parametrize(
    ("groups", "diversity", "message"),
    [
        (0, 0.5, "diverse_groups is 0, but groups must divide the beam of 6 evenly"),
        (4, 0.5, "diverse_groups is 4, but groups must divide the beam of 6 evenly"),
        (2, -0.5, "diversity is -0.5, but it must be a finite number of at least 0"),
        (2, math.nan, "diversity is nan"),
    ],
)
def test_impossible_groups_are_refused(groups, diversity, message):
    with pytest.raises(ConfigError, match=message):
        grouped(6, groups, diversity)
