"""A batch for which there is no memory is learned from in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.errors import TrainingError

# Where memory runs out, torch raises a class of its own on some devices only; elsewhere the text tells.
SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")


class NoMemory(TrainingError):  # noqa: N818 - what happened; as an error it is a TrainingError
    """There is not even memory for one sentence pair; parameters and optimizer are as they were."""


def learn_in_parts(batches: Sequence[Batch], learn: Callable[[Batch], None], start_over: Callable[[], None]) -> int:
    """Call ``learn`` with every batch, in halves, quarters and so on where memory does not suffice for more.

    Memory may run out when half of a gradient has been added to another one. So all begins anew after every
    split; what was made until then cannot be told apart from what was not.

    Args:
        batches: of one step.
        learn: adds the gradient of a batch.
        start_over: forgets all gradients of this step.

    Returns:
        How many splits it took; 0 nearly always.

    Raises:
        NoMemory: naming the sentence pair that is too large on its own.
    """
    waiting = list(batches)
    splits = 0
    number = 0
    while number < len(waiting):
        if _fits(learn, waiting[number]):
            number += 1
            continue
        # here, and not where the error was caught: as long as it is there, it keeps what the step had allocated
        start_over()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        waiting[number : number + 1] = halves(waiting[number])
        splits += 1
        number = 0
    return splits


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory has run out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Split a batch in two, each as long as its longest sentence.

    Raises:
        NoMemory: if it is one sentence pair.
    """
    if batch.size < 2:
        raise NoMemory(
            f"no memory for sentence pair {int(batch.indices[0]) + 1} of the prepared corpus alone "
            f"({int(batch.source_lengths[0])} source and {int(batch.target_lengths[0])} target tokens); "
            "lower data.max_length, or make the model smaller"
        )
    middle = batch.size // 2
    return rows_of(batch, slice(0, middle)), rows_of(batch, slice(middle, None))


def _fits(learn: Callable[[Batch], None], batch: Batch) -> bool:
    try:
        learn(batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def rows_of(batch: Batch, rows: slice) -> Batch:
    """Return some sentences of a batch, as long as the longest of them."""
    source_lengths, target_lengths = batch.source_lengths[rows], batch.target_lengths[rows]
    source_len, target_len = int(source_lengths.max()), int(target_lengths.max())
    return replace(
        batch,
        source=batch.source[rows, :source_len],
        source_lengths=source_lengths,
        target_in=batch.target_in[rows, :target_len],
        target_out=batch.target_out[rows, :target_len],
        target_lengths=target_lengths,
        indices=batch.indices[rows],
        target_tokens=int(target_lengths.sum()),
        alignment=None if batch.alignment is None else batch.alignment[rows, :target_len, :source_len],
    )
