"""Does it give the same numbers however it is run?"""

from __future__ import annotations

import warnings
from types import FunctionType

import torch
from torch import Tensor, nn

from seq2seq_attn.attention import Attended, Attention
from seq2seq_attn.testing.checks.weights import check_mass
from seq2seq_attn.testing.inputs import Inputs, attend, gap_between, inputs_of, look
from seq2seq_attn.testing.report import broken, skip
from seq2seq_attn.testing.subject import Subject

SINGLE = 1e-4
HALF = 0.1  # of the largest number; bfloat16 has two to three digits
CLOSE_SHARE = 0.75  # of the queries: a mechanism that decides may decide otherwise in a close call


def precisions_agree(subject: Subject) -> None:
    """Float32 comes close to float64; under bfloat16 autocast, weights are float32 and sum up, and most are close."""
    inputs = inputs_of(subject.sizes)
    single = inputs.to(torch.float32)
    exact = attend(subject.new(), single.to(torch.float64))
    attention = subject.new(dtype=torch.float32)
    if difference := gap_between(attend(attention, single), exact, SINGLE):
        broken(f"in float32, {difference}", "avoid differences of large numbers and products of many small ones")
    with torch.autocast("cpu", torch.bfloat16):
        half = attend(attention, single)
    if half.weights.dtype != torch.float32:
        broken(
            f"under bfloat16 autocast, weights are {half.weights.dtype}",
            "normalize energies of half precision in float32 (energies.float()), where their differences still count",
        )
    check_mass(attention, half.weights, 1e-5)
    share = _share_of_close(half, exact)
    if share < CLOSE_SHARE:
        broken(
            f"under bfloat16 autocast, {share:.0%} of the queries get weights and a context within {HALF} of float64",
            "compute sums, exponentials and differences in float32",
        )


def _share_of_close(found: Attended, wanted: Attended) -> float:
    """Return how many queries get nearly the same."""
    close = torch.ones(wanted.weights.shape[:2], dtype=torch.bool)
    for left, right in ((found.weights, wanted.weights), (found.context, wanted.context)):
        if right.shape[-1]:
            off = (left.double() - right).abs().nan_to_num(nan=float("inf")).amax(-1)
            close &= off <= HALF * max(1.0, float(right.detach().abs().max()))
    return float(close.double().mean())


def compiles(subject: Subject) -> None:
    """``torch.compile`` takes all of it as one graph, without falling back to Python, and the numbers stay."""
    attention, inputs = subject.new(), inputs_of(subject.sizes, target_len=2)
    if _checks_shapes_at_run_time(attention):
        skip("jaxtyping checks shapes at run time in this process, and torch.compile cannot follow it")

    def run(values: Tensor, mask: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        found = look(attention, queries, attention.memorize(values, mask))
        return found.context, found.weights

    torch.compiler.reset()  # graphs of other mechanisms, made of the same lines, are in the way
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of itself while it traces an autograd.Function
            compiled = torch.compile(run, fullgraph=True, backend="eager")
            found = Attended(*compiled(*inputs), ())
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n\n")[0].split())
        if "not supported" in reason and "Python" in reason:
            skip(reason)
        broken(
            f"torch.compile(fullgraph=True) gave up: {reason}",
            "let no number leave its tensor (.item(), .tolist(), if tensor: ...), and use torch functions only",
        )
    finally:
        torch.compiler.reset()
    if difference := gap_between(found, attend(attention, inputs)):
        broken(f"compiled, {difference}", "use torch functions only, and write to no tensor that is read again")


def _checks_shapes_at_run_time(attention: nn.Module) -> bool:
    names = ("forward", "memorize", "start", "project")
    called = [look, *(getattr(type(part), name, None) for part in attention.modules() for name in names)]
    return any(
        "jaxtyping" in function.__code__.co_filename for function in called if isinstance(function, FunctionType)
    )


def moves_between_devices(subject: Subject) -> None:
    """On an accelerator it gives the numbers of the processor, and leaves them there."""
    if not torch.cuda.is_available():
        skip("there is no CUDA device")
    attention, inputs = subject.new(), inputs_of(subject.sizes)
    wanted = attend(attention, inputs)
    moved = Inputs(*(part.cuda() for part in inputs))
    found = attend(attention.cuda(), moved)
    for name, part in (("weights", found.weights), ("context", found.context)):
        if part.device.type != "cuda":
            broken(f"on CUDA, {name} came back on {part.device}", "make new tensors from the inputs")
    if difference := gap_between(found, wanted):
        broken(f"on CUDA, {difference}", "let no result depend on the order of additions")
    if difference := gap_between(_on_cpu(attention, inputs), wanted, 0.0):
        broken(f"back from CUDA, {difference}", "register every tensor as a parameter or a buffer")


def _on_cpu(attention: Attention, inputs: Inputs) -> Attended:
    return attend(attention.cpu(), inputs)
