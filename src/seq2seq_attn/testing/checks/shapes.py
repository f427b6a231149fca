"""Is it an attention at all?"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention, Memory
from seq2seq_attn.testing.inputs import LENGTHS, TARGET_LEN, Inputs, inputs_of
from seq2seq_attn.testing.report import broken, skip
from seq2seq_attn.testing.subject import Subject

WIRINGS = ("luong", "bahdanau", "conditional", "gnmt")


def shapes_fit(subject: Subject) -> None:
    """Memory, context, weights and state have the shapes and types of the interface."""
    for dtype in (torch.float64, torch.float32):
        attention = subject.new(dtype=dtype)
        target_len = 1 if attention.recurrent else TARGET_LEN
        for lengths in (LENGTHS, (1,)):
            inputs = inputs_of(subject.sizes, lengths=lengths, target_len=target_len).to(dtype)
            _check_shapes(attention, inputs)


def _check_shapes(attention: Attention, inputs: Inputs) -> None:
    """Go once through all three calls."""
    batch, source_len, _ = inputs.values.shape
    memory = attention.memorize(inputs.values, inputs.mask)
    if not isinstance(memory, Memory):
        broken(f"memorize returned {type(memory).__name__}", "return Memory(values, keys, mask)")
    if not torch.equal(memory.mask, inputs.mask):
        broken("memory.mask is not the mask that memorize was given", "pass the mask on as it is")
    for name, part in (("values", memory.values), ("keys", memory.keys)):
        if part.dim() < 3 or part.shape[0] != batch or part.shape[-2] != source_len:
            wanted = f"({batch}, ..., {source_len}, features)"
            broken(f"memory.{name} have the shape {tuple(part.shape)} instead of {wanted}", "keep batch and positions")
    state = attention.start(memory)
    _check_state("start", state, batch)
    found = attention(inputs.queries, memory, state)
    if not isinstance(found, Attended):
        broken(f"forward returned {type(found).__name__}", "return Attended(context, weights, state)")
    _check_state("forward", found.state, batch)
    target_len, dtype = inputs.queries.shape[1], inputs.values.dtype
    _check_tensor("context", found.context, (batch, target_len, attention.context_size), dtype)
    _check_tensor("weights", found.weights, (batch, target_len, source_len), dtype)


def _check_tensor(name: str, found: object, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if not isinstance(found, Tensor):
        broken(f"{name} is {type(found).__name__}, no tensor", f"return a tensor of shape {shape}")
    if tuple(found.shape) != shape:
        sizes = "(sentences, queries, context_size)" if name == "context" else "(sentences, queries, positions)"
        broken(f"{name} has the shape {tuple(found.shape)} instead of {shape}", f"its axes are {sizes}")
    if found.dtype != dtype:
        broken(
            f"{name} is {found.dtype} for inputs and parameters of {dtype}",
            "name no dtype: no .float(), no torch.float32 unless the input is of half precision",
        )


def _check_state(where: str, state: object, batch: int) -> None:
    if not (isinstance(state, tuple) and all(isinstance(part, Tensor) for part in state)):
        broken(f"{where} gave the state {type(state).__name__}, which is no tuple of tensors", "() for no state")
    for number, part in enumerate(state):
        if part.dim() == 0 or part.shape[0] != batch:
            broken(
                f"tensor {number} of the state from {where} has the shape {tuple(part.shape)} for {batch} sentences",
                "let its first axis be the batch, so that beam search can move it with its sentence",
            )


def tells_what_it_is(subject: Subject) -> None:
    """A class names its paper and says in a line what it is: ``seq2seq-attn attentions`` prints both."""
    if subject.cls is None:
        skip("only a class or a name has a paper of its own, and no class was given")
    for name, meaning in (("paper", "authors, year and equation"), ("summary", "one line for people who choose")):
        text = getattr(subject.cls, name)
        if not isinstance(text, str) or not text.strip() or "\n" in text:
            broken(f"{name} is {text!r}", f'write {name} = "..." in the class: {meaning}')
    if subject.cls.wiring not in WIRINGS:
        broken(f"wiring is {subject.cls.wiring!r}", f"say in which order its paper attends: {', '.join(WIRINGS)}")
