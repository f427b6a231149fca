"""Two directions of links into one: against the published pseudo-code, by hand, and what always holds."""

from __future__ import annotations

import random

import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.evaluation.symmetrize import METHODS, check_method, symmetrize


def published(forward: list[tuple[int, int]], backward: list[tuple[int, int]], final: str | None) -> set:  # noqa: C901 - as it is published
    """GROW-DIAG-FINAL as Koehn et al. write it, over whole matrices, foreign (source) and English (target) words.

    Nothing of it is efficient, and nothing is shared with what is tested.
    """
    size = 1 + max((max(link) for link in forward + backward), default=0)
    neighboring = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
    e2f = [[(f, e) in forward for f in range(size)] for e in range(size)]
    f2e = [[(f, e) in backward for f in range(size)] for e in range(size)]
    alignment = [[e2f[e][f] and f2e[e][f] for f in range(size)] for e in range(size)]

    def english_aligned(e: int) -> bool:
        return any(alignment[e][f] for f in range(size))

    def foreign_aligned(f: int) -> bool:
        return any(alignment[e][f] for e in range(size))

    while True:  # GROW-DIAG: iterate until no new points added
        new = 0
        for e in range(size):
            for f in range(size):
                if alignment[e][f]:
                    for step_e, step_f in neighboring:
                        e_new, f_new = e + step_e, f + step_f
                        if not (0 <= e_new < size and 0 <= f_new < size):
                            continue
                        if (not english_aligned(e_new) or not foreign_aligned(f_new)) and (
                            e2f[e_new][f_new] or f2e[e_new][f_new]
                        ):
                            alignment[e_new][f_new] = True
                            new += 1
        if not new:
            break
    for direction in (e2f, f2e) if final else ():  # FINAL
        for e in range(size):
            for f in range(size):
                free = (not english_aligned(e), not foreign_aligned(f))
                if direction[e][f] and (any(free) if final == "or" else all(free)):
                    alignment[e][f] = True
    return {(f, e) for e in range(size) for f in range(size) if alignment[e][f]}


def random_links(chance: random.Random) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Links as models give them (one per word), or any at all."""
    sources, targets = chance.randint(1, 7), chance.randint(1, 7)
    if chance.random() < 0.5:
        forward = [(chance.randrange(sources), target) for target in range(targets) if chance.random() < 0.8]
        backward = [(source, chance.randrange(targets)) for source in range(sources) if chance.random() < 0.8]
    else:
        everything = [(source, target) for source in range(sources) for target in range(targets)]
        share = chance.random()
        forward = [link for link in everything if chance.random() < share]
        backward = [link for link in everything if chance.random() < share]
    return sorted(forward), sorted(backward)


@pytest.mark.parametrize(
    ("method", "final"), [("grow-diag", None), ("grow-diag-final", "or"), ("grow-diag-final-and", "and")]
)
def test_against_the_published_pseudo_code(method: str, final: str | None) -> None:
    chance = random.Random(method)
    several = 0
    for _ in range(500):
        forward, backward = random_links(chance)
        found = symmetrize(forward, backward, method)
        assert found == sorted(published(forward, backward, final))
        several += set(found) not in (set(forward) & set(backward), set(forward) | set(backward))
    assert several > 100  # it is no other method in most of the cases


def test_by_hand() -> None:
    """Koehn et al.: a neighbor joins when it links a free word; what is far away waits for the end."""
    #    source 0 1 2 3 4         both: 0-0 and 2-2
    forward = [(0, 0), (1, 0), (2, 2), (4, 3)]
    backward = [(0, 0), (1, 1), (2, 2), (3, 2), (3, 4)]
    assert symmetrize(forward, backward, "intersection") == [(0, 0), (2, 2)]
    assert symmetrize(forward, backward, "union") == sorted({*forward, *backward})
    # 1-0 touches 0-0 and source 1 is free; then 1-1 has target 1 free; 3-2 touches 2-2 and source 3 is free;
    # 4-3 touches 3-2 diagonally; 3-4 touches 4-3 diagonally and target 4 is free
    assert symmetrize(forward, backward, "grow-diag") == sorted({*forward, *backward})
    # nothing touches 0-0: far-0 links a free source word to a taken target word, 5-5 two free words
    forward = [(0, 0), (3, 0)]
    backward = [(0, 0), (5, 5)]
    assert symmetrize(forward, backward, "grow-diag") == [(0, 0)]
    assert symmetrize(forward, backward, "grow-diag-final") == [(0, 0), (3, 0), (5, 5)]
    assert symmetrize(forward, backward, "grow-diag-final-and") == [(0, 0), (5, 5)]


def test_a_neighbor_of_two_taken_words_does_not_join() -> None:
    forward = [(0, 0), (1, 1), (0, 1)]
    backward = [(0, 0), (1, 1)]
    assert symmetrize(forward, backward, "grow-diag-final") == [(0, 0), (1, 1)]
    assert symmetrize(forward, backward, "union") == [(0, 0), (0, 1), (1, 1)]


def test_the_first_direction_comes_first_in_the_end() -> None:
    """Of two links to a free word, the second is no longer to a free one."""
    assert symmetrize([(0, 3)], [(0, 7)], "grow-diag-final-and") == [(0, 3)]
    assert symmetrize([(0, 7)], [(0, 3)], "grow-diag-final-and") == [(0, 7)]


def test_what_always_holds() -> None:
    chance = random.Random(5)
    for _ in range(300):
        forward, backward = random_links(chance)
        sets = {method: set(symmetrize(forward, backward, method)) for method in METHODS}
        assert sets["intersection"] == set(forward) & set(backward)
        assert sets["union"] == set(forward) | set(backward)
        assert sets["intersection"] <= sets["grow-diag"]
        for final in ("grow-diag-final", "grow-diag-final-and"):
            assert sets["grow-diag"] <= sets[final] <= sets["union"]
        for method in METHODS:
            assert symmetrize(forward, forward, method) == forward
        # every word that one direction links is linked in the end
        for side in (0, 1):
            assert {link[side] for link in sets["grow-diag-final"]} == {link[side] for link in sets["union"]}


@pytest.mark.parametrize("method", METHODS)
def test_nothing_at_all(method: str) -> None:
    assert symmetrize([], [], method) == []


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'grow-diag-and'; did you mean 'grow-diag.*\(there are: intersection, union"):
        check_method("grow-diag-and")
    with pytest.raises(UserError, match="no way to symmetrize"):
        symmetrize([], [], "both")
