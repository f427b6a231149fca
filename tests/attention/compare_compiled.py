"""Run by ``test_compiled.py`` in a process of its own: annotations that are executed cannot be compiled.

Prints, for every mechanism, how far ``torch.compile`` is from eager in three decoder steps.
"""

from __future__ import annotations

import json
import sys

import torch
from building import LENGTHS, mask_of, normal, small_attention
from specs import NAMES
from torch import Tensor

from seq2seq_attn.attention import Attention

MASK = mask_of(LENGTHS)


def look_three_times(attention: Attention, values: Tensor, queries: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Three decoder steps, each with the state of the one before."""
    memory = attention.memorize(values, mask)
    state = attention.start(memory)
    contexts, weights = [], []
    for query in queries.split(1, dim=1):
        context, row, state = attention(query, memory, state)
        contexts.append(context)
        weights.append(row)
    return torch.cat(contexts, 1), torch.cat(weights, 1)


def inputs_for(attention: Attention) -> tuple[Tensor, Tensor]:
    """Values and queries in single precision."""
    value_size = attention.context_size or 5
    return normal(*MASK.shape, value_size, seed=2).float(), normal(
        len(LENGTHS), 3, attention.query_size, seed=3
    ).float()


def distance(name: str, device: str, *, compiled: bool) -> float:
    """Largest difference from eager on the CPU."""
    attention = small_attention(name).float()
    values, queries = inputs_for(attention)
    wanted = look_three_times(attention, values, queries, MASK)
    torch.compiler.reset()
    call = torch.compile(look_three_times, fullgraph=True) if compiled else look_three_times
    found = call(attention.to(device), values.to(device), queries.to(device), MASK.to(device))
    pairs = zip(found, wanted, strict=True)
    return max(float((there.cpu() - here).abs().max()) for there, here in pairs if here.numel())


if __name__ == "__main__":
    print(json.dumps({name: distance(name, sys.argv[1], compiled=True) for name in NAMES}))
