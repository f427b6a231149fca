"""The reproductions there are."""

from __future__ import annotations

from seq2seq_attn.errors import UserError, did_you_mean

from .bahdanau_length import BAHDANAU_LENGTH
from .luong_ablation import LUONG_ABLATION
from .luong_attention import LUONG_ATTENTION
from .normalizers import NORMALIZERS
from .recipe import RECIPE
from .reproduction import Reproduction
from .transformer import TRANSFORMER_BOUGHT

REPRODUCTIONS = {
    one.name: one for one in (BAHDANAU_LENGTH, LUONG_ATTENTION, LUONG_ABLATION, NORMALIZERS, TRANSFORMER_BOUGHT, RECIPE)
}
"""By name."""


def find_reproduction(name: str) -> Reproduction:
    """Look a reproduction up.

    Raises:
        UserError: naming the nearest one.
    """
    if name not in REPRODUCTIONS:
        known = ", ".join(REPRODUCTIONS)
        raise UserError(f"unknown reproduction {name!r}{did_you_mean(name, REPRODUCTIONS)} (known: {known})")
    return REPRODUCTIONS[name]


def describe_all() -> str:
    """List them with their papers and what those say."""
    return "\n".join(f"{one.name}\n    {one.paper}\n    {one.claim}" for one in REPRODUCTIONS.values())
