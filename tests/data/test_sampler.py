from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data.sampler import BatchSampler, padding_share
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer

LENGTHS = st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)), max_size=97)
LIMITS = st.one_of(
    st.fixed_dictionaries({"batch_tokens": st.integers(1, 101)}),
    st.fixed_dictionaries({"batch_sentences": st.integers(1, 17)}),
)


def columns(lengths: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [source for source, _ in lengths], [target for _, target in lengths]


@given(LENGTHS, LIMITS, st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_each_sentence_once_within_the_limit(lengths, limit, seed: int, epoch: int) -> None:
    source, target = columns(lengths)
    batches = BatchSampler(source, target, **limit, seed=seed).epoch(epoch)
    assert sorted(number for batch in batches for number in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        if "batch_sentences" in limit:
            assert 1 <= len(batch) <= limit["batch_sentences"]
        else:
            positions = len(batch) * (max(target[number] for number in batch) + 1)  # with the end of sentence
            assert positions <= limit["batch_tokens"] or len(batch) == 1


@given(LENGTHS, st.integers(1, 17))
def test_all_batches_but_one_are_full_of_sentences(lengths, size: int) -> None:
    batches = BatchSampler(*columns(lengths), batch_sentences=size, seed=3).epoch(0)
    assert sorted(len(batch) for batch in batches)[1:] == [size] * (len(batches) - 1)


@given(LENGTHS, st.integers(1, 101))
def test_no_batch_of_tokens_is_cut_early(lengths, limit: int) -> None:
    source, target = columns(lengths)
    sizes: list[int] = []
    for length in sorted(length + 1 for length in target):
        if sizes and (sizes[-1] + 1) * length <= limit:
            sizes[-1] += 1
        else:
            sizes.append(1)
    batches = BatchSampler(source, target, batch_tokens=limit, seed=3).epoch(0)
    assert sorted(map(len, batches)) == sorted(sizes)


def order(sampler: BatchSampler, epoch: int) -> list[list[int]]:
    return [batch.tolist() for batch in sampler.epoch(epoch)]


def test_order_is_a_function_of_seed_and_epoch() -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 23, (2, 997))
    sampler = BatchSampler(*lengths, batch_tokens=211, seed=5)
    later = BatchSampler(*lengths, batch_tokens=211, seed=5)
    first = order(sampler, 1)
    assert order(later, 7) != first  # asked in another order than the first sampler
    assert order(later, 1) == first == order(sampler, 1)
    assert order(BatchSampler(*lengths, batch_tokens=211, seed=6), 1) != first


def test_epochs_bring_other_sentences_together() -> None:
    # a sampler that only shuffles whole batches would give the same sets in each epoch
    lengths = np.random.default_rng(0).integers(1, 11, (2, 997))
    sampler = BatchSampler(*lengths, batch_sentences=31, seed=5)
    one, two = ({frozenset(batch) for batch in order(sampler, epoch)} for epoch in (0, 1))
    assert not one & two


def test_batches_do_not_come_by_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 101, 9973)
    means = [lengths[batch].mean() for batch in BatchSampler(lengths, lengths, batch_sentences=67, seed=5).epoch(0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.25


def test_no_sentences_no_batches() -> None:
    assert BatchSampler([], [], batch_tokens=7, seed=1).epoch(0) == []


def test_wrong_arguments() -> None:
    for limits in ({}, {"batch_tokens": 5, "batch_sentences": 7}):
        with pytest.raises(ValueError, match="one of batch_tokens and batch_sentences"):
            BatchSampler([1], [1], **limits, seed=1)
    with pytest.raises(ValueError, match="2 source lengths, but 3 target lengths"):
        BatchSampler([1, 2], [1, 2, 3], batch_tokens=5, seed=1)


def test_padding_share_by_hand() -> None:
    # source 3 and 5 with their ends: 2 of 10 positions padding; target 2 and 2: none of 4; a batch alone: none
    batches = [np.array([0, 1]), np.array([2])]
    assert padding_share(batches, [2, 4, 6], [1, 1, 9]) == pytest.approx(2 / (10 + 4 + 7 + 10))
    assert padding_share([], [], []) == 0


@cache
def multi30k_lengths(folder: Path, algorithm: str) -> tuple[list[int], list[int]]:
    english, german = (
        gzip.decompress((folder / f"train.{side}.gz").read_bytes()).decode().splitlines() for side in ("en", "de")
    )
    tokenizer = SentencePieceTokenizer.train(english + german, algorithm=algorithm, vocabulary_size=8000)
    source, target = ([len(ids) for ids in tokenizer.encode_batch(texts)] for texts in (english, german))
    return source, target


@pytest.mark.parametrize("limit", [{"batch_tokens": 2048}, {"batch_sentences": 64}])
@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_multi30k_is_less_than_8_percent_padding(multi30k: Path, limit, algorithm: str) -> None:
    source, target = multi30k_lengths(multi30k, algorithm)
    sampler = BatchSampler(source, target, **limit, seed=1)
    for epoch in (0, 1):
        share = padding_share(sampler.epoch(epoch), source, target)
        print(f"\nMulti30k, {algorithm} of 8000, {limit}, epoch {epoch}: {share:.2%} padding")
        assert share < 0.08
