from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_attn.data.batching import Batch, collate, collate_source, mask
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD

SENTENCES = st.lists(
    st.tuples(*[st.lists(st.integers(4, 97), max_size=7)] * 2),
    min_size=1,
    max_size=11,
)


def test_one_batch_by_hand() -> None:
    batch = collate([[7, 8], [9]], [[5], [4, 6, 5]], [13, 11])
    assert batch.source.tolist() == [[7, 8, EOS], [9, EOS, PAD]]
    assert batch.target_in.tolist() == [[BOS, 5, PAD, PAD], [BOS, 4, 6, 5]]
    assert batch.target_out.tolist() == [[5, EOS, PAD, PAD], [4, 6, 5, EOS]]
    assert batch.source_lengths.tolist() == [3, 2]
    assert batch.target_lengths.tolist() == [2, 4]
    assert batch.indices.tolist() == [13, 11]
    assert (batch.size, batch.target_tokens) == (2, 6)
    assert batch.source_mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.target_mask.tolist() == [[True, True, False, False], [True] * 4]


@given(SENTENCES)
def test_nothing_is_lost_or_added(pairs: list[tuple[list[int], list[int]]]) -> None:
    sources, targets = zip(*pairs, strict=True)
    batch = collate(sources, [np.array(ids, dtype=np.uint16) for ids in targets], range(len(pairs)))
    for row, (source, target) in enumerate(pairs):
        assert batch.source[row][batch.source_mask[row]].tolist() == [*source, EOS]
        assert batch.target_in[row][batch.target_mask[row]].tolist() == [BOS, *target]
        assert batch.target_out[row][batch.target_mask[row]].tolist() == [*target, EOS]
    assert (batch.source[~batch.source_mask] == PAD).all()
    assert (batch.target_in[~batch.target_mask] == PAD).all()
    assert (batch.target_out[~batch.target_mask] == PAD).all()
    assert batch.target_tokens == sum(len(target) + 1 for target in targets)
    assert batch.source_mask.any(1).all()  # an empty sentence still has its end: no softmax over nothing
    assert {tensor.dtype for tensor in vars(batch).values() if isinstance(tensor, torch.Tensor)} == {torch.int64}


def test_source_alone_is_the_source_of_a_batch() -> None:
    sources = [[4, 5, 6], [], [7]]
    batch = collate(sources, [[4]] * 3, range(3))
    source, lengths = collate_source(sources)
    assert torch.equal(source, batch.source)
    assert torch.equal(lengths, batch.source_lengths)


def test_a_batch_moves_as_a_whole() -> None:
    batch = collate([[4]], [[5]], [0]).to("meta")
    assert isinstance(batch, Batch)
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 6
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert batch.target_tokens == 2


def test_mask_may_be_wider_than_the_longest() -> None:
    assert mask(torch.tensor([1, 3]), 5).tolist() == [[True] + [False] * 4, [True] * 3 + [False] * 2]
