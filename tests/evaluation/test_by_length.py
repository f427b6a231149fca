from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.by_length import LengthBucket, choose_edges, format_by_length, score_by_length
from seq2seq_attn.evaluation.metrics import MetricOptions, score_corpus


def lines_of(lengths: list[int], seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choice("abcdefgh") for _ in range(length)) for length in lengths]


def spread(seed: int = 2, count: int = 997, longest: int = 61) -> list[int]:
    draw = random.Random(seed)
    return [draw.randint(1, longest) for _ in range(count)]


def test_a_bucket_is_scored_as_a_corpus_of_its_own():
    lengths = [3, 12, 5, 21, 10, 11, 20, 47]
    sources, references = lines_of(lengths, 1), lines_of([length + 2 for length in lengths], 2)
    hypotheses = [line[:-2] if len(line) > 20 else line for line in references]
    buckets = score_by_length(sources, hypotheses, references, edges=(10, 20), metrics=["bleu", "ter"])
    members = [[0, 2, 4], [1, 5, 6], [3, 7]]
    assert [bucket.label for bucket in buckets] == ["1-10", "11-20", "> 20"]
    assert [bucket.sentences for bucket in buckets] == [3, 3, 2]
    assert [bucket.mean_length for bucket in buckets] == pytest.approx([18 / 3, 43 / 3, 68 / 2])
    for bucket, chosen in zip(buckets, members, strict=True):
        alone = score_corpus([hypotheses[i] for i in chosen], [references[i] for i in chosen], ["bleu", "ter"])
        assert bucket.scores == alone


def test_length_is_counted_in_words_of_the_source():
    # not in its characters, not in subwords, and not in words of the reference
    sources = ["one\ttwo  three", "averyveryverylongword"]
    buckets = score_by_length(sources, ["x", "y"], ["a b c d e", "a b c d e"], edges=(1, 2, 3))
    assert [(bucket.label, bucket.sentences) for bucket in buckets] == [("1", 1), ("3", 1)]


@given(
    lengths=st.lists(st.integers(0, 70), min_size=1, max_size=50),
    edges=st.none() | st.lists(st.integers(0, 80), unique=True, max_size=5).map(sorted),
)
def test_buckets_partition_the_test_set(lengths, edges):
    sources = lines_of(lengths)
    buckets = score_by_length(sources, sources, sources, edges=edges, metrics=["chrf"])
    for length in lengths:
        homes = [b for b in buckets if b.shortest <= length and (b.longest is None or length <= b.longest)]
        assert len(homes) == 1
    assert sum(bucket.sentences for bucket in buckets) == len(lengths)
    assert sum(bucket.sentences * bucket.mean_length for bucket in buckets) == pytest.approx(sum(lengths))
    assert [bucket.shortest for bucket in buckets] == sorted({bucket.shortest for bucket in buckets})


def test_several_references_and_options_count_in_every_bucket():
    lengths = [3, 12, 5, 21, 10, 11]
    sources, hypotheses = lines_of(lengths, 1), lines_of(lengths, 2)
    references = [lines_of(lengths, 3), [line.upper() for line in lines_of(lengths, 4)]]
    options = MetricOptions(lowercase=True, tokenize="char", resamples=9)
    buckets = score_by_length(sources, hypotheses, references, edges=(10,), options=options)
    unsure = MetricOptions(lowercase=True, tokenize="char")
    for bucket, chosen in zip(buckets, [[0, 2, 4], [1, 3, 5]], strict=True):
        several = [[lines[index] for index in chosen] for lines in references]
        assert bucket.scores == score_corpus([hypotheses[index] for index in chosen], several, options=unsure)
        assert "nrefs:2|case:lc|eff:no|tok:char" in bucket.scores["bleu"].signature
    with pytest.raises(DataError, match="there are 6 sources, 6 hypotheses and 5 references"):
        score_by_length(sources, hypotheses, [references[0], references[1][1:]])


def test_an_empty_source_is_counted_and_the_label_says_so():
    buckets = score_by_length(["", "a b"], ["x", "y"], ["x", "y"], edges=(5,))
    assert [(bucket.label, bucket.sentences) for bucket in buckets] == [("0-5", 2)]
    assert score_by_length([""], ["x"], ["x"], edges=())[0].label == "any"


def test_chosen_edges_are_round_and_the_buckets_hold_enough():
    edges = choose_edges(spread())
    assert edges == [10, 20, 30, 40, 50]  # 61 is one length of eleven: it joins the last bucket
    assert choose_edges(spread(longest=30)) == [5, 10, 15, 20, 25, 30]
    assert choose_edges([7] * 100) == [7]
    assert choose_edges([]) == []


@given(st.lists(st.integers(0, 300), min_size=1, max_size=400))
def test_chosen_edges_ascend_and_few_sentences_stand_alone(lengths):
    edges = choose_edges(lengths)
    assert edges == sorted(set(edges))
    assert len(edges) <= 8
    counts = [
        sum(low < length <= high for length in lengths) for low, high in zip([-1, *edges], [*edges, 10**9], strict=True)
    ]
    fewest = min(20, len(lengths) // 20)
    assert all(count >= fewest for count in counts if count)


def test_one_very_long_sentence_does_not_set_the_width():
    lengths = [*spread(longest=30), 5000]
    assert choose_edges(lengths) == [5, 10, 15, 20, 25]


def test_the_table_lines_up():
    score = score_corpus(["a b c d"], ["a b c d"], ["bleu", "chrf"])
    buckets = [LengthBucket(1, 10, 1009, 6.1, score), LengthBucket(11, None, 7, 23.5, score)]
    assert format_by_length(buckets).splitlines() == [
        "source words  sentences    BLEU   chrF2",
        "------------  ---------  ------  ------",
        "        1-10       1009  100.00  100.00",
        "        > 10          7  100.00  100.00",
        f"BLEU: {score['bleu'].signature}",
        f"chrF2: {score['chrf'].signature}",
    ]
    assert format_by_length([]) == ""


def test_a_bucket_becomes_json():
    bucket = score_by_length(["a b c"], ["x"], ["x"], edges=())[0]
    read = json.loads(json.dumps(bucket.to_dict()))
    assert read["shortest"] == 1
    assert read["longest"] is None
    assert read["sentences"] == 1
    assert read["mean_length"] == 3
    assert read["scores"]["bleu"]["signature"] == bucket.scores["bleu"].signature


def test_wrong_requests_are_explained():
    with pytest.raises(DataError, match="there are 1 sources, 2 hypotheses and 3 references"):
        score_by_length(["a"], ["a", "b"], ["a", "b", "c"])
    with pytest.raises(DataError, match="nothing to score"):
        score_by_length([], [], [])
    with pytest.raises(UserError, match=r"must be whole numbers that ascend from 0, not \[20, 10\]"):
        score_by_length(["a"], ["a"], ["a"], edges=(20, 10))
    with pytest.raises(UserError, match="ascend from 0"):
        score_by_length(["a"], ["a"], ["a"], edges=(-3, 10))
    with pytest.raises(UserError, match="unknown metric 'blue'"):
        score_by_length(["a"], ["a"], ["a"], metrics=["blue"])
