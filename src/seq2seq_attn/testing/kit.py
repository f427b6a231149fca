"""The conformance kit: every promise of an attention mechanism, checked one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from seq2seq_attn.testing.checks.batches import alone_or_together, rows_follow, steps_or_at_once
from seq2seq_attn.testing.checks.gradients import gradients_are_right
from seq2seq_attn.testing.checks.numbers import compiles, moves_between_devices, precisions_agree
from seq2seq_attn.testing.checks.padding import garbage_changes_nothing, more_padding_changes_nothing
from seq2seq_attn.testing.checks.reference import Reference, energies_are_those_of, has_a_score
from seq2seq_attn.testing.checks.shapes import shapes_fit, tells_what_it_is
from seq2seq_attn.testing.checks.state import copies_are_equal, inputs_are_only_read, nothing_is_kept, parameters_load
from seq2seq_attn.testing.checks.weights import stays_finite, telling_seed, weights_are_weights
from seq2seq_attn.testing.report import BrokenPromiseError, ConformanceError, NotApplicableError, Outcome, Report
from seq2seq_attn.testing.subject import Mechanism, Sizes, Subject


class Check(NamedTuple):
    """A promise and the function that looks whether it is kept."""

    name: str
    promise: str
    run: Callable[[Subject], None]
    mend: str  # for an exception that the mechanism itself raises


SHAPES = Check(
    "shapes",
    "memory, context, weights and state have the shapes and types of the interface",
    shapes_fit,
    "refuse sizes that do not fit in the constructor, with a ConfigError; make new tensors from the inputs "
    "(query.new_zeros(...)), and keep those that last with register_buffer, so that they have the right dtype",
)

CHECKS = (
    Check("described", "it names its paper and says in a line what it is", tells_what_it_is, ""),
    Check(
        "weights",
        "weights are not negative, sum to one (or at most one), and are exactly zero on padding",
        weights_are_weights,
        "look at the normalizer",
    ),
    Check(
        "finite",
        "zeros and large numbers give finite weights, contexts and gradients",
        stays_finite,
        "guard divisions, logarithms and exponentials",
    ),
    Check(
        "padding",
        "whatever stands in the padding changes nothing, gradients included",
        garbage_changes_nothing,
        "set padded values to zero in memorize",
    ),
    Check(
        "more-padding",
        "more padding changes nothing",
        more_padding_changes_nothing,
        "size nothing by the longest sentence of the batch",
    ),
    Check(
        "batch",
        "a sentence gets the same alone, in a batch, and in any order of it",
        alone_or_together,
        "mix no sentences: reduce over the source or the features, never over the batch",
    ),
    Check(
        "steps",
        "one query at a time gives the same as all at once",
        steps_or_at_once,
        "set recurrent = True if a step needs the one before it",
    ),
    Check(
        "select",
        "memory and state follow their rows, as beam search moves them",
        rows_follow,
        "let the first axis of every tensor of memory and state be the batch",
    ),
    Check(
        "read-only",
        "values, mask, query, memory and state are only read",
        inputs_are_only_read,
        "replace in-place operations (add_, masked_fill_, x[...] = y) by those that return a new tensor",
    ),
    Check(
        "stateless",
        "nothing is kept on the module between calls",
        nothing_is_kept,
        "put what belongs to a sentence into Memory and what belongs to a step into the state",
    ),
    Check(
        "gradients",
        "gradients are those of finite differences",
        gradients_are_right,
        "look for detach, no_grad, .data and .item()",
    ),
    Check(
        "precision",
        "float32 and bfloat16 come close to float64",
        precisions_agree,
        "normalize in float32, and bring two tensors to one dtype before they meet (x.to(y.dtype))",
    ),
    Check(
        "parameters",
        "its state_dict holds all it has learned, as tensors",
        parameters_load,
        "register every tensor as a parameter or a buffer",
    ),
    Check("copies", "a deep copy is equal and shares nothing", copies_are_equal, "keep only what can be copied"),
    Check(
        "compile",
        "torch.compile takes it in one piece and gives the same numbers",
        compiles,
        "let no number leave its tensor (.item(), .tolist(), if tensor: ...), and use torch functions only",
    ),
    Check(
        "devices",
        "it runs on an accelerator with the same numbers",
        moves_between_devices,
        "make new tensors from the inputs (query.new_zeros(...)), and keep those that last with register_buffer",
    ),
)


def check_attention(
    mechanism: Mechanism,
    *,
    reference: Reference | None = None,
    sizes: tuple[int, int, int] | None = None,
) -> Report:
    """Check that a mechanism keeps all promises of the attention interface.

    Args:
        mechanism: a subclass of ``Score`` (run with softmax over the whole source) or ``Attention``; the name of a
            registered or installed one; a function of ``query_size``, ``value_size`` and ``hidden_size`` that makes
            an ``Attention``, such as one put together by ``build_attention``; or an ``Attention`` that is ready,
            which is copied and checked with the parameters it has.
        reference: the energies of a score in plain Python, to be compared element by element:
            ``reference(parameters, query, values)`` is given the score's parameters as nested lists by name,
            one query and the values of one sentence as lists, and returns one energy for each value.
        sizes: of query, values and the layer inside the score, to build the mechanism from; None tries some.

    Returns:
        What was checked and what was skipped, and why; ``print`` it.

    Raises:
        ConformanceError: if a promise is broken; all broken ones are named, each with what was found and how
            to mend it.
        ConfigError: if no mechanism has the name.
        TypeError: if it is no mechanism at all, or a reference is given for something that has no score.
    """
    subject = Subject(mechanism, None if sizes is None else Sizes(*sizes))
    if reference is not None and not has_a_score(subject):
        raise TypeError(f"check_attention: a reference gives the energies of a score, and {subject.name} has none")
    outcomes = [_run(SHAPES, subject)]
    if outcomes[0].state == "kept":  # else every other check would fail too, for no reason of its own
        subject.seed = telling_seed(subject)
        outcomes += [_run(check, subject) for check in (*CHECKS, _parity(reference))]
    report = Report(subject.name, str(subject.sizes), tuple(outcomes))
    if report.of("broken"):
        raise ConformanceError(_message(report), report)
    return report


def _parity(reference: Reference | None) -> Check:
    return Check(
        "reference",
        "energies are those of the equations in plain Python",
        lambda subject: energies_are_those_of(subject, reference),
        "the reference takes parameters, a query and values as lists, and returns a list of numbers",
    )


def _run(check: Check, subject: Subject) -> Outcome:
    try:
        check.run(subject)
    except NotApplicableError as why:
        return Outcome(check.name, check.promise, "skipped", str(why))
    except BrokenPromiseError as found:
        return Outcome(check.name, check.promise, "broken", found.detail, found.mend)
    except Exception as error:  # a mechanism that is not finished may raise anything
        first = next(iter(str(error).strip().splitlines()), "")
        return Outcome(check.name, check.promise, "broken", f"it raised {type(error).__name__}: {first}", check.mend)
    return Outcome(check.name, check.promise, "kept")


def _message(report: Report) -> str:
    found = report.of("broken")
    promises = "a promise" if len(found) == 1 else f"{len(found)} promises"
    lines = [f"{report.mechanism} breaks {promises} of an attention mechanism (built from {report.sizes})"]
    for outcome in found:
        lines += [f"  {outcome.check}: {outcome.promise}", f"    found: {outcome.detail}", f"    mend:  {outcome.mend}"]
    return "\n".join(lines)
