"""First values of parameters."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def initialize_recurrent(layer: nn.RNNBase, *, gates: int, forget_gate: int | None) -> None:
    """Initialize an LSTM or a GRU: Glorot-uniform inputs and orthogonal recurrence, gate by gate.

    Orthogonal recurrence keeps the length of a state's gradient over time (Saxe et al. 2014);
    a forget bias of 1 lets the cell remember before it has learned to (Jozefowicz et al. 2015).
    torch keeps two biases; only the first gets the 1.

    Args:
        layer: one layer, in one direction.
        gates: parts that the weights consist of.
        forget_gate: which of them is the forget gate, if there is one.
    """
    for name, parameter in layer.named_parameters():
        for number, gate in enumerate(parameter.chunk(gates, dim=0)):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(gate)
            else:
                gate.fill_(1.0 if name.startswith("bias_ih") and number == forget_gate else 0.0)


@torch.no_grad()
def initialize_output(layer: nn.Linear) -> None:
    """Initialize an output layer so that the first predictions are nearly uniform."""
    nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    nn.init.zeros_(layer.bias)
