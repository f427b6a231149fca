"""Random numbers that belong to a sentence and a sample, whatever batch they are drawn in.

A generator that is asked for one number after another gives a sentence other numbers in another batch. Here a
number is a function of where it is used: a key is made from the seed and the tokens of the sentence, from that one
for each sample, from that one for each step, and from that the numbers. Making keys and numbers is the same
function, one step of SplitMix64 (Steele, Lea and Flood 2014, https://doi.org/10.1145/2660193.2660195),
whose whole state is a counter; so it runs on all rows at once, on any device, with the same result.
"""

from __future__ import annotations

import hashlib
from typing import Any

from jaxtyping import Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array


def _signed(number: int) -> int:
    """Return 64 bits as arrays have them: from -2**63."""
    return number - (1 << 64) if number >> 63 else number


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def source_keys(source: Any, source_lengths: Int[Array, " batch"], seed: int) -> Int[Array, " batch"]:
    """Return a key for each sentence, from its tokens and the seed.

    Args:
        source: token ids, or for a model of models one pair of source and lengths per member: the first counts, so
            that an ensemble of a model with itself draws what the model draws. Of anything else nothing is known:
            then a key stands for a place in the batch.
        source_lengths: tokens of each source sentence, where ``source`` does not say.
        seed: any whole number.
    """
    kind = source_lengths
    while isinstance(source, (list, tuple)) and source and isinstance(source[0], tuple) and len(source[0]) == 2:
        source, source_lengths = source[0]
    if arrays.is_array(source) and source.ndim == 2 and arrays.is_integer(source):
        rows = arrays.to_numpy(source).astype("<i8")
        texts = [row[:length].tobytes() for row, length in zip(rows, source_lengths.tolist(), strict=True)]
    else:
        texts = [f"place {place}".encode() for place in range(len(source_lengths))]
    digests = [hashlib.blake2b(f"{seed} ".encode() + text, digest_size=8).digest() for text in texts]
    keys = [int.from_bytes(digest, "little", signed=True) for digest in digests]
    return arrays.array(keys, like=kind, dtype="int64")


def random_numbers(keys: Int[Array, " rows"], places: Int[Array, "#rows places"]) -> Int[Array, "rows places"]:
    """Return 64 random bits for every key and place: the output of SplitMix64 that starts at the key, at the place."""
    numbers = keys[:, None] + (places + 1) * _GOLDEN  # 64 bits, what does not fit is dropped
    numbers = (numbers ^ _shifted(numbers, 30)) * _FIRST
    numbers = (numbers ^ _shifted(numbers, 27)) * _SECOND
    return numbers ^ _shifted(numbers, 31)


def gumbel_noise(keys: Int[Array, " rows"], places: Int[Array, "#rows places"]) -> Float[Array, "rows places"]:
    """Return numbers of the standard Gumbel distribution, float64 and finite."""
    bits = _shifted(random_numbers(keys, places), 12)  # 52: with the half added they still fit float64
    uniform = (arrays.cast(bits, "float64") + 0.5) * 2.0**-52  # never 0 and never 1
    return -arrays.log(-arrays.log(uniform))


def _shifted(numbers: Int[Array, "rows places"], count: int) -> Int[Array, "rows places"]:
    """Shift to the right and fill with zeros; arrays would fill with the sign."""
    return (numbers >> count) & ((1 << (64 - count)) - 1)
