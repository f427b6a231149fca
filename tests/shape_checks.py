"""How annotations are checked while tests run; see ``conftest.py``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jaxtyping
import torch
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An ``int`` may stand where a ``float`` is asked for, as for every type checker."""

_jaxtyped = jaxtyping.jaxtyped


def jaxtyped(function: Any = None, *, typechecker: Any = None) -> Any:
    """:func:`jaxtyping.jaxtyped`, but what checks a function is made when it is first called under check.

    To make it costs a hundred times what an unchecked call does. Most functions are never called under check
    by one worker, and one that is defined within another is made anew with each call of that.
    """
    if function is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    if typechecker is None or not inspect.isfunction(function):
        return _jaxtyped(function, typechecker=typechecker)
    checked: Callable[..., Any] | None = None

    @functools.wraps(function)
    def lazily(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        if jaxtyping.config.jaxtyping_disable or torch.compiler.is_compiling():  # which cannot trace the making of it
            return function(*args, **kwargs)
        if checked is None:
            checked = _jaxtyped(function, typechecker=typechecker)
        return checked(*args, **kwargs)

    return lazily
