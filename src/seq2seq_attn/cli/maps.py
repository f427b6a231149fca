"""Which of a model's attention maps were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_attn.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from seq2seq_attn.translation import TokenMap

PARTS = ("cross", "encoder", "decoder")
AXES = {
    "cross": ("target", "source"),
    "encoder": ("source", "source"),
    "decoder": ("target, written", "target, read"),
}


def choose_maps(maps: Sequence[TokenMap], *, part: str | None, layer: int | None, head: int | None) -> list[TokenMap]:
    """Return the maps of a part (None: cross), of one layer or all, of one head or all.

    Args:
        maps: all of a model's, the first of which stands for the model.
        part: ``cross``, ``encoder`` or ``decoder``.
        layer: counted from 1.
        head: counted from 1.

    Raises:
        UserError: if there is no such part, layer or head (says how many there are), or no map at all.
    """
    if not maps:
        raise UserError("nothing was translated, so there is no attention to draw")
    part = part or "cross"
    if part not in PARTS:
        raise UserError(
            f"--part is {part!r}, but it is {', '.join(PARTS[:-1])} or {PARTS[-1]}{did_you_mean(part, PARTS)}"
        )
    of_part = [found for found in maps if found.part == part]
    if not of_part:
        raise UserError(
            f"--part is {part!r}, but a recurrent model has no attention there; what its decoder sees of the "
            "source is --part cross"
        )
    layers = max(found.layer for found in of_part)
    if layer is not None and not 1 <= layer <= layers:
        raise UserError(f"--layer is {layer}, but the {part} attention has {_range(layers, 'layer')}")
    heads = max(found.head for found in of_part)
    if head is not None and not 1 <= head <= max(heads, 1):
        raise UserError(f"--head is {head}, but a layer of the {part} attention has {_range(max(heads, 1), 'head')}")
    if heads == 0:
        return of_part  # a mechanism without heads
    return [
        found for found in of_part if found.head > 0 and layer in (None, found.layer) and head in (None, found.head)
    ]


def draw_maps(maps: Sequence[TokenMap], output: Path) -> None:
    """Draw maps of one part: one alone as large as there is room, several in a grid with a line per layer.

    Raises:
        UserError: if the file cannot be written.
    """
    from seq2seq_attn.visualization.heads import Panel, draw_heads
    from seq2seq_attn.visualization.heatmap import draw_attention

    first = maps[0]
    axes = AXES[first.part]
    title = f"{first.part} attention"
    if len(maps) == 1:
        if first.head:
            title += f", layer {first.layer}, head {first.head}"
        draw_attention(first.weights, first.columns, first.rows, output, title=title, axes=axes)
        return
    layers = {found.layer for found in maps}
    heads = {found.head for found in maps}
    if len(layers) == 1:
        title += f", layer {first.layer}"
    elif len(heads) == 1:
        title += f", head {first.head}"
    draw_heads(
        [Panel(_name(found, layers=len(layers), heads=len(heads)), found.weights) for found in maps],
        first.rows,
        first.columns,
        output,
        across=len(heads) if min(len(layers), len(heads)) > 1 else None,
        axes=axes,
        title=title,
    )


def _name(found: TokenMap, *, layers: int, heads: int) -> str:
    names = [f"layer {found.layer}"] if layers > 1 else []
    if heads > 1:
        names.append(f"head {found.head}")
    return ", ".join(names)


def _range(count: int, what: str) -> str:
    return f"{what}s 1 to {count}" if count > 1 else f"1 {what} only"
