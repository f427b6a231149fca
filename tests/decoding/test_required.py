"""Phrases that must appear: always there, and what is found with them is the best there is."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from lookup_table import BOS, EOS, PAD, TableModel, batch
from wide_table import WideTable, holds

from seq2seq_attn.decoding import (
    BeamSearch,
    Demands,
    ForbiddenPhrases,
    GreedySearch,
    LengthLimit,
    NoRepeatNGram,
    RepetitionPenalty,
    SamplingSearch,
    Scoring,
)
from seq2seq_attn.errors import ConfigError

SIZE = 13
TOKENS = [token for token in range(SIZE) if token not in (PAD, BOS, EOS)]
STARTS = torch.tensor([token % 2 == 1 for token in range(SIZE)])  # odd tokens start a word
COMMON = {"bos": BOS, "eos": EOS, "forbidden": (PAD,)}


def random_phrases(rng: random.Random, *, words: bool) -> list[tuple[int, ...]]:
    """Up to three phrases over few tokens, so that they begin and end alike, overlap, and repeat themselves."""
    odd, some = [1, 3], [1, 3, 6]
    phrases = []
    for _ in range(rng.randint(0, 3)):
        first = rng.choice(odd if words else some)
        phrases.append((first, *rng.choices(some, k=rng.randint(0, 3))))
    return phrases


def room_for(phrases: list[tuple[int, ...]], prefix: tuple[int, ...] = ()) -> int:
    """Tokens that are enough: the prefix, each phrase once, the end."""
    return len(prefix) + sum(map(len, dict.fromkeys(phrases))) + 1


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("spare", [0, 1, 4])
def test_every_translation_has_its_phrases(spare, beam, words):
    """With no token to spare, too; a batch mixes sentences that ask for much, little and nothing."""
    rng = random.Random(f"{spare} {beam} {words}")
    starts = STARTS.tolist() if words else None
    for seed in range(12):
        table = WideTable(seed, SIZE, favorites=(EOS, 6), boost=rng.choice([0.0, 3.0]))
        required = [random_phrases(rng, words=words) for _ in range(6)]
        prefixes = [tuple(rng.choices(TOKENS, k=rng.randint(0, 3))) for _ in range(6)]
        lengths = [max(1, room_for(*asked) + spare) for asked in zip(required, prefixes, strict=True)]
        rules = rng.choice([[], [NoRepeatNGram(2)], [NoRepeatNGram(1), RepetitionPenalty(1.4)]])
        search = BeamSearch(
            beam_size=beam,
            n_best=beam,
            rules=rules,
            limit=LengthLimit(ratio=1.0, extra=0, shortest=rng.choice([0, 3])),
            scoring=Scoring(normalization=rng.choice(["average", "none", "gnmt"]), coverage_penalty=0.1),
            word_starts=STARTS if words else None,
            **COMMON,
        )
        demands = Demands(prefixes=prefixes, required=required)
        found = search(TableModel(table), *batch(list(range(1, 7)), lengths), demands)
        for prefix, phrases, length, hypotheses in zip(prefixes, required, lengths, found, strict=True):
            assert hypotheses
            for one in hypotheses:
                assert one.tokens[: len(prefix)] == prefix
                assert len(one.token_log_probs) <= length
                if phrases:
                    assert one.finished
                assert all(holds(one.tokens, phrase, starts) for phrase in phrases), (seed, phrases, one.tokens)
            assert len({(one.tokens, one.finished) for one in hypotheses}) == len(hypotheses)
            assert hypotheses == sorted(hypotheses, key=lambda one: (not one.finished, -one.score))


@pytest.mark.parametrize("words", [False, True])
def test_a_beam_wide_enough_finds_the_best_that_has_them(words):
    size, starts = 7, (STARTS[:7] if words else None)
    spelled = [1, 3, 5, 6]
    for seed in range(6):
        table = WideTable(seed, size)
        phrases = [[(1, 6), (3,)], [(3, 3), (1, 6)], [(5, 6, 6)]][seed % 3]  # none ends as another begins
        limit = room_for(phrases) + 1
        search = BeamSearch(
            beam_size=700, n_best=3, limit=LengthLimit(ratio=0, extra=limit), word_starts=starts, **COMMON
        )
        (found,) = search(TableModel(table), *batch([1], [3]), Demands(required=[phrases]))
        every = []
        for length in range(limit):
            for tokens in itertools.product(spelled, repeat=length):
                if all(holds(tokens, phrase, None if starts is None else starts.tolist()) for phrase in phrases):
                    total = sum(table.log_probs(1, tokens[:t])[token] for t, token in enumerate((*tokens, EOS)))
                    every.append((total / (length + 1), tokens))
        every.sort(reverse=True)
        assert [one.tokens for one in found] == [tokens for _, tokens in every[:3]]
        assert [one.score for one in found] == pytest.approx([score for score, _ in every[:3]])


def test_a_narrow_beam_does_better_than_writing_the_phrase_at_the_end():
    """The table likes the phrase after token 5, which a beam that puts it off to the limit would not find."""

    class Likes(WideTable):
        def log_probs(self, sentence, prefix):
            row = [-9.0] * 7
            if prefix[-1:] == (5,):
                row[3] = -0.1
            elif prefix[-1:] == (3,):
                row[EOS] = -0.1
            elif 5 in prefix:
                row[EOS] = -0.5
            else:
                row[6], row[5] = -0.5, -0.9
            return tuple(row)

    search = BeamSearch(beam_size=4, limit=LengthLimit(ratio=0, extra=12), **COMMON)
    ((found,),) = search(TableModel(Likes(1, 7)), *batch([1], [3]), Demands(required=[[(3,)]]))
    assert found.tokens == (5, 3)


class Fixed(WideTable):
    """The same log-probabilities whatever was written, but for what a rule of the test changes."""

    def __init__(self, row, after=None):
        super().__init__(0, SIZE)
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "after", after or (lambda prefix: {}))

    def log_probs(self, sentence, prefix):
        row = {**dict.fromkeys(range(SIZE), -9.0), **self.row, **self.after(prefix)}
        return tuple(row[token] for token in range(SIZE))


def test_a_hypothesis_with_the_phrase_stays_though_those_without_are_more_probable():
    """Seven tokens are better than the phrase at any time, and a beam without banks holds only them to the limit."""
    table = Fixed(
        dict.fromkeys(range(5, 12), -2.0),
        lambda prefix: {3: -9.0 if prefix else -6.0, EOS: -0.1 if 3 in prefix else -9.0},
    )
    search = BeamSearch(beam_size=4, scoring=Scoring(normalization="none"), limit=LengthLimit(extra=12), **COMMON)
    ((found,),) = search(TableModel(table), *batch([1], [3]), Demands(required=[[(3,)]]))
    assert (found.tokens, found.log_prob) == ((3,), -6.1)


def test_phrases_come_through_rules_at_the_price_of_the_model():
    table = Fixed({5: -0.5}, lambda prefix: {EOS: -0.1 if prefix == (5, 5, 5) else -9.0})
    for rule in (NoRepeatNGram(1), NoRepeatNGram(2), RepetitionPenalty(3.0)):
        search = BeamSearch(beam_size=4, rules=[rule], **COMMON)
        ((found,),) = search(TableModel(table), *batch([1], [3]), Demands(required=[[(5, 5, 5)]]))
        assert found.tokens == (5, 5, 5)
        assert found.score * 4 == pytest.approx(-1.6)


def test_a_word_starts_behind_a_phrase_though_the_model_would_go_on():
    """There is room for two more tokens, which must be there, and none to write the phrase again."""
    table = Fixed({6: -0.1, 8: -0.2})
    limit = LengthLimit(ratio=0, extra=5, shortest=4)
    search = BeamSearch(beam_size=1, limit=limit, word_starts=STARTS, **COMMON)
    ((found,),) = search(TableModel(table), *batch([1], [3]), Demands(required=[[(1, 6, 6)]]))
    assert found.finished
    assert len(found.tokens) == 4
    assert found.tokens[:3] == (1, 6, 6)
    assert STARTS[found.tokens[3]]


def test_what_must_appear_wins_over_what_must_not_if_one_has_to_give_way():
    rule = ForbiddenPhrases(["new york city"], ["", " new", "", " york", "", " city", *[" x"] * 7], EOS)
    search = BeamSearch(beam_size=3, rules=[rule], limit=LengthLimit(ratio=0, extra=4), **COMMON)
    demands = Demands(prefixes=[(1, 3)], required=[[(5,)]])
    ((found,),) = search(TableModel(WideTable(1, SIZE)), *batch([1], [3]), demands)
    assert (found.tokens, found.finished) == ((1, 3, 5), True)


def test_what_is_asked_of_one_sentence_leaves_the_others_alone():
    table = WideTable(3, SIZE)
    search = BeamSearch(beam_size=4, n_best=4, limit=LengthLimit(ratio=1, extra=4), **COMMON)
    plain = search(TableModel(table), *batch([1, 2, 3], [3, 5, 4]))
    found = search(TableModel(table), *batch([1, 2, 3], [3, 5, 4]), Demands(required=[[], [(7, 8), (9,)], []]))
    for row in (0, 2):
        assert [one.tokens for one in found[row]] == [one.tokens for one in plain[row]]
        assert [one.score for one in found[row]] == [one.score for one in plain[row]]
    (alone,) = search(TableModel(table), *batch([2], [5]), Demands(required=[[(7, 8), (9,)]]))
    assert [one.tokens for one in alone] == [one.tokens for one in found[1]]
    assert all(holds(one.tokens, (7, 8)) and holds(one.tokens, (9,)) for one in alone)


def test_a_phrase_that_is_there_anyway_costs_nothing():
    table = WideTable(2, SIZE, favorites=(5, EOS), boost=4.0)
    search = BeamSearch(beam_size=5, limit=LengthLimit(ratio=1, extra=5), **COMMON)
    ((plain,),) = search(TableModel(table), *batch([4], [6]))
    assert plain.finished
    assert 5 in plain.tokens
    ((found,),) = search(TableModel(table), *batch([4], [6]), Demands(required=[[(5,)]]))
    assert found.tokens == plain.tokens


def test_two_phrases_that_make_a_forbidden_one_are_kept_apart_where_there_is_room():
    surfaces = ["", " new", "", " york", "", " city", " of"]
    rule = ForbiddenPhrases(["new york city"], surfaces, EOS)
    demands = Demands(required=[[(1, 3), (5,)]])
    for spare in (1, 2, 3):
        search = BeamSearch(beam_size=4, n_best=4, rules=[rule], limit=LengthLimit(ratio=0, extra=4 + spare), **COMMON)
        for seed in range(5):
            (found,) = search(TableModel(WideTable(seed, 7, favorites=(1, 3, 5), boost=2.0)), *batch([1], [3]), demands)
            for one in found:
                assert holds(one.tokens, (1, 3))
                assert holds(one.tokens, (5,))
                assert not holds(one.tokens, (1, 3, 5))


@pytest.mark.parametrize(
    ("phrases", "options", "message"),
    [
        ([(1, 3, 5), (7,)], {}, "sentence 2 has 5 tokens with its end, but its translation may have 4 at most; ask"),
        ([()], {}, "a required phrase of sentence 2 has no tokens; leave it out"),
        ([(1, EOS)], {}, "a required phrase of sentence 2 has token 2, but only the tokens of words can be asked for"),
        ([(PAD,)], {}, "a required phrase of sentence 2 has token 0, which search may not choose"),
        ([(6, 1)], {"word_starts": STARTS}, "begins with token 6, inside of a word; ask for whole words"),
        ([(1,)], {"groups": 2}, "phrases that must appear need a beam of one group, but diverse_groups is 2"),
    ],
)
def test_phrases_that_cannot_be_are_refused(phrases, options, message):
    search = BeamSearch(beam_size=4, limit=LengthLimit(ratio=1, extra=0), **COMMON, **options)
    with pytest.raises(ConfigError, match=message):
        search(TableModel(WideTable(1, SIZE)), *batch([1, 2], [9, 4]), Demands(required=[[], phrases]))


def test_a_prefix_takes_room():
    search = BeamSearch(beam_size=4, limit=LengthLimit(ratio=1, extra=0), **COMMON)
    given = batch([1], [5])
    demands = Demands(prefixes=[(5, 6, 1)], required=[[(1, 3)]])  # the prefix has begun the phrase
    assert search(TableModel(WideTable(1, SIZE)), *given, demands)[0][0].tokens == (5, 6, 1, 3)
    with pytest.raises(ConfigError, match="sentence 1 has 6 tokens with its end, but its translation may have 5"):
        search(TableModel(WideTable(1, SIZE)), *given, Demands(prefixes=[(5, 6, 7)], required=[[(1, 3)]]))


def test_there_are_required_phrases_for_each_sentence():
    search = BeamSearch(beam_size=4, **COMMON)
    with pytest.raises(ValueError, match="required phrases of 1 sentences, but 2"):
        search(TableModel(WideTable(1, SIZE)), *batch([1, 2], [5, 5]), Demands(required=[[(1,)]]))


@pytest.mark.parametrize("search", [GreedySearch(**COMMON), SamplingSearch(**COMMON)], ids=["greedy", "sampling"])
def test_only_a_beam_can_place_phrases(search):
    with pytest.raises(ConfigError, match="use beam search"):
        search(TableModel(WideTable(1, SIZE)), *batch([1], [5]), Demands(required=[[(1,)]]))
