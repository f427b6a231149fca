"""Optimizers from plain numbers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

OptimizerKind = Literal["adam", "adamw", "sgd"]


def build_optimizer(
    model: nn.Module,
    *,
    kind: OptimizerKind,
    learning_rate: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    momentum: float = 0.0,
) -> torch.optim.Optimizer:
    """Make an optimizer over the trainable parameters of ``model``.

    Biases are not decayed: they hold no directions that weight decay could shrink to good effect.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum)
    cls = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    # one fused kernel per step; the numbers are those of the plain loop
    return cls(groups, lr=learning_rate, betas=betas, eps=epsilon, fused=True)
