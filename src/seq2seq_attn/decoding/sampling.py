"""Sampling: translations drawn from what the model believes, instead of the best one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jaxtyping import Bool, Float, Int

from seq2seq_attn.decoding import arrays
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import SpecialTokens, best_choices, check_numbers
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.noise import gumbel_noise, random_numbers, source_keys
from seq2seq_attn.decoding.protocol import Demands, Hypothesis, Rule, StateT, StepModel
from seq2seq_attn.decoding.ranking import Ranking
from seq2seq_attn.decoding.trellis import Trellis
from seq2seq_attn.errors import ConfigError

_NEVER = float("-inf")
_AT_ONCE = 1 << 22  # probabilities in float64 that are looked at together, so that memory stays small
_NUCLEUS = 64  # tokens that a nucleus seldom has more of


@dataclass(kw_only=True)
class SamplingSearch:
    """Draw translations, token by token.

    The probabilities of the next token are, in this order: those of tokens that may come; raised to the power of
    1 / ``temperature``; cut to the ``top_k`` best (Fan, Lewis and Dauphin 2018,
    https://arxiv.org/abs/1805.04833); cut to the nucleus, the fewest tokens that have ``top_p`` of what is left
    (Holtzman et al. 2020, section 3.1, https://arxiv.org/abs/1904.09751). Of equal tokens at a cut the lower stays.

    What is drawn for a sentence depends on the seed, its source tokens and the number of the sample only: it is the
    same in any batch, and the first of many samples are those of few.

    Args:
        bos: begin-of-sentence token.
        eos: end-of-sentence token.
        samples: per sentence; equal ones are kept.
        temperature: above 0; below 1 the best become more probable, near 0 only they are drawn.
        top_k: tokens to draw from; 0 for no such cut.
        top_p: probability to draw from, above 0; 1 for no such cut.
        seed: another one draws other samples.
        limit: how long a translation must be and may be.
        forbidden: tokens that are never drawn, apart from ``bos``.
        rules: what else may not come next.
    """

    bos: int
    eos: int
    samples: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1
    limit: LengthLimit = field(default_factory=LengthLimit)
    forbidden: Sequence[int] = ()
    rules: Sequence[Rule] = ()

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"samples is {self.samples}, but at least 1 translation must be drawn")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"temperature is {self.temperature}, but it must be a finite number above 0; for the most probable "
                f"tokens use a beam of 1"
            )
        if self.top_k < 0:
            raise ConfigError(f"top_k is {self.top_k}, but it must be at least 1, or 0 for all tokens")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}, but it must be above 0 and at most 1, which is all tokens")

    @cached_property
    def special(self) -> SpecialTokens:
        """The tokens that mean something."""
        return SpecialTokens(bos=self.bos, eos=self.eos, forbidden=self.forbidden)

    def __call__(
        self,
        model: StepModel[StateT],
        source: Any,
        source_lengths: Int[Array, " batch"],
        demands: Demands | None = None,
        /,
    ) -> list[list[Hypothesis]]:
        """Return ``samples`` hypotheses per sentence.

        Their scores are their log-probabilities, which are the model's own: before temperature and cuts. Finished
        ones come first, the most probable first; of equals the one drawn first.

        Raises:
            ConfigError: for phrases that must appear, which drawing token by token cannot promise.
        """
        if demands is not None and any(demands.required):
            raise ConfigError(
                "sampling cannot promise that a phrase will appear; use beam search for phrases that must, and "
                "sample without them"
            )
        if not len(source_lengths):
            return []
        with arrays.without_gradients(source_lengths):
            trellis, leaves = self._search(model, source, source_lengths, demands)
        paths = trellis.paths()
        found = []
        for row, source_length in zip(leaves.tolist(), source_lengths.tolist(), strict=True):
            drawn = [paths.hypothesis(leaf, eos=self.eos, source_length=source_length) for leaf in row]
            found.append(sorted(drawn, key=lambda hypothesis: (not hypothesis.finished, -hypothesis.log_prob)))
        return found

    def _search(
        self, model: StepModel[StateT], source: Any, source_lengths: Int[Array, " batch"], demands: Demands | None
    ) -> tuple[Trellis, Int[Array, "batch samples"]]:
        """Run the model; return the record, and in it the newest token of every sample."""
        ranking = Ranking(self.special, self.limit, self.rules, source_lengths, demands)
        trellis = Trellis(len(source_lengths), like=source_lengths)
        leaves = arrays.repeat(trellis.roots, self.samples)
        rows = ranking.first(arrays.copy(leaves))
        places = arrays.arange(len(leaves), like=leaves)  # of the rows among all samples
        keys = self._sample_keys(source, source_lengths)
        tokens = arrays.full(leaves.shape, self.bos, like=leaves)
        state = model.start(source, source_lengths)
        if self.samples > 1:
            state = state.select(rows.sentences)
        while len(places):
            log_probs, weights, state = model.step(tokens, state)
            possible, tokens = self._draw(ranking.all(ranking.ranks(log_probs, rows), rows), keys, rows.length)
            nodes = trellis.grow(
                parents=leaves[places],
                tokens=tokens,
                log_probs=arrays.take_along(log_probs, tokens[:, None]).squeeze(1),
                rows=arrays.arange(len(places), like=places),
                weights=weights,
            )
            leaves[places] = arrays.where(possible, nodes, leaves[places])
            live = possible & (tokens != self.eos) & (ranking.limits[rows.sentences] > rows.length)
            kept = arrays.places_of(live)
            if 0 < len(kept) < len(places):
                state = state.select(kept)
            places, keys, tokens = places[kept], keys[kept], tokens[kept]
            rows = ranking.follow(rows, kept, tokens)
        return trellis, leaves.reshape(-1, self.samples)

    def _sample_keys(self, source: Any, source_lengths: Int[Array, " batch"]) -> Int[Array, " rows"]:
        numbers = arrays.arange(self.samples, like=source_lengths)[None]
        return random_numbers(source_keys(source, source_lengths, self.seed), numbers).reshape(-1)

    def _draw(
        self, allowed: Float[Array, "rows vocab"], keys: Int[Array, " rows"], length: int
    ) -> tuple[Bool[Array, " rows"], Int[Array, " rows"]]:
        """Return for each row whether anything may come next, and what is drawn as token number ``length``."""
        best = arrays.largest(allowed)
        check_numbers(best)
        step_keys = random_numbers(keys, arrays.full((1, 1), length, like=keys)).squeeze(1)
        size = max(1, _AT_ONCE // allowed.shape[1])
        parts = [
            draw(self._reshaped(allowed[begin : begin + size]), step_keys[begin : begin + size])
            for begin in range(0, len(keys), size)
        ]
        return best > _NEVER, arrays.concat(parts)

    def _reshaped(self, allowed: Float[Array, "rows vocab"]) -> Float[Array, "rows vocab"]:
        """Return the logarithms of what to draw with, up to a constant: tempered and cut, float64."""
        allowed = arrays.cast(allowed, "float64")
        best = arrays.largest(allowed, keepdims=True)
        # Less the best: so it is 0 at any temperature. Where nothing may come, nothing is subtracted.
        shaped = (allowed - arrays.masked(best, best == _NEVER, 0)) / self.temperature
        if 0 < self.top_k < shaped.shape[1]:
            values, tokens = best_choices(shaped, self.top_k)
            shaped = arrays.put_along(arrays.full(shaped.shape, _NEVER, like=shaped), tokens, values)
        return shaped if self.top_p == 1 else nucleus(shaped, self.top_p)


def nucleus(log_weights: Float[Array, "rows vocab"], top_p: float, width: int = _NUCLEUS) -> Float[Array, "rows vocab"]:
    """Return minus infinity for what is outside the fewest tokens that have ``top_p`` of the probability.

    Args:
        log_weights: logarithms of probabilities, up to a constant.
        top_p: above 0 and below 1.
        width: tokens to look at first; sorting the whole vocabulary takes longer than the model.
    """
    values, tokens = best_choices(log_weights, width)
    shares = arrays.exp(values - arrays.log_sum_exp(log_weights, axis=1))
    sums = shares.cumsum(axis=1)
    outside = sums - shares >= top_p
    never = arrays.full(log_weights.shape, _NEVER, like=log_weights)
    kept = arrays.put_along(never, tokens, arrays.masked(values, outside, _NEVER))
    wider = sums[:, -1] < top_p
    if width < log_weights.shape[1] and bool(wider.any()):
        kept[wider] = nucleus(log_weights[wider], top_p, width * 8)
    return kept


def draw(log_weights: Float[Array, "rows vocab"], keys: Int[Array, " rows"]) -> Int[Array, " rows"]:
    """Draw a token of each row; ``log_weights`` are logarithms of probabilities, up to a constant, float64.

    The largest sum of a log-probability and Gumbel noise is a fair draw (Maddison, Tarlow and Minka 2014, section 2,
    https://arxiv.org/abs/1411.0030). One number in the cumulated probabilities would be, too, but where the order or
    the last digits of many small probabilities differ, as they do between batches of different size, so does
    everything behind them; here only the two tokens that are ahead must not change places. To need fewer random
    numbers than tokens, a block of neighboring tokens is drawn first and a token of it then.
    """
    rows, vocab = log_weights.shape
    size = math.isqrt(vocab - 1) + 1
    more = arrays.full((rows, size * size - vocab), _NEVER, like=log_weights)
    blocks = arrays.concat([log_weights, more], axis=1).reshape(rows, size, size)
    noise = gumbel_noise(keys, arrays.arange(2 * size, like=keys)[None])
    block = (arrays.log_sum_exp(blocks, axis=2).squeeze(2) + noise[:, :size]).argmax(axis=1)
    inside = blocks[arrays.arange(rows, like=keys), block]
    token = block * size + (inside + noise[:, size:]).argmax(axis=1)
    return token.clip(max=vocab - 1)  # where nothing may come, any token
