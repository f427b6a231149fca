"""The choices a mechanism is made of; None stands for what the score's own paper has."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class AttentionParts:
    """Everything about a mechanism but its score and its sizes.

    Attributes:
        normalize: how energies become weights; a name of ``NORMALIZERS``.
        temperature: what energies are divided by before that.
        window: which source positions are looked at: ``global`` or a name of ``WINDOWS``.
        window_size: source positions on either side of a window's center.
        monotonic: ``none`` or a name of ``MONOTONIC``.
        chunk_size: source positions in a chunk of ``mocha``.
        coverage: ``none`` or a name of ``COVERAGES``.
        location_sensitive: whether the score is told the weights of the step before.
        heads: looks at once, each with its own projections.
    """

    normalize: str | None = None
    temperature: float | None = None
    window: str | None = None
    window_size: int | None = None
    monotonic: str | None = None
    chunk_size: int | None = None
    coverage: str | None = None
    location_sensitive: bool | None = None
    heads: int | None = None

    def over(self, other: AttentionParts) -> AttentionParts:
        """Take these parts where they say something, and ``other``'s where they do not."""
        chosen = {}
        for field in fields(self):
            own = getattr(self, field.name)
            chosen[field.name] = getattr(other, field.name) if own is None else own
        return AttentionParts(**chosen)

    def chosen(self) -> list[str]:
        """Return the names of the parts that differ from plain global softmax attention."""
        return [
            field.name
            for field in fields(self)
            if getattr(self, field.name) is not None and getattr(self, field.name) != getattr(PLAIN, field.name)
        ]


AS_IN_THE_PAPER = AttentionParts()
"""Nothing chosen."""

PLAIN = AttentionParts(
    normalize="softmax",
    temperature=1.0,
    window="global",
    monotonic="none",
    coverage="none",
    location_sensitive=False,
    heads=1,
)
"""Luong's global attention, to which a mechanism adds its own."""
