"""Random numbers against the published ones, against Python's integers, and against their distribution."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import Tensor

from seq2seq_attn.decoding.noise import gumbel_noise, random_numbers, source_keys
from seq2seq_attn.decoding.sampling import draw, nucleus

ALL = (1 << 64) - 1


def splitmix(key: int, place: int) -> int:
    """Output number ``place`` of SplitMix64, as its authors write it, in integers of any size."""
    number = (key + (place + 1) * 0x9E3779B97F4A7C15) & ALL
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & ALL
    return number ^ (number >> 31)


def test_the_numbers_are_those_of_splitmix64():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    found = random_numbers(torch.tensor([1234567]), torch.arange(4).unsqueeze(0))
    assert [number & ALL for number in found[0].tolist()] == published
    keys = [0, -1, 2**63 - 1, -(2**63), 97]
    found = random_numbers(torch.tensor(keys), torch.arange(5).unsqueeze(0)).tolist()
    assert [[number & ALL for number in row] for row in found] == [
        [splitmix(key & ALL, place) for place in range(5)] for key in keys
    ]


def test_gumbel_noise_has_its_distribution():
    """P(noise <= x) = exp(-exp(-x)); the largest distance of 2 * 10^5 numbers from it, Kolmogorov's bound at 10^-6."""
    noise = gumbel_noise(torch.arange(1000), torch.arange(200).unsqueeze(0)).flatten().sort().values
    assert bool(noise.isfinite().all())
    wanted = (-(-noise).exp()).exp()
    steps = torch.arange(len(noise) + 1, dtype=torch.float64) / len(noise)
    distance = max(float((wanted - steps[:-1]).abs().max()), float((wanted - steps[1:]).abs().max()))
    assert distance < math.sqrt(math.log(2 / 1e-6) / 2 / len(noise))


def test_keys_are_made_of_the_tokens_and_the_seed_and_of_nothing_else():
    source, lengths = torch.tensor([[5, 6, 0], [5, 6, 7], [5, 6, 9]]), torch.tensor([2, 3, 2])
    one, other, again = source_keys(source, lengths, 1).tolist()
    assert one == again != other
    assert source_keys(source[:1, :2].int(), lengths[:1], 1).tolist() == [one]
    assert source_keys(source, lengths, 2)[0] != one
    assert source_keys(source, lengths, 12)[0] != source_keys(source, lengths, 1)[0]
    # An ensemble has a source per member, and may have ensembles for members.
    pair = (source, lengths)
    for several in ([pair], [pair, (source + 1, lengths)], [([pair, pair], lengths), pair]):
        assert source_keys(several, lengths, 1).tolist() == [one, other, again]
    # Of what is opaque the place is all there is.
    places = source_keys(["a", "b", "a"], lengths, 1).tolist()
    assert len(set(places)) == 3
    assert source_keys(["c", "d"], lengths[:2], 1).tolist() == places[:2]


@pytest.mark.parametrize("vocab", [1, 2, 7, 16, 17])
def test_draws_have_the_probabilities_they_should(vocab):
    """Chi-square, at most 5 standard deviations above its mean; whatever the blocks of tokens are."""
    rng = random.Random(vocab)
    masses = [rng.gammavariate(1.0, 1.0) for _ in range(vocab)]
    if vocab > 2:
        masses[1] = 0.0
    count = 50_000
    logs = torch.tensor([math.log(mass) if mass else -math.inf for mass in masses], dtype=torch.float64)
    drawn = draw(logs.expand(count, -1) + 3.0, torch.arange(count) * 7919).bincount(minlength=vocab).tolist()
    statistic = 0.0
    for number, mass in zip(drawn, masses, strict=True):
        wanted = count * mass / sum(masses)
        statistic += (number - wanted) ** 2 / wanted if wanted else number * math.inf if number else 0.0
    freedom = sum(mass > 0 for mass in masses) - 1
    assert statistic <= freedom + 5 * math.sqrt(2 * freedom)


def cumulated(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """The usual way to draw: numbers that are looked up in the sums of the sorted probabilities."""
    values, tokens = log_probs.sort(dim=1, descending=True, stable=True)
    sums = values.exp().cumsum(dim=1)
    places = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    return tokens.gather(1, places.clamp(max=log_probs.shape[1] - 1))


def test_draws_hardly_ever_change_with_the_last_digits():
    """The last digits of a model's numbers are others in other batches: here 5e-6, some times more than there."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(100, 2003, generator=generator) * 2
    disturbed = logits + torch.randn(100, 2003, generator=generator) * 5e-6
    one, other = (numbers.log_softmax(dim=1).double() for numbers in (logits, disturbed))
    uniform = torch.rand(100, 200, dtype=torch.float64, generator=generator)
    assert int((cumulated(one, uniform) != cumulated(other, uniform)).sum()) > 10  # else this shows nothing
    keys = torch.arange(20_000).split(100)
    assert sum(int((draw(one, some) != draw(other, some)).sum()) for some in keys) <= 1


def smallest_set(probabilities: list[float], top_p: float) -> set[int]:
    """The definition of Holtzman et al.; of equals the lower token."""
    chosen, mass = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda token: (-probabilities[token], token)):
        if mass >= top_p:
            break
        chosen.add(token)
        mass += probabilities[token]
    return chosen


@pytest.mark.parametrize("top_p", [1e-9, 0.1, 0.5, 0.93, 0.9999])
def test_the_nucleus_is_the_smallest_set_with_the_probability(top_p):
    """Rows from peaked to flat: for some a few tokens are enough, for some nearly all of 3001 are needed."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(8, 3001, dtype=torch.float64, generator=generator) * torch.arange(8).unsqueeze(1)
    logits[3, 100:2000] = -math.inf
    found = nucleus(logits + 17.0, top_p)
    probabilities = logits.softmax(dim=1).tolist()
    for row in range(1, 8):
        kept = found[row] > -math.inf
        assert set(kept.nonzero().squeeze(1).tolist()) == smallest_set(probabilities[row], top_p)
        assert torch.equal(found[row][kept], (logits + 17.0)[row][kept])
    # All equal: how many is a matter of rounding, which is not: the lowest.
    kept = (found[0] > -math.inf).nonzero().squeeze(1)
    assert kept.tolist() == list(range(len(kept)))
    assert len(kept) == pytest.approx(3001 * top_p, abs=1)
