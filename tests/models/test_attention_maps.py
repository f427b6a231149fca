"""What a recurrent model shows of its attention: the one map, and its heads where it has some."""

from __future__ import annotations

import threading

import pytest
import torch
from building import CASES, Case, assert_same, sentences, small_model

BATCH = sentences()
SOME = [Case("luong-general", "luong", True), Case("luong-general", "luong", False), Case("bahdanau", "bahdanau", True)]
HEADED = [case for case in CASES if case.attention == "multi-head" or "+heads=" in case.attention]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_without_heads_there_is_the_one_map(case):
    model = small_model(case)
    (found,) = model.attention_maps(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    assert found[:3] == ("cross", 1, 0)
    assert torch.equal(found.weights, model(BATCH.source, BATCH.source_lengths, BATCH.target_in).weights)


@pytest.mark.parametrize("case", HEADED, ids=str)
def test_heads_are_shown_one_by_one_behind_their_mean(case):
    model = small_model(case)
    first, *heads = model.attention_maps(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    assert first[:3] == ("cross", 1, 0)
    assert len(heads) > 1
    assert [found[:3] for found in heads] == [("cross", 1, head) for head in range(1, len(heads) + 1)]
    assert_same(torch.stack([found.weights for found in heads]).mean(0), first.weights)
    assert not torch.equal(heads[0].weights, heads[1].weights)
    assert torch.equal(first.weights, model(BATCH.source, BATCH.source_lengths, BATCH.target_in).weights)
    for row, (source, target_in, _) in enumerate(BATCH.rows()):
        alone = model.attention_maps(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target_in]))
        for found, wanted in zip(alone[1:], heads, strict=True):
            assert_same(found.weights[0], wanted.weights[row, : len(target_in), : len(source)])


def test_whoever_looks_leaves_nothing_behind_and_hears_nobody_else():
    """Two threads may use one model at once."""
    model = small_model(HEADED[0])
    inputs = (BATCH.source, BATCH.source_lengths, BATCH.target_in)
    wanted = model.attention_maps(*inputs)
    begun, may_go = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        if threading.current_thread() is not threading.main_thread() and not begun.is_set():
            begun.set()
            may_go.wait(30)

    found: list[object] = []
    handle = model.encoder.register_forward_hook(wait)
    other = threading.Thread(target=lambda: found.append(model.attention_maps(*inputs)))
    other.start()
    assert begun.wait(30)
    model(*inputs)  # in the midst of the other's look
    assert [here.weights.shape for here in model.attention_maps(*inputs)] == [there.weights.shape for there in wanted]
    may_go.set()
    other.join()
    handle.remove()
    (maps,) = found
    for here, there in zip(maps, wanted, strict=True):  # type: ignore[call-overload]
        assert torch.equal(here.weights, there.weights)
    assert not any(module._forward_hooks for module in model.modules())
