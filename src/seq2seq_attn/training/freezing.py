"""Parameters that do not learn, chosen by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from seq2seq_attn.errors import ConfigError


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Let parameters whose names match a pattern get no gradient, and so neither updates nor weight decay.

    Patterns are those of a shell: ``*`` stands for any text, ``?`` for one character, ``[12]`` for one of these. A
    parameter with several names, as a tied one has, is frozen when one of them matches.

    Args:
        model: whose parameters; it must be frozen before its optimizer is made.
        patterns: of names as ``model.named_parameters`` gives them.

    Raises:
        ConfigError: if a pattern matches nothing, or nothing is left to learn.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        matched = [name for name in parameters if fnmatchcase(name, pattern)]
        if not matched:
            raise ConfigError(
                f"training.freeze: {pattern!r} matches no parameter of this model; {_near(pattern, list(parameters))}"
            )
        for name in matched:
            parameters[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise ConfigError("training.freeze: every parameter is frozen, so nothing would learn; remove a pattern")


def _near(pattern: str, names: Sequence[str]) -> str:
    """Say what could have been meant: a parameter, or all of a part."""
    parts: dict[str, None] = {}
    for name in names:
        steps = name.split(".")
        parts.update({".".join(steps[:depth]) + ".*": None for depth in range(1, len(steps))})
    near = difflib.get_close_matches(pattern, [*parts, *names], n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return f"names begin with {', '.join(part for part in parts if part.count('.') == 1)}"
