"""Does padding stay out?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seq2seq_attn.attention import Attended, Attention
from seq2seq_attn.testing.inputs import LENGTHS, Inputs, attend, gap, gap_between, inputs_of
from seq2seq_attn.testing.report import broken
from seq2seq_attn.testing.subject import Subject

GARBAGE = (1e6, math.inf, math.nan)
MEND = "zero the padding in memorize before anything is computed: values.masked_fill(~mask.unsqueeze(-1), 0.0)"
MORE = 4


def garbage_changes_nothing(subject: Subject) -> None:
    """Whatever stands in the padding changes nothing, to the last bit, gradients included."""
    for training in (False, True):
        attention, inputs = subject.new().train(training), inputs_of(subject.sizes)
        clean, clean_gradients = _with_gradients(attention, inputs)
        for filler in GARBAGE:
            where = f"with {filler} in the padding{' in training mode' if training else ''}, "
            found, gradients = _with_gradients(attention, inputs.with_padding(filler))
            if difference := gap_between(found, clean, 0.0):
                broken(where + difference, MEND)
            for name, wanted in clean_gradients.items():
                if difference := gap(f"gradients of {name}", gradients[name], wanted, 0.0):
                    broken(where + difference, MEND)
            if bool(gradients["values"][~inputs.mask].any()):
                broken(where + "a gradient reaches the padded values", MEND)


def _with_gradients(attention: Attention, inputs: Inputs) -> tuple[Attended, dict[str, Tensor]]:
    """Attend, and differentiate a fixed mixture of all that comes out; zeros where no gradient arrives."""
    inputs = inputs._replace(values=inputs.values.clone().requires_grad_(), queries=inputs.queries.clone())
    inputs.queries.requires_grad_()
    found = attend(attention, inputs)
    named = {"values": inputs.values, "queries": inputs.queries, **dict(attention.named_parameters())}
    total = mixture(found)
    if not total.requires_grad:
        return found, {name: torch.zeros_like(tensor) for name, tensor in named.items()}
    wanted = [tensor for tensor in named.values() if tensor.requires_grad]
    gradients = iter(torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True))
    return found, {
        name: next(gradients) if tensor.requires_grad else torch.zeros_like(tensor) for name, tensor in named.items()
    }


def mixture(found: Attended) -> Tensor:
    """Add up all that came out, each number with a factor of its own, always the same."""
    generator = torch.Generator().manual_seed(5)
    parts = [
        (part * torch.randn(part.shape, dtype=part.dtype, generator=generator)).sum()
        for part in (found.context, found.weights)
    ]
    return parts[0] + parts[1]


def more_padding_changes_nothing(subject: Subject) -> None:
    """Sentences in a wider batch get what they got in a narrow one."""
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    narrow = attend(attention, inputs)
    filler = inputs.values.new_full((len(LENGTHS), MORE, inputs.values.shape[2]), math.nan)
    no_tokens = inputs.mask.new_zeros(len(LENGTHS), MORE)
    wide = attend(
        attention,
        inputs._replace(values=torch.cat([inputs.values, filler], 1), mask=torch.cat([inputs.mask, no_tokens], 1)),
    )
    kept = wide._replace(weights=wide.weights[..., :-MORE])
    if difference := gap_between(kept, narrow):
        broken(
            f"with {MORE} more positions of padding, {difference}",
            "size nothing by the longest sentence of the batch; a sentence's length is mask.sum(1)",
        )
    if bool(wide.weights[..., -MORE:].any()):
        broken(f"with {MORE} more positions of padding, some have weight", "give padding the energy -inf")
