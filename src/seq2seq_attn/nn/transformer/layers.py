"""One layer of the encoder and one of the decoder."""

from __future__ import annotations

from typing import Literal, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.transformer.attention import KeysValues, TransformerAttention, glorot_linear

NormPlace = Literal["pre", "post"]


class LayerSettings(NamedTuple):
    """What all layers of a model have in common."""

    size: int  # features of a state
    heads: int
    feed_forward_size: int
    norm: NormPlace
    dropout: SequenceDropout  # of what a sub-layer gives


class Residual(nn.Module):
    r"""What stands around every sub-layer :math:`f`: a sum past it, and a normalization.

    ``post``, as in Vaswani et al. (2017), section 3.1: :math:`LayerNorm(x + f(x))`.
    ``pre``, as in their later code (Xiong et al. 2020, https://arxiv.org/abs/2002.04745):
    :math:`x + f(LayerNorm(x))`, whose gradients need no long warm-up.
    """

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.place = settings.norm
        self.norm = nn.LayerNorm(settings.size)
        self.dropout = settings.dropout

    def before(self, states: Float[Tensor, "batch len size"]) -> Float[Tensor, "batch len size"]:
        """Return what the sub-layer reads."""
        return self.norm(states) if self.place == "pre" else states

    def after(
        self, states: Float[Tensor, "batch len size"], found: Float[Tensor, "batch len size"]
    ) -> Float[Tensor, "batch len size"]:
        """Add what the sub-layer ``found`` to the states it was given."""
        added = states + self.dropout(found)
        return added if self.place == "pre" else self.norm(added)


class FeedForward(nn.Module):
    r"""Two linear layers at every position, :math:`\max(0, x W_1 + b_1) W_2 + b_2` (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, size: int, inside: int) -> None:
        super().__init__()
        self.inner = glorot_linear(size, inside)
        self.outer = glorot_linear(inside, size)

    def forward(self, states: Float[Tensor, "batch len size"]) -> Float[Tensor, "batch len size"]:
        """Transform every position by itself."""
        return self.outer(self.inner(states).relu())


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = TransformerAttention(settings.size, heads=settings.heads)
        self.attention_residual = Residual(settings)
        self.feed_forward = FeedForward(settings.size, settings.feed_forward_size)
        self.feed_forward_residual = Residual(settings)

    def forward(
        self,
        states: Float[Tensor, "batch source_len size"],
        mask: Bool[Tensor, "batch 1 1 source_len"],
        *,
        look: bool = False,
    ) -> tuple[Float[Tensor, "batch source_len size"], Float[Tensor, "batch heads source_len source_len"] | None]:
        """Return the new states and, to those who ``look``, the weights."""
        read = self.attention_residual.before(states)
        found, weights = self.attention(read, self.attention.remember(read), mask, look=look)
        states = self.attention_residual.after(states, found)
        found = self.feed_forward(self.feed_forward_residual.before(states))
        return self.feed_forward_residual.after(states, found), weights


class DecoderLayerOutput(NamedTuple):
    """What a layer of the decoder makes of some target positions."""

    states: Float[Tensor, "batch target_len size"]
    context: Float[Tensor, "batch target_len size"]  # what it found in the source
    past: KeysValues  # of all target positions so far
    self_weights: Float[Tensor, "batch heads target_len past_len"] | None
    cross_weights: Float[Tensor, "batch heads target_len source_len"] | None


class DecoderLayer(nn.Module):
    """Self-attention, attention to the source, feed-forward (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.self_attention = TransformerAttention(settings.size, heads=settings.heads)
        self.self_residual = Residual(settings)
        self.cross_attention = TransformerAttention(settings.size, heads=settings.heads)
        self.cross_residual = Residual(settings)
        self.feed_forward = FeedForward(settings.size, settings.feed_forward_size)
        self.feed_forward_residual = Residual(settings)

    def forward(
        self,
        states: Float[Tensor, "batch target_len size"],
        past: KeysValues,
        past_mask: Bool[Tensor, "1 1 target_len past_len"] | None,
        memory: KeysValues,
        source_mask: Bool[Tensor, "batch 1 1 source_len"],
        *,
        look: bool = False,
        look_across: bool = False,
    ) -> DecoderLayerOutput:
        """Go on from ``past`` with some more target positions.

        Args:
            states: of the new positions.
            past: keys and values of those before.
            past_mask: which positions, old and new, a new one may look at; None: all.
            memory: keys and values of the source.
            source_mask: True where there is a source token.
            look: whether to return all weights.
            look_across: whether to return those over the source.
        """
        read = self.self_residual.before(states)
        past = past.extend(self.self_attention.remember(read))
        found, self_weights = self.self_attention(read, past, past_mask, look=look)
        states = self.self_residual.after(states, found)
        read = self.cross_residual.before(states)
        context, cross_weights = self.cross_attention(read, memory, source_mask, look=look or look_across)
        states = self.cross_residual.after(states, context)
        found = self.feed_forward(self.feed_forward_residual.before(states))
        states = self.feed_forward_residual.after(states, found)
        return DecoderLayerOutput(states, context, past, self_weights, cross_weights)
