"""The mechanism under test: built again and again, from sizes that it takes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from seq2seq_attn.attention import Attention, Score, build_attention, find_attention
from seq2seq_attn.attention.normalizers import NORMALIZERS
from seq2seq_attn.attention.parts import AS_IN_THE_PAPER
from seq2seq_attn.attention.scored import ScoredAttention
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.testing.report import ConformanceError

Mechanism = str | type[Score] | type[Attention] | Attention | Callable[..., Attention]
"""A name, a class, a mechanism that is ready, or a function of the three sizes that makes one."""

NUDGE = 0.5
"""What parameters are moved by before they are checked: some begin at zero, which hides what they do."""


class Sizes(NamedTuple):
    """What a mechanism is built from."""

    query: int
    value: int
    hidden: int

    def __str__(self) -> str:
        return f"query_size {self.query}, value_size {self.value}, hidden_size {self.hidden}"


# Distinct primes first, so that no wrong axis fits by accident; then equal ones for dot products, then multiples
# of what a number of heads may be.
LARGE = (Sizes(11, 5, 3), Sizes(5, 5, 3), Sizes(6, 6, 6), Sizes(8, 8, 8), Sizes(24, 24, 24), Sizes(64, 64, 64))
SMALL = (Sizes(3, 2, 5), Sizes(3, 3, 2), *LARGE[2:])  # for finite differences, which are slow


class Subject:
    """One mechanism, ready to be built as often as checks need it.

    Attributes:
        cls: its class, where one was given or is known by the name.
        name: what messages call it.
        is_instance: whether it came ready.
        sizes: what it is built from.
        small_sizes: what it is built from for finite differences.
        seed: what its parameters come from.

    Args:
        mechanism: what it is.
        sizes: the only sizes to build it from; None tries some.

    Raises:
        ConformanceError: if it can be built from none of the sizes.
        ConfigError: if it is a name that no mechanism has.
        TypeError: if it is nothing that an attention could be.
    """

    def __init__(self, mechanism: object, sizes: Sizes | None) -> None:
        self.cls, self._make = _maker(mechanism)
        self.name = mechanism if isinstance(mechanism, str) else _name(mechanism)
        self.is_instance = isinstance(mechanism, Attention)
        self.seed = 1
        large, small = ((sizes,), (sizes,)) if sizes is not None else (LARGE, SMALL)
        if isinstance(mechanism, Attention):
            large = small = (Sizes(mechanism.query_size, mechanism.context_size, mechanism.hidden_size),)
        self.sizes = self._first_that_fits(large)
        self.small_sizes = self._first_that_fits(small)

    def new(
        self, *, small: bool = False, dtype: torch.dtype = torch.float64, other_parameters: bool = False
    ) -> Attention:
        """Build it, in evaluation mode; a ready one is copied, with the parameters it has."""
        with seeded(self.seed + 100 * other_parameters):
            attention = self._make(self.small_sizes if small else self.sizes)
            if other_parameters or not self.is_instance:
                nudge(attention)
        return attention.to(dtype).eval()

    def _first_that_fits(self, choices: tuple[Sizes, ...]) -> Sizes:
        error: Exception | None = None
        for sizes in choices:
            try:
                with seeded(1):
                    made = self._make(sizes)
            except (ConfigError, ValueError) as refused:
                error = refused
                continue
            except Exception as failed:
                raise ConformanceError(
                    f"{self.name}: building it from {sizes} raised {type(failed).__name__}: {failed}; a constructor "
                    "takes query_size, value_size and hidden_size, and refuses sizes that do not fit with a ConfigError"
                ) from failed
            if not isinstance(made, Attention):
                raise ConformanceError(
                    f"{self.name}: it gave {type(made).__name__}, which is no seq2seq_attn.attention.Attention"
                )
            return sizes
        raise ConformanceError(
            f"{self.name}: it can be built from none of these sizes: {'; '.join(map(str, choices))} (the last time: "
            f"{error}); name some that fit: check_attention(..., sizes=(query, value, hidden))"
        ) from error


def _maker(mechanism: object) -> tuple[type[Score] | type[Attention] | None, Callable[[Sizes], Attention]]:
    """Return the class, where one was given or is known by the name, and a function from sizes to a mechanism."""
    if isinstance(mechanism, str):
        name = mechanism
        return find_attention(name).cls, lambda sizes: build_attention(name, AS_IN_THE_PAPER, **_named(sizes))
    if isinstance(mechanism, Attention):
        ready = mechanism
        return None, lambda sizes: copy.deepcopy(ready)
    if inspect.isclass(mechanism) and issubclass(mechanism, Score):
        score = mechanism
        return score, lambda sizes: ScoredAttention(score(**_named(sizes)), NORMALIZERS["softmax"]())
    if inspect.isclass(mechanism) and issubclass(mechanism, Attention):
        cls = mechanism
        return cls, lambda sizes: cls(**_named(sizes))
    if callable(mechanism) and not isinstance(mechanism, nn.Module) and not inspect.isclass(mechanism):
        factory = mechanism
        return None, lambda sizes: factory(**_named(sizes))
    raise TypeError(
        f"check_attention: {mechanism!r} is no mechanism; give a Score or an Attention class, the name of one, an "
        "Attention that is ready, or a function of query_size, value_size and hidden_size that makes one"
    )


def _named(sizes: Sizes) -> dict[str, int]:
    return {"query_size": sizes.query, "value_size": sizes.value, "hidden_size": sizes.hidden}


def _name(mechanism: object) -> str:
    name = getattr(mechanism, "__name__", type(mechanism).__name__)
    return "the mechanism" if name == "<lambda>" else name


@torch.no_grad()
def nudge(module: nn.Module) -> None:
    """Move every parameter a little, away from zeros and ones."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            parameter.add_(torch.randn_like(parameter), alpha=NUDGE)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the same random numbers every time, and leave the caller's as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
