"""Does each sentence and each step stand for itself?"""

from __future__ import annotations

import torch

from seq2seq_attn.testing.inputs import Inputs, attend, gap_between, inputs_of, look
from seq2seq_attn.testing.report import broken, skip
from seq2seq_attn.testing.subject import Subject

ORDER = (2, 0, 3, 1)
SURVIVORS = (2, 2, 0, 3, 2)


def alone_or_together(subject: Subject) -> None:
    """A sentence gets the same alone, in a batch, and in any order of it."""
    mend = "mix no sentences: reduce over the source or the features, never over the batch"
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    together = attend(attention, inputs)
    order = torch.tensor(ORDER)
    mixed = attend(attention, inputs.rows(order))
    wanted = together._replace(context=together.context[order], weights=together.weights[order])
    if difference := gap_between(mixed, wanted):
        broken(f"in the order {list(ORDER)} of the batch, {difference}", mend)
    for row in range(len(inputs.mask)):
        sentence = inputs.sentence(row)
        alone = attend(attention, sentence)
        kept = slice(row, row + 1)
        weights = together.weights[kept, :, : sentence.mask.shape[1]]
        if difference := gap_between(alone, together._replace(context=together.context[kept], weights=weights)):
            broken(f"for sentence {row} alone and without padding, {difference}", mend)


def steps_or_at_once(subject: Subject) -> None:
    """One query at a time, as in search, gives the same as all at once, as in training."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    if attention.recurrent:
        skip("a recurrent mechanism is given one query at a time only")
    at_once = attend(attention, inputs)
    if difference := gap_between(attend(attention, inputs, step_by_step=True), at_once):
        broken(
            f"one query at a time, {difference}",
            "set recurrent = True if a step needs the one before it; else let no query know of another",
        )


def rows_follow(subject: Subject) -> None:
    """Beam search repeats and drops sentences: memory and state of the survivors are all that the next step needs."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    rows = torch.tensor(SURVIVORS)
    memory = attention.memorize(inputs.values, inputs.mask)
    after_one = attention(inputs.queries[:, :1], memory, attention.start(memory)).state
    state = tuple(part.index_select(0, rows) for part in after_one)
    found = attention(inputs.queries[rows, 1:2], memory.select(rows), state)
    survivors = inputs.rows(rows)
    first_two = Inputs(survivors.values, survivors.mask, survivors.queries[:, :2])
    again = look(attention, first_two.queries, attention.memorize(first_two.values, first_two.mask), step_by_step=True)
    wanted = again._replace(context=again.context[:, 1:], weights=again.weights[:, 1:])
    if difference := gap_between(found, wanted):
        broken(
            f"in the second step, after rows {list(SURVIVORS)} were kept, {difference}",
            "carry all that a step leaves to the next in the state, with the batch as first axis of every tensor",
        )
