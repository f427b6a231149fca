"""From weights over tokens to links between words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.alignment import (
    Links,
    NumberedLink,
    ReferenceLinks,
    align_words,
    flip,
    link_source_words,
    link_words,
    naacl,
    parse_naacl,
    parse_pharaoh,
    pharaoh,
    word_numbers,
)


@pytest.mark.parametrize(
    ("starts", "numbers"),
    [
        ([], []),
        ([True, True, True], [0, 1, 2]),
        ([True, False, True, False, False], [0, 0, 1, 1, 1]),
        ([False, False, True], [0, 0, 1]),  # a first token starts a word even where it has no mark
    ],
)
def test_tokens_know_their_word(starts, numbers):
    assert word_numbers(starts) == numbers


def test_each_target_word_goes_to_the_source_word_with_most_weight():
    weights = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.1, 0.8, 0.1]])
    assert align_words(weights, [True] * 3, [True] * 3) == [(0, 0), (1, 2), (2, 1)]


def test_links_are_source_first():
    """Pharaoh's pairs are source-target: drop the transpose and this is 1-0."""
    assert align_words(np.array([[0.0, 1.0]]), [True, True], [True]) == [(1, 0)]


def test_pieces_of_a_source_word_add_up():
    weights = np.array([[0.3, 0.3, 0.4]])
    assert align_words(weights, [True, True, True], [True]) == [(2, 0)]
    assert align_words(weights, [True, False, True], [True]) == [(0, 0)]


def test_pieces_of_a_target_word_are_averaged():
    weights = np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]])
    assert align_words(weights, [True, True], [True, False, False]) == [(1, 0)]
    assert align_words(weights, [True, True], [True, False, True]) == [(0, 0), (1, 1)]


def test_a_word_that_looks_at_the_end_of_the_sentence_has_no_link():
    weights = np.array([[0.2, 0.2, 0.6], [0.9, 0.0, 0.1], [0.0, 0.0, 1.0]])
    assert align_words(weights, [True, True], [True, True]) == [(0, 1)]


def test_the_row_of_the_end_is_no_word():
    weights = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert align_words(weights, [True, True], [True]) == [(0, 0)]


@pytest.mark.parametrize(
    ("shape", "sources", "targets"), [((0, 3), 2, 0), ((2, 1), 0, 2), ((2, 3), 3, 2), ((0, 0), 0, 0)]
)
def test_nothing_to_link(shape, sources, targets):
    """Empty sentences, and the zero weights of a model without attention."""
    assert align_words(np.zeros(shape), [True] * sources, [True] * targets) == []


def test_every_word_is_linked_at_most_once_and_links_are_sorted():
    rng = np.random.default_rng(1)
    for _ in range(31):
        targets, sources = rng.integers(1, 11, 2)
        starts = rng.random(sources) < 0.5, rng.random(targets) < 0.5
        weights = rng.dirichlet(np.ones(sources + 1), targets).astype(np.float32)
        links = align_words(weights, list(map(bool, starts[0])), list(map(bool, starts[1])))
        assert links == sorted(links)
        assert len({target for _, target in links}) == len(links)
        assert all(source <= sources and target < targets for source, target in links)
        assert all(type(number) is int for link in links for number in link)


def test_pharaoh_format():
    assert pharaoh([(0, 0), (1, 2), (10, 3)]) == "0-0 1-2 10-3"
    assert pharaoh([]) == ""


def test_each_source_word_goes_to_the_target_word_that_looks_most() -> None:
    weights = np.array([[0.7, 0.25, 0.05], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3]])
    assert link_words(weights, [0, 1, 2], [0, 1, 2]) == [(0, 0), (1, 1), (1, 2)]
    assert link_source_words(weights, [0, 1, 2], [0, 1, 2]) == [(0, 0), (1, 1), (2, 2)]


def test_a_source_word_nobody_looks_at_has_no_link() -> None:
    weights = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    assert link_source_words(weights, [0, 1], [0, 1]) == [(0, 0)]  # the last column is the end
    assert link_source_words(np.zeros((2, 3)), [0, 1], [0, 1]) == []
    assert link_source_words(np.ones((1, 1)), [], [0]) == []


def source_words_in_loops(weights: np.ndarray, sources: list[int], targets: list[int]) -> Links:
    """For each source word, the target word with the largest mean over its tokens of the sum over the word's tokens."""
    found = []
    for word in range(sources[-1] + 1):
        given_by = []
        for other in range(targets[-1] + 1):
            rows = [row for row, number in enumerate(targets) if number == other]
            total = sum(
                float(weights[row, column]) for row in rows for column, number in enumerate(sources) if number == word
            )
            given_by.append(total / len(rows))
        if max(given_by) > 0:
            found.append((word, given_by.index(max(given_by))))
    return found


def test_source_words_against_loops() -> None:
    rng = np.random.default_rng(2)
    for _ in range(53):
        target_len, source_len = rng.integers(1, 9, 2)
        sources = word_numbers([bool(start) for start in rng.random(source_len) < 0.6])
        targets = word_numbers([bool(start) for start in rng.random(target_len) < 0.6])
        weights = rng.dirichlet(np.ones(source_len + 1), target_len + 1)
        weights[rng.random(weights.shape) < 0.2] = 0
        assert link_source_words(weights, sources, targets) == source_words_in_loops(weights, sources, targets)


SOME_LINKS = st.sets(st.tuples(st.integers(0, 99), st.integers(0, 99)))


@given(SOME_LINKS)
def test_flipped_twice_is_the_same(links) -> None:
    assert flip(flip(sorted(links))) == sorted(links)
    assert flip([(3, 1), (0, 7)]) == [(1, 3), (7, 0)]


class TestFormats:
    def test_pharaoh_from_one(self) -> None:
        assert pharaoh([(0, 0), (1, 2)], first=1) == "1-1 2-3"
        assert parse_pharaoh("1-1 2?3", first=1) == ([(0, 0)], [(0, 0), (1, 2)])
        with pytest.raises(ValueError, match="0-1"):
            parse_pharaoh("1-1 0-1", first=1)

    def test_naacl(self) -> None:
        assert naacl([(0, 0), (1, 2)], sentence=18) == "18 1 1\n18 2 3\n"
        assert naacl([], sentence=18) == ""
        assert naacl(ReferenceLinks([(1, 2)], [(0, 0), (1, 2)]), sentence=3) == "3 1 1 P\n3 2 3 S\n"

    @pytest.mark.parametrize(
        ("line", "sentence", "sure"),
        [
            ("18 2 3", 18, True),
            ("18 2 3 S", 18, True),
            ("18 2 3 P", 18, False),
            ("0018 2 3 P 0.7", 18, False),
            ("18 2 3 0.75", 18, True),
            ("18\t2\t3\tS\t1", 18, True),
            (" 18  2 3 S 1e-3 ", 18, True),
        ],
    )
    def test_naacl_lines(self, line: str, sentence: int, sure: bool) -> None:
        assert parse_naacl(line) == NumberedLink(sentence, 2, 3, sure)

    @pytest.mark.parametrize(
        "line", ["", "1", "1 2", "1-2", "1 2 x", "1 2 3 Q", "1 2 3 S high", "1 2 3 S 1 1", "-1 2 3"]
    )
    def test_no_naacl_line(self, line: str) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            parse_naacl(line)

    @given(SOME_LINKS, SOME_LINKS, st.sampled_from([0, 1]))
    def test_what_is_written_is_read(self, sure, more, first: int) -> None:
        reference = ReferenceLinks(sorted(sure), sorted(sure | more))
        assert parse_pharaoh(pharaoh(reference, first=first), first=first) == reference
        lines = [parse_naacl(line) for line in naacl(reference, sentence=7).splitlines()]
        assert all(line.sentence == 7 for line in lines)
        assert [(line.source - 1, line.target - 1) for line in lines] == reference.possible
        assert [(line.source - 1, line.target - 1) for line in lines if line.sure] == reference.sure
        assert [parse_naacl(line)[1:] for line in naacl(reference.sure, sentence=7).splitlines()] == [
            (source + 1, target + 1, True) for source, target in reference.sure
        ]
