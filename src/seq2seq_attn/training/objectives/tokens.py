"""What a model says of the tokens of a target: no padding, and never the whole vocabulary of all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.base import Forced, Seq2Seq
from seq2seq_attn.nn import losses
from seq2seq_attn.nn.pointer import Copying, mixed_log_probs
from seq2seq_attn.products.precision import product_dtype


class Told(NamedTuple):
    """Target tokens side by side, sentence after sentence, and what a model made of what stands before each."""

    features: Float[Tensor, "tokens features"]
    targets: Int[Tensor, " tokens"]
    copying: Copying | None  # None: the model never copies

    def select(self, piece: slice) -> Told:
        """Keep some tokens."""
        copying = self.copying
        if copying is not None:
            copying = Copying(copying.generate[piece], copying.weights[piece], copying.source, copying.sentence[piece])
        return Told(self.features[piece], self.targets[piece], copying)

    def pieces(self, vocabulary: int) -> Iterator[slice]:
        """Go through the tokens, so many at a time as the output layer does."""
        rows = max(1, losses.CHUNK // vocabulary)
        for begin in range(0, len(self.targets), rows):
            yield slice(begin, begin + rows)


def told(forced: Forced, batch: Batch) -> Told:
    """Take the tokens of a batch out of its padding."""
    tokens = batch.target_mask
    copying = None
    if forced.generate is not None:
        sentence = tokens.nonzero()[:, 0]
        copying = Copying(forced.generate[tokens], forced.weights[tokens], batch.source, sentence)
    return Told(forced.features[tokens], batch.target_out[tokens], copying)


def log_probs(output: nn.Linear, tokens: Told) -> Float[Tensor, "tokens vocabulary"]:
    """Return log-probabilities of everything that could stand in the place of each token, float32 at least.

    Args:
        output: the output layer.
        tokens: few enough that there is room for the vocabulary of each.
    """
    dtype = product_dtype(tokens.features)
    exact = torch.promote_types(dtype, torch.float32)
    with torch.autocast(tokens.features.device.type, enabled=False):
        logits = F.linear(tokens.features.to(dtype), output.weight.to(dtype)).to(exact) + output.bias.to(exact)
        if tokens.copying is None:
            return torch.log_softmax(logits, dim=-1)
        generate, weights, source, sentence = tokens.copying
        return mixed_log_probs(logits, generate, weights, source[sentence])


def target_log_probs(model: Seq2Seq, tokens: Told) -> Float[Tensor, " tokens"]:
    """Return the log-probability of each token, float32 at least.

    The (tokens x vocabulary) matrix exists in pieces only; each is made once more for its gradient.
    """

    def of_targets(piece: Told) -> Tensor:
        return log_probs(model.output, piece).gather(1, piece.targets.unsqueeze(1)).squeeze(1)

    found = []
    for piece in tokens.pieces(model.output.out_features):
        found.append(checkpoint(of_targets, tokens.select(piece), use_reentrant=False, preserve_rng_state=False))
    return torch.cat(found)


def draw(log_weights: Float[Tensor, "rows vocabulary"], numbers: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """Draw a token of each row.

    Unlike ``torch.multinomial`` it does not fail where a model gives no numbers, which is found out when the loss is.

    Args:
        log_weights: logarithms of probabilities, up to a constant.
        numbers: from 0 to 1, 1 excluded: where the cumulated probabilities pass it is the token.
    """
    reached = log_weights.softmax(1).cumsum(1)
    wanted = numbers.to(reached.dtype).unsqueeze(1) * reached[:, -1:]
    return torch.searchsorted(reached, wanted, right=True).squeeze(1).clamp(max=reached.shape[1] - 1)


@contextmanager
def translating(model: Seq2Seq) -> Iterator[None]:
    """Let a model that learns do, inside this block, what it would do in search: no dropout, no gradient."""
    training = model.training
    model.eval()
    try:
        with without_gradient():
            yield
    finally:
        model.train(training)


@contextmanager
def without_gradient() -> Iterator[None]:
    """Need no gradient inside this block.

    What autocast has rounded here is forgotten: not every version of torch sees by itself that it has no gradient
    and must not be used again behind the block.
    """
    try:
        with torch.no_grad():
            yield
    finally:
        torch.clear_autocast_cache()
