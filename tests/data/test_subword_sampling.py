from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data.tokenizers import UNK
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.data.tokenizers.subwords import MergeDropout, UnigramSampler, subword_sampler

TEXT = [
    "low lower lowest newer newest wide wider widest",
    "the lower the slower the newer the wider",
    "slow slower slowest lows news widen",
] * 3


@cache
def trained(algorithm: str) -> SentencePieceTokenizer:
    return SentencePieceTokenizer.train(TEXT, algorithm=algorithm, vocabulary_size=25)


def numbers(seed: int) -> Iterator[float]:
    generator = random.Random(seed)
    while True:
        yield generator.random()


def bpe_dropout(
    pieces: tuple[str, ...], scores: dict[str, tuple[int, float]], p: float
) -> dict[tuple[str, ...], float]:
    """The distribution of algorithm 1 of the paper: every subset of the merges may be dropped at every step."""
    merges = sorted(
        (-scores[pieces[at] + pieces[at + 1]][1], at)
        for at in range(len(pieces) - 1)
        if pieces[at] + pieces[at + 1] in scores
    )
    result: dict[tuple[str, ...], float] = defaultdict(float)
    result[pieces] += p ** len(merges)
    for rank, (_, at) in enumerate(merges):
        merged = (*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :])
        for final, probability in bpe_dropout(merged, scores, p).items():
            result[final] += p**rank * (1 - p) * probability
    return result


def unigram(word: str, scores: dict[str, tuple[int, float]], alpha: float) -> dict[tuple[str, ...], float]:
    """Every segmentation by brute force, weighted by its probability to the power alpha."""
    weights: dict[tuple[str, ...], float] = {}

    def cut(rest: str, pieces: tuple[str, ...], score: float) -> None:
        if not rest:
            weights[pieces] = math.exp(alpha * score)
        for end in range(1, len(rest) + 1):
            if rest[:end] in scores:
                cut(rest[end:], (*pieces, rest[:end]), score + scores[rest[:end]][1])

    cut(word, (), 0.0)
    total = sum(weights.values())
    return {pieces: weight / total for pieces, weight in weights.items()}


@pytest.mark.parametrize("word", ["lower", "newest", "s"])
@pytest.mark.parametrize(("algorithm", "strength"), [("bpe", 0.1), ("bpe", 0.5), ("unigram", 0.2), ("unigram", 1.0)])
def test_segmentations_have_the_probabilities_of_the_papers(algorithm: str, strength: float, word: str) -> None:
    tokenizer = trained(algorithm)
    expected = (
        bpe_dropout(tuple(f"▁{word}"), tokenizer.scores(), strength)
        if algorithm == "bpe"
        else unigram(f"▁{word}", tokenizer.scores(), strength)
    )
    assert sum(expected.values()) == pytest.approx(1)
    sampler = subword_sampler(tokenizer, strength)
    draws = 5_003
    stream = numbers(3)
    seen = Counter(tuple(map(tokenizer.id_to_token, sampler.sample(word, stream))) for _ in range(draws))
    assert set(seen) <= set(expected)
    for pieces, probability in expected.items():
        # five standard deviations: a wrong distribution is off by far more
        slack = 5 * math.sqrt(probability * (1 - probability) / draws)
        assert seen[pieces] / draws == pytest.approx(probability, abs=slack + 1e-4)


def test_the_algorithm_is_recognized() -> None:
    assert isinstance(subword_sampler(trained("bpe"), 0.1), MergeDropout)
    assert isinstance(subword_sampler(trained("unigram"), 0.1), UnigramSampler)


@given(st.text(st.sampled_from("lowernwsthid  ▁\tzé"), max_size=31))
def test_without_dropout_it_is_the_tokenizer(text: str) -> None:
    tokenizer = trained("bpe")
    assert MergeDropout(tokenizer.scores(), 0.0).sample(text, numbers(1)) == tokenizer.encode(text)


@given(st.lists(st.sampled_from(["lower", "newest", "slows", "zé", "the", "é"]), max_size=7))
def test_a_large_exponent_leaves_the_best_segmentation(words: list[str]) -> None:
    tokenizer = trained("unigram")
    text = " ".join(words)
    sampled = UnigramSampler(tokenizer.scores(), 1000.0).sample(text, numbers(1))
    scores = {number: score for number, score in tokenizer.scores().values()}
    # ties may be cut otherwise, but with the same probability
    assert sum(scores.get(number, 0) for number in sampled) == pytest.approx(
        sum(scores.get(number, 0) for number in tokenizer.encode(text))
    )


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
@given(text=st.text(st.sampled_from("lowernwsthid  "), max_size=31), seed=st.integers(0, 997))
def test_every_draw_decodes_to_its_text(algorithm: str, text: str, seed: int) -> None:
    tokenizer = trained(algorithm)
    ids = subword_sampler(tokenizer, 0.3).sample(text, numbers(seed))
    assert tokenizer.decode(ids) == text
    assert UNK not in ids


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_unknown_characters_are_one_unknown_token(algorithm: str) -> None:
    tokenizer = trained(algorithm)
    sampled = subword_sampler(tokenizer, 0.3).sample("low éßø low", numbers(1))
    assert sampled.count(UNK) == tokenizer.encode("low éßø low").count(UNK) == 1


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_what_was_drawn_before_does_not_matter(algorithm: str) -> None:
    # the segmentations of a word are cached; a cache must not change what is drawn
    words = [f"{'lower' * (number % 7)}st{number % 13}" for number in range(211)]
    used = subword_sampler(trained(algorithm), 0.3)
    for word in reversed(words):
        used.sample(word, numbers(5))
    fresh = subword_sampler(trained(algorithm), 0.3)
    one, two = numbers(7), numbers(7)
    assert [used.sample(word, one) for word in words] == [fresh.sample(word, two) for word in words]
    assert next(one) == next(two)


def test_two_processes_agree() -> None:
    # sentencepiece's own sampling does not: its seed is mixed with something of the process
    script = (
        "import random\n"
        "from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer\n"
        "from seq2seq_attn.data.tokenizers.subwords import subword_sampler\n"
        "generator = random.Random(3)\n"
        "stream = iter(generator.random, None)\n"
        f"text = {TEXT!r}\n"
        "for algorithm in ('bpe', 'unigram'):\n"
        "    tokenizer = SentencePieceTokenizer.train(text, algorithm=algorithm, vocabulary_size=25)\n"
        "    sampler = subword_sampler(tokenizer, 0.3)\n"
        "    print([sampler.sample(line, stream) for line in text])\n"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
