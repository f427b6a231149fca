"""From weights over tokens to links between words."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq_attn.alignment import align_words, pharaoh, word_numbers


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
