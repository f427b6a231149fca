"""Optimizers against their update rules, one number at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from seq2seq_attn.training.optimizers import OptimizerKind, build_optimizer

RATE, DECAY, EPSILON = 0.03, 0.2, 1e-8
GRADIENTS = (0.7, -1.3, 0.2)


def model_of(weight: float, bias: float) -> nn.Linear:
    model = nn.Linear(1, 1).double()
    with torch.no_grad():
        model.weight.fill_(weight)
        model.bias.fill_(bias)
    return model


def run(kind: OptimizerKind, **numbers: float) -> tuple[float, float]:
    """Make three steps from weight 2 and bias 3."""
    model = model_of(2.0, 3.0)
    optimizer = build_optimizer(model, kind=kind, learning_rate=RATE, **numbers)  # type: ignore[arg-type]
    for gradient in GRADIENTS:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    return model.weight.item(), model.bias.item()


def sgd(start: float, *, decay: float, momentum: float) -> float:
    value, velocity = start, 0.0
    for gradient in GRADIENTS:
        velocity = momentum * velocity + gradient + decay * value
        value -= RATE * velocity
    return value


def adam(start: float, *, penalty: float = 0.0, decoupled: float = 0.0) -> float:
    value, mean, square = start, 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS, start=1):
        value -= RATE * decoupled * value
        gradient += penalty * value
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        value -= RATE * (mean / (1 - 0.9**step)) / (math.sqrt(square / (1 - 0.999**step)) + EPSILON)
    return value


def test_sgd_with_momentum_and_a_penalty_on_weights_alone() -> None:
    weight, bias = run("sgd", momentum=0.9, weight_decay=DECAY)
    assert weight == pytest.approx(sgd(2.0, decay=DECAY, momentum=0.9), rel=1e-12)
    assert bias == pytest.approx(sgd(3.0, decay=0.0, momentum=0.9), rel=1e-12)


def test_adam_with_a_penalty_on_weights_alone() -> None:
    weight, bias = run("adam", weight_decay=DECAY)
    assert weight == pytest.approx(adam(2.0, penalty=DECAY), rel=1e-9)
    assert bias == pytest.approx(adam(3.0), rel=1e-9)


def test_adamw_decays_weights_apart_from_the_gradient() -> None:
    weight, bias = run("adamw", weight_decay=DECAY)
    assert weight == pytest.approx(adam(2.0, decoupled=DECAY), rel=1e-9)
    assert bias == pytest.approx(adam(3.0), rel=1e-9)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_frozen_parameters_are_left_alone(kind: OptimizerKind) -> None:
    model = model_of(2.0, 3.0)
    model.weight.requires_grad = False
    optimizer = build_optimizer(model, kind=kind, learning_rate=RATE, weight_decay=DECAY)
    model.bias.grad = torch.ones_like(model.bias)
    optimizer.step()
    assert model.weight.item() == 2.0
    assert model.bias.item() != 3.0
