"""Does it leave alone what is not its own, and keep what is?"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from seq2seq_attn.attention import Attention
from seq2seq_attn.testing.inputs import attend, gap_between, inputs_of, look, one_by_one
from seq2seq_attn.testing.report import broken
from seq2seq_attn.testing.subject import Subject, seeded


def inputs_are_only_read(subject: Subject) -> None:
    """Values, mask, query, memory and state are only read: search uses them again."""
    for training in (False, True):
        attention, inputs = subject.new().train(training), inputs_of(subject.sizes)
        with seeded(7), torch.no_grad():
            watched = _Watched({"values": inputs.values, "mask": inputs.mask})
            memory = attention.memorize(inputs.values, inputs.mask)
            watched.check("memorize")
            watched = _Watched({f"memory.{name}": part for name, part in memory._asdict().items()})
            state = attention.start(memory)
            watched.check("start")
            for query in one_by_one(inputs.queries):
                own = {f"tensor {number} of the state": part for number, part in enumerate(state)}
                watched = _Watched({**watched.tensors, **own, "the query": query})
                state = attention(query, memory, state).state
                watched.check("forward")


class _Watched:
    """Tensors that nobody may write to; torch counts the writes, those that change nothing included."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self._before = {name: (tensor._version, tensor.clone()) for name, tensor in tensors.items()}

    def check(self, call: str) -> None:
        """Find the first that was written to."""
        for name, tensor in self.tensors.items():
            version, value = self._before[name]
            if tensor._version != version or not torch.equal(tensor, value):
                broken(
                    f"{call} wrote to {name}",
                    "replace in-place operations (add_, masked_fill_, x[...] = y) by those that return a new tensor",
                )


def nothing_is_kept(subject: Subject) -> None:
    """What a call was given leaves no trace: neither in what the module holds nor in what it says next."""
    mend = "put what belongs to a sentence into Memory and what belongs to a step into the state"
    for training in (True, False):
        attention, inputs = subject.new().train(training), inputs_of(subject.sizes)
        before = _possessions(attention)
        wanted = attend(attention, inputs)
        attend(attention, inputs_of(subject.sizes, lengths=(3, 6), seed=11))
        after = _possessions(attention)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if changed:
            broken(f"calls changed {', '.join(changed)} of the module{' in training mode' * training}", mend)
        if difference := gap_between(attend(attention, inputs), wanted, 0.0):
            broken(f"asked again{' in training mode' * training}, {difference}", mend)
    _two_at_once(attention, subject)


def _two_at_once(attention: Attention, subject: Subject) -> None:
    """Take two batches turn by turn, as two searches with one model would."""
    ours, other = inputs_of(subject.sizes), inputs_of(subject.sizes, seed=11)
    wanted = attend(attention, ours, step_by_step=True)
    memory = attention.memorize(ours.values, ours.mask)
    look(attention, other.queries, attention.memorize(other.values, other.mask))
    found = look(attention, ours.queries, memory, step_by_step=True)
    if difference := gap_between(found, wanted, 0.0):
        broken(
            f"after another batch was memorized, {difference}",
            "read keys and values from the memory that forward is given",
        )


def _possessions(module: nn.Module) -> dict[str, object]:
    """Tell apart all that the parts of a module hold, down to the writes to their tensors."""
    found: dict[str, object] = {}
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            for below, thing in value.items() if isinstance(value, dict) else [("", value)]:
                full = ".".join(piece for piece in (path, str(below) or name) if piece)
                found[full] = _identity(thing)
    return found


def _identity(thing: object) -> object:
    if isinstance(thing, Tensor):
        return id(thing), thing._version
    if isinstance(thing, dict):
        return id(thing), tuple((key, _identity(value)) for key, value in thing.items())
    if isinstance(thing, list | tuple | set):
        return id(thing), tuple(_identity(value) for value in thing)
    return thing if isinstance(thing, int | float | str | bool) else id(thing)


def parameters_load(subject: Subject) -> None:
    """All it has learned is in its ``state_dict``, as tensors: another one that loads it says the same."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    kept = attention.state_dict()
    for name, value in kept.items():
        if not isinstance(value, Tensor):
            broken(
                f"{name} in the state_dict is {type(value).__name__}, which no checkpoint can hold",
                "register tensors as parameters or buffers; what is no tensor belongs into the constructor",
            )
    other = subject.new(other_parameters=True)
    other.load_state_dict(kept)
    if difference := gap_between(attend(other, inputs), attend(attention, inputs), 0.0):
        broken(
            f"another one that loaded its state_dict: {difference}",
            "register every tensor that the numbers depend on as a parameter or a buffer",
        )


def copies_are_equal(subject: Subject) -> None:
    """A deep copy says the same, and goes its own way from there."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    wanted = attend(attention, inputs)
    twin = copy.deepcopy(attention)
    if difference := gap_between(attend(twin, inputs), wanted, 0.0):
        broken(f"for a deep copy, {difference}", "keep all that the numbers depend on in parameters and buffers")
    other = subject.new(other_parameters=True)
    twin.load_state_dict(other.state_dict())
    mend = "keep no functions or modules on it that hold on to the original (lambda: self..., a bound method)"
    if difference := gap_between(attend(twin, inputs), attend(other, inputs), 0.0):
        broken(f"after a deep copy was given other parameters, its {difference}", mend)
    if difference := gap_between(attend(attention, inputs), wanted, 0.0):
        broken(f"after a deep copy was changed, the original's {difference}", mend)
