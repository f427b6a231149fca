"""First values of parameters."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def initialize_lstm(lstm: nn.LSTM) -> None:
    """Initialize an LSTM: Glorot-uniform inputs, orthogonal recurrence, forget gates half open.

    Orthogonal recurrence keeps the length of a state's gradient over time (Saxe et al. 2014);
    a forget bias of 1 lets the cell remember before it has learned to (Jozefowicz et al. 2015).
    torch keeps two biases; only the first gets the 1. Gate order is torch's: input, forget,
    cell, output.
    """
    hidden_size = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias"):
            parameter.zero_()
            if name.startswith("bias_ih"):
                parameter[hidden_size : 2 * hidden_size] = 1.0
            continue
        for gate in parameter.chunk(4, dim=0):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(gate)
            else:
                nn.init.xavier_uniform_(gate)


@torch.no_grad()
def initialize_output(layer: nn.Linear) -> None:
    """Initialize an output layer so that the first predictions are nearly uniform."""
    nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    nn.init.zeros_(layer.bias)
