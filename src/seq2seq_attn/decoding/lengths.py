"""How long a hypothesis must be and may be."""

from __future__ import annotations

import math

from jaxtyping import Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.errors import ConfigError


class LengthLimit:
    """The fewest and the most target tokens of a translation, from the length of its source.

    The most counts the end-of-sentence token, the fewest does not: ``ratio * source + extra``, no more than
    ``longest`` and at least 1; ``shortest_ratio * source`` or ``shortest``, whichever is more. Lengths of sources
    are taken as they come, ends of sentences counted. Where the fewest and the end do not fit, the limit wins.

    Args:
        ratio: most target tokens per source token.
        extra: tokens on top, so that short sentences have room.
        longest: never more than this, however long the source; None for no such limit.
        shortest_ratio: fewest target tokens per source token.
        shortest: never fewer than this, however short the source.
    """

    def __init__(
        self,
        *,
        ratio: float = 2.0,
        extra: int = 10,
        longest: int | None = None,
        shortest_ratio: float = 0.0,
        shortest: int = 0,
    ) -> None:
        for name, number in [("max_length_ratio", ratio), ("min_length_ratio", shortest_ratio)]:
            if not (math.isfinite(number) and number >= 0):
                raise ConfigError(f"{name} is {number}, but it must be a finite number of at least 0")
        for name, number in [("extra_length", extra), ("min_length", shortest)]:
            if number < 0:
                raise ConfigError(f"{name} is {number}, but it must be at least 0")
        if longest is not None and longest < 1:
            raise ConfigError(f"max_length is {longest}, but it must be at least 1: the end of a sentence is a token")
        if longest is not None and shortest >= longest:
            raise ConfigError(
                f"min_length is {shortest}, but with the end of the sentence that is more than max_length, "
                f"{longest}; set max_length to at least {shortest + 1}"
            )
        if shortest_ratio > ratio:
            raise ConfigError(
                f"min_length_ratio is {shortest_ratio}, but it must not be more than max_length_ratio, {ratio}"
            )
        self.ratio = ratio
        self.extra = extra
        self.longest = longest
        self.shortest_ratio = shortest_ratio
        self.shortest = shortest

    def __call__(self, source_lengths: Int[Array, " batch"]) -> Int[Array, " batch"]:
        """Return the most tokens of each sentence, its end counted; it depends on no other sentence."""
        limits = _share(source_lengths, self.ratio) + self.extra
        return limits.clip(min=1, max=self.longest)

    def fewest(self, source_lengths: Int[Array, " batch"]) -> Int[Array, " batch"]:
        """Return the fewest tokens of each sentence, its end not counted."""
        fewest = _share(source_lengths, self.shortest_ratio).clip(min=self.shortest)
        most = self(source_lengths) - 1
        return arrays.where(fewest < most, fewest, most)


def _share(source_lengths: Int[Array, " batch"], ratio: float) -> Int[Array, " batch"]:
    """Return ``ratio`` of each length, rounded down."""
    return arrays.cast(arrays.cast(source_lengths, "float64") * ratio, "int64")
