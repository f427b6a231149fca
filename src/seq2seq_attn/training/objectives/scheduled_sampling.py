"""Scheduled sampling: the decoder learns to go on from what it would have said itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers.base import SPECIALS
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.training.objectives.base import Lost, Objective
from seq2seq_attn.training.objectives.tokens import draw, log_probs, told, translating

Decay = Literal["linear", "exponential", "inverse_sigmoid"]


@dataclass(frozen=True)
class RightShare:
    r"""The share of right tokens that the decoder is told, which falls with the steps of the optimizer.

    .. math::
        \text{linear} = 1 - i / k \qquad \text{exponential} = e^{-i / k} \qquad
        \text{inverse\_sigmoid} = k / (k + e^{i / k})

    Bengio et al. (2015), section 2.4, https://arxiv.org/abs/1506.03099. Their :math:`k` of the exponential decay is
    :math:`e^{-1 / k}` of ours, their slope :math:`c` of the linear one :math:`1 / k`, so that all are in steps. The
    lower bound, which they give to the linear one, is for all.

    Attributes:
        decay: which of them.
        steps: :math:`k`.
        minimum: it falls no lower.
        start_after: steps with right tokens only; :math:`i` counts from there.
    """

    decay: Decay = "inverse_sigmoid"
    steps: int = 1000
    minimum: float = 0.0
    start_after: int = 0

    def at(self, step: int) -> float:
        """Return the share at a step, 0 to 1."""
        time = (step - self.start_after) / self.steps
        if time < 0:
            return 1.0
        if self.decay == "linear":
            share = 1.0 - time
        elif self.decay == "exponential":
            share = math.exp(-time)
        else:
            share = self.steps / (self.steps + math.exp(min(time, 700.0)))  # more than e^709 is no float
        return max(self.minimum, share)


class ScheduledSampling(Objective):
    """Tell the decoder its own prediction instead of the right token, by a coin for each token.

    Bengio et al. (2015), https://arxiv.org/abs/1506.03099, in the form of Mihaylova and Martins (2019),
    https://arxiv.org/abs/1906.07651, and Duckworth et al. (2019), https://arxiv.org/abs/1906.04331, which any
    model can have: one pass under teacher forcing predicts all tokens at once, coins put some of the
    predictions in the place of right tokens, and the model learns from that mixture. So, with one pass, a
    prediction follows right tokens; in Bengio's, it follows a mixture, too. Every further pass predicts from the
    last mixture, with the same coins, and makes it exact one token further from the beginning of a sentence at
    least: as many passes as there are tokens are Bengio's method.

    Departures: predictions are made as in translation, without dropout, and are never special symbols, which
    nothing that is translated goes on from. No gradient goes through them, as in Bengio's.

    Args:
        objective: what the batch is handed on to.
        share: of right tokens.
        passes: how often predictions are made.
        draw: draw predictions from the model instead of taking the most probable ones.
    """

    def __init__(self, objective: Objective, share: RightShare, *, passes: int = 1, draw: bool = False) -> None:
        self.objective = objective
        self.share = share
        self.passes = passes
        self.draw = draw

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of the objective."""
        return self.objective.parts

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        """Return what is lost behind a mixture of right and predicted tokens."""
        share = self.share.at(step)
        if share < 1:
            batch = replace(batch, target_in=self.mix(model, batch, share))
        return self.objective(model, batch, step)

    def mix(self, model: Seq2Seq, batch: Batch, share: float) -> Int[Tensor, "batch target_len"]:
        """Return what the decoder is told when ``share`` of it shall be right."""
        right = batch.target_in
        wrong = batch.target_mask & (torch.rand(right.shape, device=right.device) >= share)
        wrong[:, 0] = False  # the beginning of the sentence is known
        numbers = torch.rand(right.shape, device=right.device) if self.draw else None
        mixed = right
        with translating(model):
            for _ in range(self.passes):
                predicted = predict(model, replace(batch, target_in=mixed), numbers)
                # what is predicted at a place is what is told at the next
                mixed = torch.where(wrong, predicted.roll(1, dims=1), right)
        return mixed


def predict(
    model: Seq2Seq, batch: Batch, numbers: Float[Tensor, "batch target_len"] | None = None
) -> Int[Tensor, "batch target_len"]:
    """Return what the model would say at each place of ``batch.target_out``; padding stays what it is.

    Args:
        model: asked in the mode that it is in.
        batch: what is read, and what has been said before each place.
        numbers: from 0 to 1; each draws a token. None takes the most probable ones.
    """
    tokens = told(model(batch.source, batch.source_lengths, batch.target_in), batch)
    places = None if numbers is None else numbers[batch.target_mask]
    found = torch.empty_like(tokens.targets)
    for piece in tokens.pieces(model.output.out_features):
        possible = log_probs(model.output, tokens.select(piece))
        possible[:, : len(SPECIALS)] = float("-inf")
        found[piece] = possible.argmax(1) if places is None else draw(possible, places[piece])
    predicted = batch.target_out.clone()
    predicted[batch.target_mask] = found
    return predicted
