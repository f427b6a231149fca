"""Alignment error rate, by hand and by counting."""

from __future__ import annotations

import random

import pytest

from seq2seq_attn.alignment import ReferenceLinks
from seq2seq_attn.evaluation.alignment_error import alignment_errors

NOTHING = ReferenceLinks([], [])


def test_by_hand() -> None:
    """Three sure links and two possible ones; of four found two are sure, one is possible, one is wrong."""
    reference = ReferenceLinks([(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 1), (2, 2), (3, 2), (3, 3)])
    found = alignment_errors([[(0, 0), (1, 1), (3, 3), (2, 0)]], [reference])
    assert found.precision == 3 / 4
    assert found.recall == 2 / 3
    assert found.error_rate == pytest.approx(1 - (2 + 3) / (4 + 3))


def test_the_corpus_is_counted_not_averaged() -> None:
    perfect = ReferenceLinks([(0, 0)], [(0, 0)])
    wrong = ReferenceLinks([(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 1), (2, 2)])
    found = alignment_errors([[(0, 0)], [(0, 1), (1, 2), (2, 0)]], [perfect, wrong])
    assert found.sentences == 2
    assert found.error_rate == pytest.approx(1 - 2 / 8)  # the mean of the sentences would be 1 / 2


@pytest.mark.parametrize("seed", range(7))
def test_against_the_definition(seed: int) -> None:
    chance = random.Random(seed)
    everything = [(source, target) for source in range(5) for target in range(3)]
    hypotheses, references = [], []
    found = sure = found_sure = found_possible = 0
    for _ in range(11):
        possible = [link for link in everything if chance.random() < 0.5]
        certain = [link for link in possible if chance.random() < 0.5]
        links = [link for link in everything if chance.random() < 0.4]
        hypotheses.append(links)
        references.append(ReferenceLinks(certain, possible))
        for link in everything:
            found += link in links
            sure += link in certain
            found_sure += link in links and link in certain
            found_possible += link in links and link in possible
    result = alignment_errors(hypotheses, references)
    assert result.to_dict() == {
        "alignment_error_rate": pytest.approx(1 - (found_sure + found_possible) / (found + sure)),
        "precision": pytest.approx(found_possible / found),
        "recall": pytest.approx(found_sure / sure),
        "sentences": 11,
        "found": found,
        "sure": sure,
        "found_sure": found_sure,
        "found_possible": found_possible,
    }


def test_the_reference_itself_has_no_errors() -> None:
    reference = ReferenceLinks([(0, 1)], [(0, 1), (2, 2)])
    assert alignment_errors([reference.sure], [reference]).error_rate == 0.0
    assert alignment_errors([reference.possible], [reference]).error_rate == 0.0


def test_a_sure_link_is_possible_said_or_not() -> None:
    assert alignment_errors([[(0, 0)]], [ReferenceLinks([(0, 0)], [])]).error_rate == 0.0


def test_nothing_found_and_nothing_to_find() -> None:
    nothing = ReferenceLinks([], [])
    assert alignment_errors([[]], [nothing]).error_rate == 0.0
    assert alignment_errors([], []).error_rate == 0.0
    missed = alignment_errors([[]], [ReferenceLinks([(0, 0)], [(0, 0)])])
    assert (missed.precision, missed.recall, missed.error_rate) == (1.0, 0.0, 1.0)
    invented = alignment_errors([[(0, 0)]], [nothing])
    assert (invented.precision, invented.recall, invented.error_rate) == (0.0, 1.0, 1.0)


def test_counts_add_up() -> None:
    """Sentence by sentence, as a stream is judged."""
    hypotheses = [[(0, 0)], [(0, 1), (1, 2), (2, 0)], []]
    references = [ReferenceLinks([(0, 0)], [(0, 0), (1, 1)]), ReferenceLinks([(0, 1)], [(0, 1), (1, 2)]), NOTHING]
    total = alignment_errors([], [])
    for links, reference in zip(hypotheses, references, strict=True):
        total += alignment_errors([links], [reference])
    assert total == alignment_errors(hypotheses, references)
    assert total.sentences == 3


def test_as_many_references_as_sentences() -> None:
    with pytest.raises(ValueError, match="zip"):
        alignment_errors([[]], [])


def test_one_line_says_it() -> None:
    line = alignment_errors([[(0, 0), (1, 0)]], [ReferenceLinks([(0, 0)], [(0, 0)])]).describe()
    assert line.startswith("alignment error rate 0.3333  precision 0.5000  recall 1.0000")
