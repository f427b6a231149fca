"""Beginnings of translations that are given."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import SpecialTokens
from seq2seq_attn.decoding.protocol import Demands
from seq2seq_attn.errors import ConfigError


def padded(sequences: Sequence[Sequence[int]], *, like: Array) -> Int[Array, "sequences longest"]:
    """Return sequences of tokens as one array, -1 where they have ended."""
    longest = max(map(len, sequences), default=0)
    rows = [[*sequence, *[-1] * (longest - len(sequence))] for sequence in sequences]
    return arrays.array(rows, like=like, dtype="int64").reshape(len(sequences), longest)


def check_tokens(tokens: Sequence[int], special: SpecialTokens, what: str) -> None:
    """Refuse tokens of a demand that cannot be written in the middle of a sentence.

    Raises:
        ConfigError: which token of ``what`` it is.
    """
    for token in tokens:
        if token < 0 or token in (special.bos, special.eos):
            raise ConfigError(
                f"{what} has token {token}, but only the tokens of words can be asked for, "
                f"not {special.bos} and {special.eos}, which begin and end a sentence, and none below 0"
            )


class Prefixes:
    """The tokens that translations begin with, for all sentences of a batch.

    Args:
        demands: whose prefixes; they may be longer than a forbidden token, a rule or the fewest tokens allow.
        limits: the most tokens of each translation, its end counted.
        special: what a prefix must not have.

    Raises:
        ConfigError: if a prefix and the end of the sentence do not fit.
    """

    def __init__(self, demands: Demands, limits: Int[Array, " batch"], special: SpecialTokens) -> None:
        prefixes = demands.prefixes or [()] * len(limits)
        if len(prefixes) != len(limits):
            raise ValueError(f"there are {len(prefixes)} prefixes for {len(limits)} sentences")
        for row, (prefix, limit) in enumerate(zip(prefixes, limits.tolist(), strict=True)):
            check_tokens(prefix, special, f"the prefix of sentence {demands.number(row)}")
            if len(prefix) >= limit:
                raise ConfigError(
                    f"the prefix of sentence {demands.number(row)} has {len(prefix)} tokens, {len(prefix) + 1} with "
                    f"the end of the sentence, but its translation may have {limit} at most; make the prefix "
                    f"shorter, or max_length or max_length_ratio larger"
                )
        self._tokens = padded(prefixes, like=limits)

    def at(
        self, length: int, sentences: Int[Array, " rows"]
    ) -> tuple[Bool[Array, " rows"], Int[Array, " rows"]] | None:
        """Return which rows have no choice in the token number ``length``, from 1, and what it is; None if all have."""
        if length > self._tokens.shape[1]:
            return None
        tokens = self._tokens[sentences, length - 1]
        return tokens >= 0, tokens.clip(min=0)
