from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data import mixture
from seq2seq_attn.data.encoded import EncodedCorpus, Part, ids_path
from seq2seq_attn.data.loader import BatchLoader
from seq2seq_attn.data.mixture import Epoch
from seq2seq_attn.data.ragged import Ragged, RaggedWriter
from seq2seq_attn.errors import ConfigError, DataError

LIMITS = [{"batch_tokens": 97}, {"batch_sentences": 7}]


def corpus_of(parts: list[Part], seed: int = 0) -> EncodedCorpus:
    generator = np.random.default_rng(seed)
    size = sum(part.pairs for part in parts)
    sides = [[[5] * length for length in generator.integers(0, 23, size).tolist()] for _ in "st"]
    return EncodedCorpus(*(Ragged.of(rows, np.uint16) for rows in sides), parts=parts)


def order(epoch: Epoch) -> list[list[int]]:
    return [batch.tolist() for pool in range(epoch.pools) for batch in epoch.batches(pool)]


def seen(corpus: EncodedCorpus, epoch: int, seed: int = 3) -> Counter[int]:
    return Counter(row for batch in order(Epoch(corpus, epoch, batch_sentences=7, seed=seed)) for row in batch)


def plain_epoch(source: list[int], target: list[int], seed: int, epoch: int, *, tokens: int | None, sentences: int):
    """What an epoch of a corpus of one pool was before there were pools, in loops over plain numbers."""
    generator = np.random.default_rng([seed, epoch])
    noise = generator.uniform(-1.0, 1.0, len(source)).tolist()
    keys = [
        (target[row] + 1, (1 if (target[row] + 1) % 2 == 0 else -1) * (source[row] + 1 + noise[row]), row)
        for row in range(len(source))
    ]
    batches: list[list[int]] = []
    for length, _, row in sorted(keys):
        full = not batches or (
            len(batches[-1]) == sentences if tokens is None else (len(batches[-1]) + 1) * length > tokens
        )
        if full:
            batches.append([])
        batches[-1].append(row)
    return [batches[number] for number in generator.permutation(len(batches)).tolist()]


@given(
    st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)), min_size=1, max_size=97),
    st.one_of(st.none(), st.integers(1, 101)),
    st.integers(1, 17),
    st.integers(0, 1000),
)
def test_a_corpus_of_one_pool_has_the_order_it_always_had(lengths, tokens, sentences: int, number: int) -> None:
    source, target = [a for a, _ in lengths], [b for _, b in lengths]
    corpus = EncodedCorpus(*(Ragged.of([[5] * n for n in side], np.uint16) for side in (source, target)))
    limit = {"batch_sentences": sentences} if tokens is None else {"batch_tokens": tokens}
    epoch = Epoch(corpus, number, **limit, seed=11)
    expected = plain_epoch(source, target, 11, number, tokens=tokens, sentences=sentences)
    assert order(epoch) == expected
    assert len(epoch) == len(expected)


@pytest.fixture
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "POOL_PAIRS", 101)
    monkeypatch.setattr(mixture, "BLOCK_PAIRS", 13)


@pytest.mark.usefixtures("small_pools")
class TestPools:
    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("size", [0, 1, 101, 102, 1009])
    def test_every_pair_once(self, size: int, limit) -> None:
        corpus = corpus_of([Part(size)])
        for number in (0, 1):
            epoch = Epoch(corpus, number, **limit, seed=3)
            assert epoch.pools == max(1, -(-size // 101))
            batches = order(epoch)
            assert sorted(row for batch in batches for row in batch) == list(range(size))
            assert len(epoch) == len(batches)

    @pytest.mark.parametrize("limit", LIMITS)
    def test_pools_are_of_one_size_and_from_all_over_the_corpus(self, limit) -> None:
        epoch = Epoch(corpus_of([Part(1009)]), 0, **limit, seed=3)
        for pool in range(epoch.pools):
            rows = [row for batch in epoch.batches(pool) for row in batch.tolist()]
            assert abs(len(rows) - 1009 / 10) <= 13
            assert 250 < np.mean(rows) < 760  # of 1009 a tenth, from one end to the other
            assert len({row // 13 for row in rows}) <= 10  # but in few stretches

    def test_a_function_of_seed_and_epoch(self) -> None:
        corpus = corpus_of([Part(1009)])
        first = order(Epoch(corpus, 4, batch_tokens=97, seed=3))
        assert order(Epoch(corpus_of([Part(1009)]), 4, batch_tokens=97, seed=3)) == first
        assert order(Epoch(corpus, 5, batch_tokens=97, seed=3)) != first
        assert order(Epoch(corpus, 4, batch_tokens=97, seed=4)) != first

    def test_each_epoch_and_each_seed_brings_others_together(self) -> None:
        corpus = corpus_of([Part(1009)])

        def neighbors(number: int, seed: int) -> set[frozenset[int]]:
            epoch = Epoch(corpus, number, batch_sentences=7, seed=seed)
            pools = [
                sorted({row // 13 for batch in epoch.batches(pool) for row in batch.tolist()}) for pool in range(10)
            ]
            return {frozenset(pair) for pool in pools for pair in combinations(pool, 2)}

        first = neighbors(0, 3)
        for other in (neighbors(1, 3), neighbors(0, 4)):
            # of the pairs of blocks that share a pool, chance lets a tenth share one again
            assert len(first & other) < 0.3 * len(first)

    @pytest.mark.parametrize("start", [0, 1, 13, 14, 15, 100, 5000])
    def test_an_epoch_goes_on_from_any_batch(self, start: int) -> None:
        corpus = corpus_of([Part(1009)])
        loader = BatchLoader(corpus, batch_sentences=7, seed=3)
        whole = [batch.indices.tolist() for batch in loader.epoch(2)]
        assert whole == order(Epoch(corpus, 2, batch_sentences=7, seed=3))
        assert len(whole) == loader.batches_per_epoch(2)
        again = BatchLoader(corpus, batch_sentences=7, seed=3, ahead=1)
        assert [batch.indices.tolist() for batch in again.epoch(2, start)] == whole[start:]

    def test_a_start_plans_no_pool_before_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        planned = []
        plain = Epoch.batches
        monkeypatch.setattr(Epoch, "batches", lambda self, pool: planned.append(pool) or plain(self, pool))
        batches = BatchLoader(corpus_of([Part(1009)]), batch_sentences=7, seed=3).epoch(0, 120)
        next(batches)
        batches.close()
        assert planned[0] == 8  # of 10, with 15 batches each
        assert set(planned) <= {8, 9}  # the next one is planned ahead

    def test_mapped_files_give_the_same_batches(self, tmp_path) -> None:
        held = corpus_of([Part(1009)])
        for side, read in (("source", held.source), ("target", held.target)):
            with RaggedWriter(ids_path(tmp_path, side, 101)) as writer:
                writer.write([read(row).tolist() for row in range(len(held))])
        one, two = (
            [
                (batch.indices.tolist(), batch.source.tolist())
                for batch in BatchLoader(it, batch_tokens=97, seed=3).epoch(0)
            ]
            for it in (held, EncodedCorpus.open(tmp_path))
        )
        assert one == two


@pytest.mark.parametrize("pools", ["one", "many"])
class TestWeights:
    @pytest.fixture(autouse=True)
    def pool_size(self, pools: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if pools == "many":
            monkeypatch.setattr(mixture, "POOL_PAIRS", 101)
        monkeypatch.setattr(mixture, "BLOCK_PAIRS", 20)

    def test_whole_numbers_are_exact_in_each_epoch(self) -> None:
        corpus = corpus_of([Part(200, 2.0), Part(100), Part(50, 3.0)])
        for epoch in range(3):
            expected = Counter(dict.fromkeys(range(200), 2) | dict.fromkeys(range(200, 300), 1))
            assert seen(corpus, epoch) == expected + Counter(dict.fromkeys(range(300, 350), 3))

    def test_two_halves_are_the_whole(self) -> None:
        corpus = corpus_of([Part(100), Part(200, 0.5)])
        halves = [{row for row in seen(corpus, epoch) if row >= 100} for epoch in range(4)]
        assert all(90 <= len(half) <= 110 for half in halves)
        # blocks begin at different places of their rounds, so that each pair is seen twice in four epochs or nearly
        times = sum((seen(corpus, epoch) for epoch in range(4)), Counter())
        assert set(times[row] for row in range(100)) == {4}
        assert sum(times[row] for row in range(100, 300)) == pytest.approx(400, abs=10)
        assert all(1 <= times[row] <= 3 for row in range(100, 300))
        assert halves[0] != halves[2]

    @pytest.mark.parametrize("weight", [0.003, 0.1, 0.7, 1.5, 2.25])
    def test_the_share_is_right_in_each_epoch_and_even_over_many(self, weight: float) -> None:
        corpus = corpus_of([Part(1000, weight)])
        total: Counter[int] = Counter()
        for epoch in range(40):
            times = seen(corpus, epoch)
            assert times.total() == pytest.approx(1000 * weight, abs=13)
            total += times
        assert total.total() == pytest.approx(40_000 * weight, abs=50)
        assert max(total.values()) - min(total[row] for row in range(1000)) <= 2

    def test_a_function_of_seed_and_epoch(self) -> None:
        corpus = corpus_of([Part(400, 0.3), Part(400, 1.7)])
        assert seen(corpus, 5) == seen(corpus_of([Part(400, 0.3), Part(400, 1.7)]), 5)
        assert seen(corpus, 5) != seen(corpus, 5, seed=4)
        epoch = Epoch(corpus, 5, batch_tokens=97, seed=3)
        assert len(epoch) == len(order(epoch))
        loader = BatchLoader(corpus, batch_tokens=97, seed=3)
        assert [batch.indices.tolist() for batch in loader.epoch(5)] == order(epoch)


def test_parts_that_are_not_the_corpus() -> None:
    rows = Ragged.of([[5]] * 7, np.uint16)
    with pytest.raises(DataError, match=r"7 pairs, but its parts have 3 \+ 5; prepare it again"):
        EncodedCorpus(rows, rows, parts=[Part(3), Part(5)])


def test_weights_that_leave_nothing_of_an_epoch_are_refused() -> None:
    loader = BatchLoader(corpus_of([Part(50, 0.01)]), batch_sentences=7, seed=3)
    told = r"epoch 1 would see none of the 50 sentence pairs.* raise data\.train\.weight"
    with pytest.raises(ConfigError, match=told):
        loader.batches_per_epoch(0)
    with pytest.raises(ConfigError, match=told):
        next(loader.epoch(0))


def test_ten_million_pairs_are_planned_in_a_moment() -> None:
    # what training waits for before its first step; memory for lengths, none for lists of numbers
    import time

    offsets = np.arange(10_000_001, dtype=np.int64) * 11
    side = Ragged(np.zeros(0, np.uint16), offsets)
    started = time.process_time()
    epoch = Epoch(EncodedCorpus(side, side), 1, batch_tokens=4096, seed=1)
    assert epoch.pools == 20
    assert sum(map(len, epoch.batches(19))) == pytest.approx(500_000, abs=4096)
    assert time.process_time() - started < 5
