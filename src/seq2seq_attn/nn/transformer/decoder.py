"""The Transformer's decoder."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.nn.pointer import CopyGate
from seq2seq_attn.nn.transformer.attention import KeysValues
from seq2seq_attn.nn.transformer.layers import DecoderLayer, LayerSettings


class TransformerMemory(NamedTuple):
    """One encoded source batch as the decoder's layers see it: built once, then only read."""

    layers: tuple[KeysValues, ...]
    mask: Bool[Tensor, "batch source_len"]  # True where there is a token

    def select(self, rows: Int[Tensor, " kept"]) -> TransformerMemory:
        """Keep ``rows``, repeats allowed."""
        return TransformerMemory(tuple(layer.select(rows) for layer in self.layers), self.mask.index_select(0, rows))


Past = tuple[KeysValues, ...]
"""Keys and values of all target positions so far, for every layer."""


class TransformerDecoded(NamedTuple):
    """What the decoder made of some target positions."""

    features: Float[Tensor, "batch target_len size"]  # what the output layer reads
    context: Float[Tensor, "batch target_len size"]  # what the alignment layer found in the source
    weights: Float[Tensor, "batch target_len source_len"]  # of the alignment layer, the mean of its heads
    past: Past
    generate: Float[Tensor, "batch target_len"] | None  # probability of not copying; None: never copied
    self_weights: tuple[Float[Tensor, "batch heads target_len past_len"], ...]  # of every layer, to those who look
    cross_weights: tuple[Float[Tensor, "batch heads target_len source_len"], ...]


class TransformerDecoder(nn.Module):
    """Layers of self-attention over the target so far and of attention to the source.

    Vaswani et al. (2017), section 3.1. A position never looks at those behind it, so the target may
    come whole or piece by piece: keys and values of earlier pieces are kept, not computed again.

    Args:
        layers: how many.
        settings: of each.
        alignment_layer: the layer, counted from 1, whose attention to the source stands for the model's;
            None for the last but one, whose weights are nearest to word alignments where that was
            measured (Garg et al. 2019, https://arxiv.org/abs/1909.02074).
        copy_gate: says how probably a token is generated, not copied, from what the alignment layer found,
            the feature and the embedding of its position; None where nothing is copied.

    Raises:
        ConfigError: if there is no such alignment layer.
    """

    def __init__(
        self,
        layers: int,
        settings: LayerSettings,
        *,
        alignment_layer: int | None = None,
        copy_gate: CopyGate | None = None,
    ) -> None:
        super().__init__()
        self.alignment_layer = max(1, layers - 1) if alignment_layer is None else alignment_layer
        if not 1 <= self.alignment_layer <= layers:
            raise ConfigError(
                f"model.transformer.alignment_layer is {alignment_layer}, but there are layers 1 to {layers} only"
            )
        self.copy_gate = copy_gate
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(layers))
        self.norm = nn.LayerNorm(settings.size) if settings.norm == "pre" else nn.Identity()

    def memorize(
        self, values: Float[Tensor, "batch source_len size"], mask: Bool[Tensor, "batch source_len"]
    ) -> TransformerMemory:
        """Make every layer's keys and values of the source; what stands in its padding is never read."""
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        layers = cast(list[DecoderLayer], list(self.layers))
        return TransformerMemory(tuple(layer.cross_attention.remember(values) for layer in layers), mask)

    def start(self, memory: TransformerMemory) -> Past:
        """Return the past of the first target position: nothing."""
        return tuple(layer.nothing() for layer in memory.layers)

    def forward(
        self,
        embedded: Float[Tensor, "batch target_len size"],
        memory: TransformerMemory,
        past: Past,
        *,
        look: bool = False,
    ) -> TransformerDecoded:
        """Run over ``embedded``, which stands behind ``past``; keep every layer's weights for those who ``look``."""
        states = embedded
        past_mask = _causal_mask(past[0].keys.shape[2], embedded)
        source_mask = memory.mask[:, None, None]
        found = []
        for number, (layer, before, source) in enumerate(zip(self.layers, past, memory.layers, strict=True), start=1):
            aligns = number == self.alignment_layer
            output = layer(states, before, past_mask, source, source_mask, look=look, look_across=aligns)
            states = output.states
            found.append(output)
        aligned = found[self.alignment_layer - 1]
        features = self.norm(states)
        return TransformerDecoded(
            features=features,
            context=aligned.context,
            weights=aligned.cross_weights.mean(1),
            past=tuple(output.past for output in found),
            generate=None if self.copy_gate is None else self.copy_gate(aligned.context, features, embedded),
            self_weights=tuple(output.self_weights for output in found) if look else (),
            cross_weights=tuple(output.cross_weights for output in found) if look else (),
        )


def _causal_mask(past_len: int, new: Tensor) -> Tensor | None:
    """Let every new position look at itself and at all before it; None where that is everything."""
    length = new.shape[1]
    if length == 1:
        return None
    everything = torch.ones(length, past_len + length, dtype=torch.bool, device=new.device)
    return everything.tril(past_len)[None, None]
