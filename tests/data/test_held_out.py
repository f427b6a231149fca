from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data.held_out import split_pairs


def test_no_sentence_of_either_side_is_in_two_parts():
    draw = random.Random(3)
    pairs = [(f"e{draw.randrange(2500)}", f"d{draw.randrange(9000)}") for _ in range(3001)]
    parts = split_pairs([*pairs, *pairs[:100], ("", "d"), ("e", "")], held_out=211)
    assert sorted(pair for part in parts.values() for pair in part) == sorted(set(pairs))
    for side in (0, 1):
        sets = [{pair[side] for pair in parts[name]} for name in ("train", "val", "test")]
        assert sum(map(len, sets)) == len(set.union(*sets))
    assert 211 <= len(parts["val"]) <= 213
    assert 211 <= len(parts["test"]) <= 213
    order = {pair: index for index, pair in reversed(list(enumerate(pairs)))}
    for part in parts.values():
        assert part == sorted(part, key=lambda pair: order[pair])


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefghijklmnopq")), max_size=40))
def test_a_split_is_exact_and_leak_free_for_any_corpus(pairs):
    parts = split_pairs(pairs, held_out=2)
    assert sorted(pair for part in parts.values() for pair in part) == sorted(set(pairs))
    for side in (0, 1):
        sets = [{pair[side] for pair in part} for part in parts.values()]
        assert sum(map(len, sets)) == len(set().union(*sets))


def test_the_split_depends_on_the_text_alone_and_survives_growth():
    pairs = [(f"e{number}", f"d{number}") for number in range(2003)]
    before = split_pairs(pairs, held_out=101)
    shuffled = pairs.copy()
    random.Random(5).shuffle(shuffled)
    assert {name: set(part) for name, part in split_pairs(shuffled, held_out=101).items()} == {
        name: set(part) for name, part in before.items()
    }
    grown = split_pairs([*pairs, *((f"x{number}", f"y{number}") for number in range(103))], held_out=101)
    assert len(set(grown["test"]) & set(before["test"])) > 85


def test_very_many_translations_of_one_sentence_stay_in_training():
    pairs = [("Hi", f"d{number}") for number in range(500)] + [(f"e{number}", f"f{number}") for number in range(500)]
    parts = split_pairs(pairs, held_out=97)
    assert {pair[0] for part in ("val", "test") for pair in parts[part]}.isdisjoint({"Hi"})
