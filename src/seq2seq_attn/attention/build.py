"""From names and sizes to a mechanism; what does not go together is refused here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from seq2seq_attn.attention.base import Attention
from seq2seq_attn.attention.history import COVERAGES, LocationHistory
from seq2seq_attn.attention.history.base import History
from seq2seq_attn.attention.mechanisms import find_attention
from seq2seq_attn.attention.monotonic import MONOTONIC
from seq2seq_attn.attention.multi_head import MultiHeadAttention
from seq2seq_attn.attention.normalizers import NORMALIZERS
from seq2seq_attn.attention.parts import AS_IN_THE_PAPER, PLAIN, AttentionParts
from seq2seq_attn.attention.scored import ScoredAttention, key_size
from seq2seq_attn.attention.scores.base import Score
from seq2seq_attn.attention.windows import WINDOWS
from seq2seq_attn.errors import ConfigError, did_you_mean


def build_attention(
    score: str,
    parts: AttentionParts = AS_IN_THE_PAPER,
    *,
    query_size: int,
    value_size: int,
    hidden_size: int,
) -> Attention:
    """Make a mechanism from its parts.

    Args:
        score: a name of :func:`attention_names`; it brings the parts of its paper.
        parts: what is to be otherwise.
        query_size: features of the decoder state.
        value_size: features of an encoder state.
        hidden_size: features of the layer inside the score, where it has one.

    Raises:
        ConfigError: if a name is unknown, parts do not go together or sizes do not fit.
    """
    mechanism = find_attention(score)
    if not issubclass(mechanism.cls, Score):
        if chosen := parts.chosen():
            _refuse(chosen[0], f"{score!r} is not put together from parts and takes none")
        return mechanism.cls(query_size=query_size, value_size=value_size, hidden_size=hidden_size)
    _check_sizes_of_parts(parts, parts.over(mechanism.parts))
    parts = parts.over(mechanism.parts).over(PLAIN)
    _check_names(parts)
    _check_together(parts, mechanism.cls, score)
    heads = parts.heads or 1
    if heads == 1:
        return _scored(mechanism.cls, parts, query_size, value_size, value_size, hidden_size)
    for what, size in (("the hidden size", hidden_size), ("the size of encoder states", value_size)):
        if size % heads:
            _refuse("heads", f"{heads} heads do not divide {what}, {size}")
    size = hidden_size // heads
    inner = _scored(mechanism.cls, parts, size, size, value_size // heads, size)
    return MultiHeadAttention(inner, heads=heads, query_size=query_size, value_size=value_size)


def _scored(
    cls: type[Score], parts: AttentionParts, query_size: int, compared_size: int, value_size: int, hidden_size: int
) -> ScoredAttention:
    """Make a mechanism with one head from parts that are all there and go together.

    ``compared_size`` is that of what keys are made from; a head averages values of another size.
    """

    def new_score() -> Score:
        return cls(query_size=query_size, value_size=compared_size, hidden_size=hidden_size)

    score = new_score()
    histories: list[History] = []
    if parts.coverage != "none" or parts.location_sensitive:
        kinds = [COVERAGES[parts.coverage or ""]] if parts.coverage != "none" else []
        kinds += [LocationHistory] if parts.location_sensitive else []
        size = key_size(score)
        histories = [kind(query_size=query_size, value_size=value_size, key_size=size) for kind in kinds]
    if parts.monotonic != "none":
        return MONOTONIC[parts.monotonic or ""](score, histories, new_score=new_score, chunk_size=parts.chunk_size)
    window = None
    if parts.window != "global":
        window = WINDOWS[parts.window or ""](
            query_size=query_size, size=DEFAULT_WINDOW if parts.window_size is None else parts.window_size
        )
    return ScoredAttention(
        score,
        NORMALIZERS[parts.normalize or ""](),
        window=window,
        histories=histories,
        temperature=parts.temperature or 1.0,
    )


DEFAULT_WINDOW = 10
"""Positions on either side of a local window's center: Luong's D."""


def _check_names(parts: AttentionParts) -> None:
    for key, name, known in (
        ("normalize", parts.normalize, NORMALIZERS),
        ("window", parts.window, ("global", *WINDOWS)),
        ("monotonic", parts.monotonic, ("none", *MONOTONIC)),
        ("coverage", parts.coverage, ("none", *COVERAGES)),
    ):
        if name not in known:
            _refuse(key, f"no {name!r}{did_you_mean(str(name), known)} (there are: {', '.join(known)})")


def _check_sizes_of_parts(given: AttentionParts, parts: AttentionParts) -> None:
    """Refuse a size that belongs to a part that is not there."""
    if given.window_size is not None and parts.window in (None, "global"):
        _refuse(
            "window_size", "is the size of a local window, but the window is global; set window to local-m or local-p"
        )
    if given.chunk_size is not None and parts.monotonic != "mocha":
        _refuse("chunk_size", "belongs to monotonic: mocha; set that, or remove this key")


def _check_together(parts: AttentionParts, cls: type[Score], name: str) -> None:
    if parts.monotonic != "none":
        without: Iterable[tuple[str, str]] = (
            ("normalize", "monotonic attention normalizes by a sigmoid at each position; remove one of the two"),
            ("temperature", "monotonic attention has its own offset and noise; remove one of the two"),
            ("window", "monotonic attention places itself; remove one of the two"),
        )
        for key, why in without:
            if key in parts.chosen():
                _refuse(key, why)
    if not cls.reads_keys:
        for key in ("coverage", "location_sensitive"):
            if key in parts.chosen():
                _refuse(key, f"enters the score through the keys, and {name!r} reads none; use another score")


def _refuse(key: str, why: str) -> NoReturn:
    raise ConfigError(f"model.attention.{key}: {why}")
