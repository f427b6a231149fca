from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
import torch

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.ragged import Ragged
from seq2seq_attn.data.sampler import BatchSampler
from seq2seq_attn.errors import DataError


def make_corpus(size: int = 211, seed: int = 0) -> EncodedCorpus:
    generator = np.random.default_rng(seed)
    sides = [[generator.integers(4, 97, length).tolist() for length in generator.integers(0, 13, size)] for _ in "st"]
    return EncodedCorpus(*(Ragged.of(rows, np.uint16) for rows in sides))


def same(one: Batch, two: Batch) -> bool:
    return all(
        torch.equal(a, b)
        for a, b in zip(vars(one).values(), vars(two).values(), strict=True)
        if a is not b and isinstance(a, torch.Tensor)
    )


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    gc.collect()
    assert not threads()


def test_batches_are_those_of_the_sampler() -> None:
    corpus = make_corpus()
    loader = BatchLoader(corpus, batch_tokens=53, seed=3)
    numbers = BatchSampler(corpus.source_lengths, corpus.target_lengths, batch_tokens=53, seed=3).epoch(7)
    batches = list(loader.epoch(7))
    assert len(batches) == len(numbers) == loader.batches_per_epoch(7)
    for batch, rows in zip(batches, numbers, strict=True):
        expected = collate([*map(corpus.source, rows)], [*map(corpus.target, rows)], rows)
        assert same(batch, expected)
        assert batch.indices.tolist() == rows.tolist()


@pytest.mark.parametrize("start", [0, 1, 5, 10_007])
def test_an_epoch_goes_on_from_any_batch(start: int) -> None:
    # what resuming in the middle of an epoch stands on
    loader = BatchLoader(make_corpus(), batch_sentences=11, seed=3)
    whole = list(loader.epoch(2))
    rest = list(BatchLoader(make_corpus(), batch_sentences=11, seed=3).epoch(2, start))
    assert len(rest) == max(0, len(whole) - start)
    assert all(same(a, b) for a, b in zip(rest, whole[start:], strict=True))


def test_the_corpus_may_differ_by_epoch() -> None:
    asked: list[int] = []

    def corpus_of(epoch: int) -> EncodedCorpus:
        asked.append(epoch)
        return make_corpus(size=31 + epoch, seed=epoch)

    loader = BatchLoader(corpus_of, batch_sentences=7, seed=3)
    assert loader.batches_per_epoch(5) == 6
    assert sum(batch.size for batch in loader.epoch(5)) == 36
    assert sum(batch.size for batch in loader.epoch(6)) == 37
    assert asked == [5, 6]  # each epoch is encoded once


def test_few_batches_are_made_ahead() -> None:
    made: list[int] = []

    class Watched(EncodedCorpus):
        def target(self, number: int):
            made.append(number)
            return super().target(number)

    corpus = make_corpus()
    watched = Watched(corpus._source, corpus._target)
    batches = BatchLoader(watched, batch_sentences=1, seed=3, ahead=3).epoch(0)
    assert not made  # nothing is done before the first batch is asked for
    next(batches)
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 5  # one used, three waiting, one in the hand of the thread
    batches.close()


def test_closing_stops_the_thread() -> None:
    batches = BatchLoader(make_corpus(), batch_sentences=2, seed=3).epoch(0)
    next(batches)
    assert threads()
    began = time.monotonic()
    batches.close()
    assert not threads()
    assert time.monotonic() - began < 2


def test_dropping_stops_the_thread() -> None:
    for _ in BatchLoader(make_corpus(), batch_sentences=2, seed=3).epoch(0):
        break
    gc.collect()
    assert not threads()


def test_errors_reach_the_one_who_asks() -> None:
    def corpus_of(epoch: int) -> EncodedCorpus:
        raise DataError(f"epoch {epoch} is damaged")

    with pytest.raises(DataError, match="epoch 3 is damaged"):
        next(BatchLoader(corpus_of, batch_sentences=2, seed=3).epoch(3))

    class Broken(EncodedCorpus):
        def source(self, number: int):
            if number == 13:
                raise OSError("the disk is gone")
            return super().source(number)

    corpus = make_corpus()
    broken = Broken(corpus._source, corpus._target)
    with pytest.raises(OSError, match="the disk is gone"):
        list(BatchLoader(broken, batch_sentences=2, seed=3).epoch(0))


def test_an_empty_corpus_has_no_batches() -> None:
    loader = BatchLoader(make_corpus(size=0), batch_tokens=7, seed=3)
    assert list(loader.epoch(0)) == []
    assert loader.batches_per_epoch(0) == 0
