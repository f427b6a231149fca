"""The average that follows the parameters, against loops over plain numbers."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch import nn

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision
from seq2seq_attn.training.averages import MovingAverage
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.updater import Updater

CPU = torch.device("cpu")


class Pair(nn.Module):
    """Two parameters, one of them under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.0, -0.25]], dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor([7.0], dtype=torch.float64))
        self.tied = self.matrix


def numbers(model: nn.Module) -> list[float]:
    return [value for parameter in model.parameters() for value in parameter.detach().flatten().tolist()]


def averaged(model: nn.Module, average: MovingAverage) -> list[float]:
    with average.applied():
        return numbers(model)


def move(model: nn.Module, optimizer: torch.optim.Optimizer, chance: random.Random) -> None:
    """Make an optimizer step somewhere."""
    for parameter in model.parameters():
        values = [chance.uniform(-1, 1) for _ in range(parameter.numel())]
        parameter.grad = torch.tensor(values, dtype=parameter.dtype).view_as(parameter)
    optimizer.step()


@pytest.mark.parametrize("decay", [0.1, 0.6, 0.999])
def test_it_is_the_recurrence_of_plain_numbers(decay: float) -> None:
    """With 0.1 the warm-up never matters, with 0.6 it ends at the 13th step, with 0.999 it lasts."""
    model, chance = Pair(), random.Random(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    average = MovingAverage(model, optimizer, decay)
    wanted = numbers(model)
    for step in range(1, 31):
        move(model, optimizer, chance)
        share = decay if decay < (1 + step) / (10 + step) else (1 + step) / (10 + step)
        wanted = [share * old + (1 - share) * new for old, new in zip(wanted, numbers(model), strict=True)]
        assert averaged(model, average) == pytest.approx(wanted, rel=1e-12, abs=1e-14)
    assert average.updates == 30
    assert averaged(model, average) != pytest.approx(numbers(model), rel=0.01)


def test_while_the_decay_warms_up_it_forgets_the_start() -> None:
    """The weight of step t is then in proportion to (t + 2) (t + 3) ... (t + 9), and that of the start vanishes."""
    model, chance = Pair(), random.Random(4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    average = MovingAverage(model, optimizer, 0.9999)
    history = [numbers(model)]
    for _ in range(200):
        move(model, optimizer, chance)
        history.append(numbers(model))
    weights = [1.0 if step else 10 / 9 for step in range(201)]
    for step in range(201):
        for more in range(2, 10):
            weights[step] *= step + more
    assert weights[0] / sum(weights) < 1e-12
    wanted = [
        sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
        for values in zip(*history, strict=True)
    ]
    assert averaged(model, average) == pytest.approx(wanted, rel=1e-10, abs=1e-12)


def test_the_model_has_it_only_inside_the_block() -> None:
    model = Pair()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    average = MovingAverage(model, optimizer, 0.9)
    move(model, optimizer, random.Random(1))
    raw, places = numbers(model), [parameter.data_ptr() for parameter in model.parameters()]
    inside: list[float] = []

    def look() -> None:
        with average.applied():
            inside.extend(numbers(model))
            assert model.tied is model.matrix
            raise KeyError

    with pytest.raises(KeyError):
        look()
    assert inside != raw
    assert numbers(model) == raw
    assert [parameter.data_ptr() for parameter in model.parameters()] == places, "nothing was copied or moved"
    assert averaged(model, average) == inside


def test_a_restored_one_goes_on_with_the_same_bits() -> None:
    model, chance = Pair(), random.Random(5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    average = MovingAverage(model, optimizer, 0.7)
    for _ in range(5):
        move(model, optimizer, chance)
    state = copy.deepcopy(average.state_dict())
    with average.applied():
        kept = copy.deepcopy(model)
    fresh = torch.optim.SGD(kept.parameters(), lr=0.3)
    again = MovingAverage(kept, fresh, 0.7)
    again.load_state_dict(state)
    for one, made, seed in ((model, optimizer, 6), (kept, fresh, 6)):
        generator = random.Random(seed)
        for _ in range(9):
            move(one, made, generator)
    assert numbers(kept) == numbers(model)
    assert averaged(kept, again) == averaged(model, average)


def test_a_frozen_parameter_stays_what_it_is() -> None:
    model = Pair()
    model.matrix.requires_grad_(False)
    before = model.matrix.detach().clone()
    optimizer = torch.optim.SGD([model.bias], lr=1.0)
    average = MovingAverage(model, optimizer, 0.9)
    for _ in range(7):
        model.bias.grad = torch.ones_like(model.bias)
        optimizer.step()
    with average.applied():
        assert torch.equal(model.matrix, before)
        assert not torch.equal(model.bias, torch.tensor([7.0], dtype=torch.float64))


def tiny_model() -> Seq2Seq:
    torch.manual_seed(5)
    tree = {"embedding_size": 5, "dropout": 0.0, "encoder": {"hidden_size": 3}, "decoder": {"hidden_size": 7}}
    config = ModelConfig.model_validate(tree)
    return build_model(config, source_vocabulary=17, target_vocabulary=19, padding=0)


def batch() -> Batch:
    return collate([[4, 5, 6], [7, 8]], [[9, 10], [11, 12, 13, 14]], [0, 1])


def updater_of(model: Seq2Seq, decay: float | None) -> Updater:
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return Updater(
        model,
        optimizer,
        device=CPU,
        precision=Precision(torch.float32, "for the test"),
        objective=LikelihoodObjective(0.0),
        clip_norm=None,
        average=None if decay is None else MovingAverage(model, optimizer, decay),
    )


def test_every_step_of_training_enters_it_and_none_is_changed_by_it() -> None:
    plain, followed = tiny_model(), tiny_model()
    bare, updater = updater_of(plain, None), updater_of(followed, 0.999)
    wanted = [parameter.detach().double() for parameter in plain.parameters()]
    for step in range(1, 5):
        bare.update([batch()], 0.5)
        updater.update([batch()], 0.5)
        share = (1 + step) / (10 + step)
        wanted = [share * old + (1 - share) * new.detach() for old, new in zip(wanted, plain.parameters(), strict=True)]
    assert numbers(followed) == numbers(plain)
    with updater.averaged():
        for found, expected in zip(followed.parameters(), wanted, strict=True):
            torch.testing.assert_close(found.detach().double(), expected, rtol=0, atol=1e-6)
    assert numbers(followed) == numbers(plain)
    with bare.averaged():
        assert numbers(plain) == numbers(followed)


def test_a_step_that_is_skipped_does_not_enter_it() -> None:
    model = tiny_model()
    updater = updater_of(model, 0.9)
    updater.update([batch()], 0.5)
    assert updater.average is not None
    before = averaged(model, updater.average)
    with torch.no_grad():
        parameter = next(model.parameters())
        value = parameter[4, 0].clone()
        parameter[4, 0] = float("nan")
    updater.update([batch()], 0.5)
    with torch.no_grad():
        parameter[4, 0] = value
    assert updater.average.updates == 1
    assert averaged(model, updater.average) == before
