"""Forbidden phrases: no segmentation gets around them, and nothing else is forbidden."""

from __future__ import annotations

import itertools
import math
import random
import re

import pytest
import torch
from lookup_table import BOS, EOS, PAD, TableModel, batch
from wide_table import WideTable

from seq2seq_attn.decoding import BeamSearch, Demands, ForbiddenPhrases, GreedySearch, LengthLimit, Past
from seq2seq_attn.errors import ConfigError

WORDS = ["", "", "", " a", "", " ab", " b", " abc", ","]
SUBWORDS = ["", "", "", " a", "", " ab", "b", " b", "bc", "c", ",", " c b", "a b", " "]
CHARACTERS = ["", "", "", "a", "", "b", "c", " ", ",", "."]
KINDS = {"words": WORDS, "subwords": SUBWORDS, "characters": CHARACTERS}
PHRASES = [["ab"], ["a"], ["a b"], ["ab", "b c", "c,"], ["a  b c", "bc"], [",", "abc"], ["b b b"]]


def is_in(text: str, phrase: str) -> bool:
    """Python's own idea of whole words, on a text with single spaces."""
    phrase = " ".join(phrase.split())
    before = r"(?<!\w)" if re.match(r"\w", phrase) else ""
    after = r"(?!\w)" if re.search(r"\w$", phrase) else ""
    return re.search(before + re.escape(phrase) + after, " ".join(text.split())) is not None


def spelled(tokens, surfaces: list[str]) -> str:
    return "".join(surfaces[token] or "#" for token in tokens)  # a token without text stands between words


def is_certain(text: str, phrases: list[str]) -> bool:
    """Whether it has a phrase whatever comes next: also if it goes on with a letter."""
    return all(any(is_in(text + more, phrase) for phrase in phrases) for more in ("", "x", "a", "b", "c"))


def has_any(text: str, phrases: list[str]) -> bool:
    return any(is_in(text, phrase) for phrase in phrases)


def can_go_on(tokens: tuple[int, ...], surfaces: list[str], phrases: list[str], depth: int) -> bool:
    """Whether the sentence may end here, or something may follow after which it can go on."""
    if not has_any(spelled(tokens, surfaces), phrases):
        return True
    ways = [(*tokens, token) for token, text in enumerate(surfaces) if text]
    ways = [way for way in ways if not is_certain(spelled(way, surfaces), phrases)]
    return bool(ways) if depth == 0 else any(can_go_on(way, surfaces, phrases, depth - 1) for way in ways)


def banned_by(rule: ForbiddenPhrases, past: tuple[int, ...], size: int, left: int = 99) -> set[int]:
    seen = Past(torch.tensor([past], dtype=torch.long).view(1, len(past)), torch.zeros(1).long(), torch.tensor([left]))
    found = rule(torch.zeros(1, size), seen)
    return set((found[0] == -math.inf).nonzero().flatten().tolist())


@pytest.mark.parametrize("phrases", PHRASES, ids=lambda phrases: "|".join(phrases))
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_forbidden_if_it_completes_a_phrase_or_nothing_else_can_follow(kind, phrases):
    """Every past of up to two tokens and random longer ones, every next token, against regular expressions."""
    surfaces = KINDS[kind]
    rule = ForbiddenPhrases(phrases, surfaces, EOS)
    rng = random.Random(3)
    spelling = [token for token, text in enumerate(surfaces) if text]
    pasts = [past for length in range(3) for past in itertools.product([*spelling, 1], repeat=length)]
    pasts += [tuple(rng.choices(spelling, k=rng.randint(3, 7))) for _ in range(100)]
    checked = 0
    for past in pasts:
        if is_certain(spelled(past, surfaces), phrases):
            continue  # search never comes here
        checked += 1
        banned = banned_by(rule, past, len(surfaces))
        assert (EOS in banned) == has_any(spelled(past, surfaces), phrases)
        for token in range(len(surfaces)):
            if token != EOS:
                now = (*past, token)
                wanted = is_certain(spelled(now, surfaces), phrases) or not can_go_on(now, surfaces, phrases, 2)
                assert (token in banned) == wanted, (past, token)
        last = banned_by(rule, past, len(surfaces), left=1)
        assert banned <= last
        for token in set(spelling) - last:
            assert not has_any(spelled((*past, token), surfaces), phrases)
    assert checked > 20


@pytest.mark.parametrize("kind", KINDS)
def test_no_translation_holds_a_forbidden_phrase(kind):
    surfaces = KINDS[kind]
    common = {"bos": BOS, "eos": EOS, "forbidden": (PAD, 1), "limit": LengthLimit(ratio=1.0, extra=4)}
    sentences = list(range(1, 13))
    given = batch(sentences, [1 + n % 5 for n in sentences])

    def hits(phrases: list[str], **options) -> int:
        searches = (
            GreedySearch(**common, **options),
            BeamSearch(beam_size=4, n_best=4, **common, **options),
            BeamSearch(beam_size=4, n_best=4, groups=2, diversity=1.0, **common, **options),
        )
        found = [search(TableModel(WideTable(seed, len(surfaces))), *given) for seed in (1, 2) for search in searches]
        return sum(has_any(spelled(one.tokens, surfaces), phrases) for some in found for each in some for one in each)

    without = 0
    for phrases in PHRASES:
        assert hits(phrases, rules=[ForbiddenPhrases(phrases, surfaces, EOS)]) == 0
        without += hits(phrases)
    assert without > 50  # else nothing was tempting


def test_whole_words_only():
    """``cat`` is forbidden, ``cats`` and ``concat`` are not; the comma behind it does not help."""
    surfaces = ["", "", "", " cat", "", "s", " con", "cat", ",", " x"]
    rule = ForbiddenPhrases(["cat"], surfaces, EOS)
    assert banned_by(rule, (), 10) == set()
    assert banned_by(rule, (7,), 10) == banned_by(rule, (3,), 10)  # at the beginning it needs no space
    assert banned_by(rule, (3,), 10) == {EOS, 0, 1, 4, 3, 6, 8, 9}
    assert banned_by(rule, (3, 5), 10) == set()
    assert banned_by(rule, (6, 7), 10) == set()


def test_where_no_token_goes_on_with_a_word_the_word_itself_is_forbidden():
    surfaces = ["", "", "", " cat", "", " dog", " the"]
    rule = ForbiddenPhrases(["cat", "the dog"], surfaces, EOS)
    assert banned_by(rule, (), 7) == {3}
    assert banned_by(rule, (6,), 7) == {3, 5}


def test_scripts_without_spaces_have_a_word_boundary_anywhere():
    surfaces = ["", "", "", "\u9ed2", "", "\u732b", "\u304c"]
    rule = ForbiddenPhrases(["\u732b"], surfaces, EOS)
    assert banned_by(rule, (3,), 7) == {5}


def test_marks_belong_to_the_letter_before_them():
    surfaces = ["", "", "", " e", "", "\u0301", " x"]
    rule = ForbiddenPhrases(["e"], surfaces, EOS)
    assert 5 not in banned_by(rule, (3,), 7)
    assert 6 in banned_by(rule, (3,), 7)


def test_a_sentence_gets_the_same_alone_and_in_any_batch():
    rule = ForbiddenPhrases(["ab", "b c"], SUBWORDS, EOS)
    search = BeamSearch(bos=BOS, eos=EOS, beam_size=3, n_best=3, forbidden=(PAD, 1), rules=[rule])
    model = TableModel(WideTable(1, len(SUBWORDS)))
    together = search(model, *batch([1, 2, 3], [2, 5, 3]))
    for i, length in enumerate([2, 5, 3]):
        (alone,) = search(model, *batch([i + 1], [length]))
        assert [one.tokens for one in alone] == [one.tokens for one in together[i]]


def test_prefixes_and_phrases_that_are_forbidden_are_refused():
    rule = ForbiddenPhrases(["a b"], SUBWORDS, EOS)
    common = {"bos": BOS, "eos": EOS, "rules": [rule]}
    model, given = TableModel(WideTable(1, len(SUBWORDS))), batch([1, 2], [5, 5])
    with pytest.raises(ConfigError, match="the prefix of sentence 2 has the forbidden phrase 'a b' in it"):
        GreedySearch(**common)(model, *given, Demands(prefixes=[(3,), (3, 7)]))
    with pytest.raises(ConfigError, match="a required phrase of sentence 1 has the forbidden phrase 'a b' in it"):
        BeamSearch(beam_size=3, **common)(model, *given, Demands(required=[[(3, 7)], []]))


@pytest.mark.parametrize("phrase", ["", "  "])
def test_a_blank_phrase_is_refused(phrase):
    with pytest.raises(ConfigError, match=r"the forbidden phrase '\s*' has no letters"):
        ForbiddenPhrases(["a", phrase], SUBWORDS, EOS)


def test_no_phrases_forbid_nothing():
    assert banned_by(ForbiddenPhrases([], SUBWORDS, EOS), (3,), len(SUBWORDS)) == set()


def test_a_table_of_another_vocabulary_is_a_mistake():
    with pytest.raises(ValueError, match="surfaces of 14 tokens, but 9"):
        banned_by(ForbiddenPhrases(["a"], SUBWORDS, EOS), (3,), 9)
