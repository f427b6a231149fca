"""Out of memory: the batch is split and retried, and what is learned is the same."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.guard import StepGuard
from seq2seq_attn.training.guard_memory import NoMemory, halves, is_out_of_memory
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.state import TrainState
from seq2seq_attn.training.updater import StepResult, Updater
from seq2seq_attn.training.weight_losses import WeightLosses

CPU = torch.device("cpu")
CPU_TEXT = (
    "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
)


def make_model() -> Seq2Seq:
    torch.manual_seed(5)
    tree = {"embedding_size": 5, "dropout": 0.0, "encoder": {"hidden_size": 3}, "decoder": {"hidden_size": 7}}
    model = build_model(ModelConfig.model_validate(tree), source_vocabulary=17, target_vocabulary=19, padding=0)
    return model.double()


def make_batch(count: int, first: int = 0) -> Batch:
    """Sentences of very unequal lengths, with gold alignments."""
    chance = random.Random(count + first)
    sources = [[chance.randrange(4, 17) for _ in range(chance.randint(1, 11))] for _ in range(count)]
    targets = [[chance.randrange(4, 19) for _ in range(chance.randint(1, 11))] for _ in range(count)]
    shape = (count, max(map(len, targets)) + 1, max(map(len, sources)) + 1)
    gold = np.zeros(shape, dtype=np.float32)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        for position in range(len(target)):
            gold[row, position, chance.randrange(len(source))] = 1.0
    return collate(sources, targets, range(first, first + count), alignment=gold)


def step(model: Seq2Seq, batches: list[Batch]) -> tuple[Tensor, StepResult]:
    """Make a step of plain gradient descent at rate 1; return the gradient it followed."""
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    updater = Updater(
        model,
        torch.optim.SGD(model.parameters(), lr=99.0),
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.1, WeightLosses(coverage=0.3, guided=0.7)),
        clip_norm=None,
    )
    result = updater.update(batches, 1.0)
    with torch.no_grad():
        return before - torch.nn.utils.parameters_to_vector(model.parameters()), result


def limit_forward(model: Seq2Seq, most: int, error: Callable[[], BaseException]) -> None:
    """Let the model have memory for ``most`` sentences."""

    def refuse(_: object, arguments: tuple[Any, ...]) -> None:
        if arguments[0].shape[0] > most:
            raise error()

    model.register_forward_pre_hook(refuse)


def limit_backward(model: Seq2Seq, most: int, error: Callable[[], BaseException]) -> None:
    """Let memory run out when some gradients are there and others are not."""
    size = 0

    def note(_: object, arguments: tuple[Any, ...]) -> None:
        nonlocal size
        size = arguments[0].shape[0]

    def refuse(gradient: Tensor) -> None:
        if size > most:
            assert model.output.weight.grad is not None, "the output layer's gradient comes first"
            raise error()

    model.register_forward_pre_hook(note)
    model.source_embedding.table.weight.register_hook(refuse)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "cpu": lambda: RuntimeError(CPU_TEXT),
    "python": MemoryError,
}


@pytest.mark.parametrize("error", list(ERRORS))
@pytest.mark.parametrize("limit", [limit_forward, limit_backward])
@pytest.mark.parametrize(("most", "splits"), [(99, 0), (8, 2), (3, 7)])
def test_the_same_is_learned_in_parts(limit: Callable[..., None], error: str, most: int, splits: int) -> None:
    """Of 13 + 11 sentences; most 8: 6 + 7 and 5 + 6; most 3: 3 + 3 + 3 + (2 + 2) and 2 + 3 + 3 + 3."""
    batches = [make_batch(13), make_batch(11, first=13)]
    whole, once = step(make_model(), batches)
    assert whole.abs().max() > 1e-3
    model = make_model()
    limit(model, most, ERRORS[error])
    parts, twice = step(model, batches)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-13)
    assert twice.splits == splits
    assert twice.tokens == once.tokens
    assert float(twice.likelihood) == pytest.approx(float(once.likelihood), rel=1e-6)
    for name, value in once.parts.items():
        assert float(value) > 0
        assert float(twice.parts[name]) == pytest.approx(float(value), rel=1e-5)


def test_one_sentence_for_which_there_is_no_memory_is_named_and_nothing_has_changed() -> None:
    model = make_model()
    before = copy.deepcopy(model.state_dict())
    limit_backward(model, 0, ERRORS["cpu"])
    batch = make_batch(5, first=40)
    words = f"{int(batch.source_lengths[0])} source and {int(batch.target_lengths[0])} target tokens"
    with pytest.raises(NoMemory, match=rf"no memory for sentence pair 41 of .* alone \({words}\); lower data.max"):
        step(model, [batch])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_other_errors_are_not_taken_for_it() -> None:
    model = make_model()
    limit_forward(model, 0, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        step(model, [make_batch(3)])


def test_what_torch_really_says() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_halves_hold_every_sentence_once_and_no_padding_that_none_needs() -> None:
    batch = make_batch(7)
    first, second = halves(batch)
    assert (first.size, second.size) == (3, 4)
    assert first.indices.tolist() + second.indices.tolist() == batch.indices.tolist()
    for part, start in ((first, 0), (second, 3)):
        assert part.target_tokens == int(part.target_lengths.sum())
        assert part.source.shape[1] == int(part.source_lengths.max())
        assert part.alignment is not None
        assert batch.alignment is not None
        assert part.alignment.shape == (part.size, part.target_out.shape[1], part.source.shape[1])
        assert float(part.alignment.sum()) == float(batch.alignment[start : start + part.size].sum())
        for row in range(part.size):
            length = int(part.target_lengths[row])
            assert part.target_out[row, :length].tolist() == batch.target_out[start + row, :length].tolist()
            assert part.target_in[row, :length].tolist() == batch.target_in[start + row, :length].tolist()


def test_splits_are_counted_and_told() -> None:
    records: list[dict[str, Any]] = []
    model = make_model()
    limit_forward(model, 3, ERRORS["cpu"])
    batch = make_batch(5)
    _, result = step(model, [batch])
    updater = Updater.__new__(Updater)
    updater.device = CPU
    guard = StepGuard(updater, max_bad_steps=5, emit=lambda record: records.append(dict(record)))
    state = TrainState(step=7, split_batches=4)
    guard.watch(state, [batch], result)
    assert state.split_batches == 5
    (record,) = records
    assert (record["kind"], record["step"], record["split_batches"]) == ("split", 7, 5)
    assert record["sentences"] == [1, 2, 3, 4, 5]
    assert "not enough memory" in record["message"]
