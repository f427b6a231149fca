"""Attention of many hypotheses to one sentence, which is kept once and not once for each."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq_attn.attention.base import Attended, Attention, AttentionState, Memory

FEWEST_QUERIES = 4
"""Products of fewer rows run through other kernels, with other roundings: the rest is filled up."""


class SentenceMemory(Memory):
    """A memory of sentences that knows which of them each row looks at, instead of an entry for every row.

    Args:
        memory: of sentences.
        sentences: the entry that each row looks at.

    Attributes:
        sentences: as given.
        queries: places for rows that each sentence has.
        places: where each row stands among all queries, sentence by sentence.
    """

    sentences: Int[Tensor, " rows"]
    queries: int
    places: Int[Tensor, " rows"]

    def __new__(cls, memory: Memory, sentences: Int[Tensor, " rows"]) -> SentenceMemory:
        """Give every row a place."""
        made = super().__new__(cls, *memory)
        order = sentences.argsort(stable=True)
        ordered = sentences[order]
        first = torch.searchsorted(ordered, ordered)  # of the rows of the same sentence
        numbers = torch.arange(len(ordered), device=sentences.device) - first
        made.sentences = sentences
        made.queries = max(FEWEST_QUERIES, 1 + max(numbers.tolist(), default=0))
        made.places = torch.empty_like(sentences)
        made.places[order] = ordered * made.queries + numbers
        return made

    def select(self, rows: Int[Tensor, " kept"]) -> SentenceMemory:
        """Keep ``rows``, repeats allowed. Sentences without rows go when there are many of them."""
        sentences = self.sentences.index_select(0, rows)
        held = self.mask.shape[0]
        alive = torch.zeros(held, dtype=torch.long, device=rows.device)
        alive[sentences] = 1
        memory = Memory(*self)
        if int(alive.sum()) * 4 <= held * 3:
            memory = memory.select(alive.nonzero().squeeze(1))
            sentences = (alive.cumsum(0) - 1)[sentences]
        return SentenceMemory(memory, sentences)


class SentenceAttention(Attention):
    """A mechanism whose hypotheses of one sentence look at one memory, side by side.

    They are to the memory what the positions of a target are under teacher forcing. A mechanism that
    carries a state from step to step has a memory for every hypothesis, as before.

    Args:
        inner: the mechanism.
    """

    def __init__(self, inner: Attention) -> None:
        super().__init__(query_size=inner.query_size, value_size=inner.context_size, hidden_size=inner.hidden_size)
        self.inner = inner
        self.recurrent = inner.recurrent
        self.sums_to_one = inner.sums_to_one
        self.attends = inner.attends  # type: ignore[misc]  # of the class, there

    def memorize(
        self, values: Float[Tensor, "batch source_len value"], mask: Bool[Tensor, "batch source_len"]
    ) -> Memory:
        """Make the memory of the mechanism, one entry per sentence."""
        memory = self.inner.memorize(values, mask)
        if self.inner.recurrent or self.inner.start(memory):
            return memory
        return SentenceMemory(memory, torch.arange(mask.shape[0], device=mask.device))

    def start(self, memory: Memory) -> AttentionState:
        """Return the state before the first decoder step: nothing, where sentences are shared."""
        return () if isinstance(memory, SentenceMemory) else self.inner.start(memory)

    def forward(
        self, query: Float[Tensor, "rows target_len query"], memory: Memory, state: AttentionState = ()
    ) -> Attended:
        """Bring the queries to their sentences, attend, and bring back what they found."""
        if not isinstance(memory, SentenceMemory):
            return self.inner(query, memory, state)
        held = memory.mask.shape[0]
        queries = query.new_zeros(held * memory.queries, query.shape[2])
        queries.index_copy_(0, memory.places, query.squeeze(1))
        found = self.inner(queries.view(held, memory.queries, -1), Memory(*memory), ())
        context = found.context.flatten(0, 1).index_select(0, memory.places)
        weights = found.weights.flatten(0, 1).index_select(0, memory.places)
        return Attended(context.unsqueeze(1), weights.unsqueeze(1), ())
