"""The Transformer's encoder."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq_attn.nn.transformer.layers import EncoderLayer, LayerSettings


class TransformerEncoder(nn.Module):
    """Layers of self-attention over the source (Vaswani et al. 2017, section 3.1).

    Args:
        layers: how many.
        settings: of each.
    """

    def __init__(self, layers: int, settings: LayerSettings) -> None:
        super().__init__()
        self.output_size = settings.size
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(layers))
        # between layers that normalize what they read, the sum itself is never normalized: once, at the end
        self.norm = nn.LayerNorm(settings.size) if settings.norm == "pre" else nn.Identity()

    def forward(
        self,
        embedded: Float[Tensor, "batch source_len size"],
        mask: Bool[Tensor, "batch source_len"],
        *,
        look: bool = False,
    ) -> tuple[Float[Tensor, "batch source_len size"], tuple[Tensor, ...]]:
        """Return the states of the top layer and, to those who ``look``, the weights of every layer.

        What stands in the padding of ``embedded`` is never read.
        """
        # a weight of zero does not silence NaN, so padding has to hold numbers
        states = embedded.masked_fill(~mask.unsqueeze(-1), 0.0)
        seen = []
        for layer in self.layers:
            states, weights = layer(states, mask[:, None, None], look=look)
            seen.append(weights)
        return self.norm(states), tuple(seen) if look else ()
