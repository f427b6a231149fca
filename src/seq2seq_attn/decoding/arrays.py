"""Arrays of either kind that a model may give, numpy's or torch's, under one set of names.

Search is written once for both. What the two libraries write alike is written plainly where it is needed: operators,
indexing, ``x[:, None]``, ``x.sum(axis=1)``, ``x.any()``, ``x.tolist()``. What they do not is here. A new array is of
the kind of another one and on its device: ``like``. torch is imported only where an array is torch's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

Array: TypeAlias = Any
"""A numpy array or a torch tensor; ``Float[Array, "rows vocab"]`` is checked like any other annotation."""


def _torch() -> Any:
    """Return the library; where a tensor is it has been imported."""
    return sys.modules["torch"]


def is_array(value: object) -> bool:
    """Tell whether a value is an array of either kind."""
    torch = sys.modules.get("torch")  # without it no tensor can be there
    return isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor))


def full(shape: tuple[int, ...], value: float, *, like: Array, dtype: str | None = None) -> Array:
    """Return an array that holds one value everywhere; its type is that of ``like`` if not named."""
    if isinstance(like, np.ndarray):
        return np.full(shape, value, dtype=dtype or like.dtype)
    return _torch().full(shape, value, dtype=getattr(_torch(), dtype) if dtype else like.dtype, device=like.device)


def arange(count: int, *, like: Array, start: int = 0) -> Int[Array, " count"]:
    """Return ``count`` whole numbers from ``start`` on, int64."""
    if isinstance(like, np.ndarray):
        return np.arange(start, start + count)
    return _torch().arange(start, start + count, device=like.device)


def array(values: Any, *, like: Array, dtype: str) -> Array:
    """Return numbers in (nested) lists as an array."""
    if isinstance(like, np.ndarray):
        return np.array(values, dtype=dtype)
    return _torch().tensor(values, dtype=getattr(_torch(), dtype), device=like.device)


def moved(x: Array, *, like: Array) -> Array:
    """Return an array as one of the kind of ``like``, on its device; without a copy where it is that already."""
    if isinstance(like, np.ndarray):
        return to_numpy(x)
    return _torch().as_tensor(x).to(like.device)


def to_numpy(x: Array) -> NDArray[Any]:
    """Return an array as numpy's; half precision, which numpy knows in part, as float32."""
    if isinstance(x, np.ndarray):
        return x
    halves = x.is_floating_point() and x.element_size() < 4
    found: NDArray[Any] = (x.float() if halves else x).detach().cpu().numpy()
    return found


def on_host(x: Array) -> Array:
    """Return an array in the memory of the machine, of the same kind."""
    return x if isinstance(x, np.ndarray) else x.cpu()


def cast(x: Array, dtype: str) -> Array:
    """Return the numbers as another type: ``int64``, ``float32``, ``float64`` or ``bool``."""
    if isinstance(x, np.ndarray):
        return x.astype(dtype, copy=False)
    return x.to(getattr(_torch(), dtype))


def cast_like(x: Array, like: Array) -> Array:
    """Return the numbers as what ``like`` has."""
    return x.astype(like.dtype, copy=False) if isinstance(x, np.ndarray) else x.to(like.dtype)


def at_least_float32(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Return half precision as float32, and anything finer as it is."""
    if isinstance(x, np.ndarray):
        return x.astype(np.result_type(x.dtype, np.float32), copy=False)
    return x.float() if x.element_size() < 4 else x


def is_integer(x: Array) -> bool:
    """Tell whether an array holds whole numbers."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "iu"
    return not (x.is_floating_point() or x.is_complex())


def copy(x: Array) -> Array:
    """Return an array that may be changed without changing ``x``."""
    return x.copy() if isinstance(x, np.ndarray) else x.clone()


def concat(parts: Sequence[Array], *, axis: int = 0) -> Array:
    """Put arrays one behind the other."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=axis)
    return _torch().cat(list(parts), dim=axis)


def stack(parts: Sequence[Array], *, axis: int = 0) -> Array:
    """Put arrays side by side, along a new axis."""
    if isinstance(parts[0], np.ndarray):
        return np.stack(parts, axis=axis)
    return _torch().stack(list(parts), dim=axis)


def broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """Return an array that repeats ``x`` to a shape, without a copy; it is not to be written to."""
    return np.broadcast_to(x, shape) if isinstance(x, np.ndarray) else x.expand(shape)


def repeat(x: Shaped[Array, " places"], count: int) -> Shaped[Array, " repeated"]:
    """Return every entry ``count`` times, the same ones together."""
    return x.repeat(count) if isinstance(x, np.ndarray) else x.repeat_interleave(count)


def where(mask: Bool[Array, "*any"], x: Array, other: Array) -> Array:
    """Return ``x`` where the mask holds and ``other`` elsewhere; one of them may be a number."""
    if isinstance(mask, np.ndarray):
        return np.where(mask, x, other)
    return _torch().where(mask, x, other)


def masked(x: Array, mask: Bool[Array, "*any"], value: float) -> Array:
    """Return a copy that holds ``value`` where the mask holds."""
    return np.where(mask, x.dtype.type(value), x) if isinstance(x, np.ndarray) else x.masked_fill(mask, value)


def masked_columns(x: Shaped[Array, "rows places"], columns: Int[Array, " columns"], value: float) -> Array:
    """Return a copy that holds ``value`` in some columns."""
    if not isinstance(x, np.ndarray):
        return x.index_fill(1, columns, value)
    changed = x.copy()
    changed[:, columns] = value
    return changed


def places_of(mask: Bool[Array, " places"]) -> Int[Array, " found"]:
    """Return the numbers of the entries that hold."""
    return mask.nonzero()[0] if isinstance(mask, np.ndarray) else mask.nonzero().squeeze(1)


def take_along(
    x: Shaped[Array, "rows ..."], index: Int[Array, "rows ..."], *, axis: int = 1
) -> Shaped[Array, "rows ..."]:
    """Return of each row the entries at its own places."""
    return np.take_along_axis(x, index, axis) if isinstance(x, np.ndarray) else x.gather(axis, index)


def put_along(
    x: Shaped[Array, "rows places"], index: Int[Array, "rows put"], values: Shaped[Array, "rows put"] | float
) -> Shaped[Array, "rows places"]:
    """Return a copy with other values at each row's own places; at equal places equal values, please."""
    if isinstance(x, np.ndarray):
        changed = x.copy()
        np.put_along_axis(changed, index, values, axis=1)
        return changed
    return x.scatter(1, index, values)


def largest(x: Shaped[Array, "*any"], *, axis: int = 1, keepdims: bool = False) -> Shaped[Array, "*rest"]:
    """Return the largest numbers along an axis; what is not a number counts as larger than any."""
    return x.max(axis=axis, keepdims=keepdims) if isinstance(x, np.ndarray) else x.amax(axis, keepdims)


def first_largest(x: Shaped[Array, "rows places"]) -> tuple[Shaped[Array, " rows"], Int[Array, " rows"]]:
    """Return the largest of each row and its place; of equals the first."""
    if isinstance(x, np.ndarray):
        places = x.argmax(axis=1)
        return x[np.arange(len(x)), places], places
    values, places = x.max(1)
    return values, places


def top(x: Float[Array, "rows places"], count: int) -> tuple[Float[Array, "rows count"], Int[Array, "rows count"]]:
    """Return the ``count`` largest of each row and their places, best first; of equals at the end any."""
    if isinstance(x, np.ndarray):
        places = x.argpartition(x.shape[1] - count, axis=1)[:, -count:]
        found = np.take_along_axis(x, places, 1)
        order = found.argsort(axis=1)[:, ::-1]
        return np.take_along_axis(found, order, 1), np.take_along_axis(places, order, 1)
    values, places = x.topk(count, 1)
    return values, places


def ordered(x: Shaped[Array, "rows places"], *, descending: bool = False) -> Int[Array, "rows places"]:
    """Return the places of each row in the order of what they hold; equals stay in the order they have."""
    if isinstance(x, np.ndarray):
        return (-x if descending else x).argsort(axis=1, kind="stable")
    return x.sort(dim=1, descending=descending, stable=True).indices


def maximum(x: Float[Array, "*any"], other: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Return the larger of two numbers; what is not a number counts as larger than any."""
    if isinstance(x, np.ndarray):
        return np.maximum(x, other)
    return x.maximum(other)


def isnan(x: Float[Array, "*any"]) -> Bool[Array, "*any"]:
    """Tell where there is no number."""
    return np.isnan(x) if isinstance(x, np.ndarray) else x.isnan()


def exp(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Return the exponential."""
    return np.exp(x) if isinstance(x, np.ndarray) else x.exp()


def log(x: Float[Array, "*any"]) -> Float[Array, "*any"]:
    """Return the natural logarithm; minus infinity of 0."""
    if not isinstance(x, np.ndarray):
        return x.log()
    with np.errstate(divide="ignore"):
        return np.log(x)


def log_sum_exp(x: Float[Array, "*any"], *, axis: int) -> Float[Array, "*rest"]:
    """Return the logarithm of the sum of exponentials along an axis, which stays with one place."""
    if not isinstance(x, np.ndarray):
        return x.logsumexp(dim=axis, keepdim=True)
    best = x.max(axis=axis, keepdims=True)
    best = np.where(np.isinf(best), x.dtype.type(0), best)  # infinity cannot be subtracted from itself
    return log(np.exp(x - best).sum(axis=axis, keepdims=True)) + best


def without_gradients(like: Array) -> AbstractContextManager[object]:
    """Let torch record nothing of what is done with arrays of this kind."""
    if isinstance(like, np.ndarray):
        return nullcontext()
    return _torch().inference_mode()
