"""Every mechanism learns, and looks where it should: sentences of invented words, said backwards.

Each target word depends on one source word, so attention has one right answer: the anti-diagonal. A mechanism that
moves from left to right only cannot walk along it and has to copy instead, along the diagonal. All models are trained
alike, from the same seed, on sentences never seen before; ``pytest -s`` prints what each needed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import torch
from specs import NAMES, parse, written

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.decoding import GreedySearch, Hypothesis
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.optimizers import build_optimizer
from seq2seq_attn.training.updater import Updater

pytestmark = [pytest.mark.slow, pytest.mark.unchecked_shapes]

PAD, BOS, EOS, FIRST_WORD, VOCABULARY = 0, 2, 3, 4, 12
SHORT, LONG = (3, 8), (8, 12)  # words in a sentence
HELD_OUT = 200  # sentences
LARGE, SMALL = 128, 32  # sentences in a batch: short ones take fewer steps of large batches, which cost little more
STEPS, WARMUP, RATE = 700, 50, 0.01  # the rate falls to zero until the last step; most need a third of them
ENOUGH = 0.997  # of all tokens right in the sentences held out: no need to train on


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Task(NamedTuple):
    """What is to be learned."""

    backwards: bool
    lengths: tuple[int, int]

    def batch(self, chance: random.Random, sentences: int) -> Batch:
        sources = [
            [chance.randrange(FIRST_WORD, VOCABULARY) for _ in range(chance.randint(*self.lengths))]
            for _ in range(sentences)
        ]
        return collate(sources, [words[::-1] if self.backwards else words for words in sources], range(sentences))

    def place(self, step: int, length: int) -> int:
        """Where the word of a target position stands in the source."""
        return length - 1 - step if self.backwards else step


class Learned(NamedTuple):
    """How well a model writes sentences it never saw."""

    steps: int
    right: float  # share of tokens that greedy search writes in their places, the end of the sentence included
    near: float  # share of words written while looking hardest at their source word or its neighbor


def task_of(name: str, lengths: tuple[int, int] = SHORT) -> Task:
    parts = parse(name).parts
    left_to_right = parts.monotonic not in (None, "none") or parts.window == "local-m"
    return Task(not left_to_right, lengths)


def model_of(name: str) -> Seq2Seq:
    """A small model, wired as in the mechanism's paper."""
    attention = written(name)
    if parse(name).parts.window not in (None, "global"):
        attention["window_size"] = 2  # a window that holds any of these sentences would be none
    config = ModelConfig.model_validate(
        {
            "embedding_size": 24,
            "tie_embeddings": "none",
            "dropout": 0.0,
            "encoder": {"hidden_size": 24},
            "decoder": {"hidden_size": 48},
            "attention": attention,
        }
    )
    torch.manual_seed(1)
    return build_model(config, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY, padding=PAD)


def learn(name: str, task: Task, batch: int = LARGE, most: int = STEPS) -> Learned:
    model = model_of(name)
    updater = Updater(
        model,
        build_optimizer(model, kind="adam", learning_rate=RATE),
        device=torch.device("cpu"),
        precision=Precision(torch.float32, "asked for"),
        objective=LikelihoodObjective(0.0),
        clip_norm=1.0,
    )
    chance, held_out = random.Random(1), task.batch(random.Random(2), HELD_OUT)
    begin, step = time.perf_counter(), 0
    for step in range(1, most + 1):
        updater.update([task.batch(chance, batch)], RATE * min(1.0, step / WARMUP) * (1 - step / (most + 1)))
        if step % 25 == 0 and forced_accuracy(model, held_out) >= ENOUGH and judge(model, task, held_out)[0] >= ENOUGH:
            break
    learned = Learned(step, *judge(model, task, held_out))
    what = f"{'backwards' if task.backwards else 'copied'}, {task.lengths[0]} to {task.lengths[1]} words"
    print(
        f"\n{name}: {learned.steps} steps, {time.perf_counter() - begin:.1f} s, {learned.right:.3f} of tokens right, "
        f"{learned.near:.3f} near ({what})"
    )
    return learned


@torch.no_grad()
def forced_accuracy(model: Seq2Seq, batch: Batch) -> float:
    model.eval()
    features = model(batch.source, batch.source_lengths, batch.target_in).features
    tokens = batch.target_mask
    return float((model.log_probs(features[tokens]).argmax(-1) == batch.target_out[tokens]).float().mean())


def judge(model: Seq2Seq, task: Task, batch: Batch) -> tuple[float, float]:
    """Let the model write on its own, and compare words and places."""
    model.eval()
    search = GreedySearch(bos=BOS, eos=EOS, forbidden=(PAD, 1))
    found = [hypotheses[0] for hypotheses in search(model, batch.source, batch.source_lengths)]
    right = near = words = 0
    for row, hypothesis in enumerate(found):
        length = int(batch.target_lengths[row]) - 1
        wanted = batch.target_out[row, :length].tolist()
        right += sum(mine == token for mine, token in zip(hypothesis.tokens, wanted, strict=False))
        right += hypothesis.finished and len(hypothesis.tokens) == length
        near += near_places(hypothesis, task, length)
        words += length
    return right / batch.target_tokens, near / words


def near_places(hypothesis: Hypothesis, task: Task, length: int) -> int:
    looked = hypothesis.weights[:length].argmax(-1).tolist()
    return sum(abs(place - task.place(step, length)) <= 1 for step, place in enumerate(looked))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_every_mechanism_learns_and_looks_where_it_should(name):
    learned = learn(name, task_of(name))
    assert learned.right >= 0.99
    assert learned.near >= 0.8


def test_one_vector_cannot_hold_what_attention_looks_up():
    """Standing for: a decoder that learned the task behind the attention's back, which would prove nothing above."""
    task = task_of("luong-general", LONG)
    with_attention = learn("luong-general", task, SMALL, most=400)
    without = learn("none", task, SMALL, most=with_attention.steps)
    assert with_attention.right >= 0.99
    assert with_attention.near >= 0.9
    assert without.right <= 0.85


def test_a_window_that_walks_forwards_does_not_reverse():
    """Standing for: a window that holds the whole sentence, with which copying would prove nothing above."""
    assert learn("luong-local-m", Task(False, LONG), SMALL, most=250).right >= 0.95
    assert learn("luong-local-m", Task(True, LONG), SMALL, most=250).right <= 0.8
