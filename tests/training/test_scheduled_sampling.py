"""Scheduled sampling: shares against the paper's curves, mixtures against a loop that decodes step by step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from objective_cases import MODELS, VOCABULARY, make_batch, make_model, padded, step
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn import losses
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.r_drop import RDrop, twice
from seq2seq_attn.training.objectives.scheduled_sampling import RightShare, ScheduledSampling, predict
from seq2seq_attn.training.objectives.tokens import translating

SHARE = RightShare("linear", 10)


class TestShare:
    def test_linear(self) -> None:
        share = RightShare("linear", 200, minimum=0.25)
        assert [share.at(step) for step in (0, 50, 100, 150, 151, 10**6)] == [1.0, 0.75, 0.5, 0.25, 0.25, 0.25]

    def test_exponential_is_a_power_of_the_step(self) -> None:
        """The paper's k ** i."""
        share = RightShare("exponential", 100)
        k = math.exp(-1 / 100)
        for number in (0, 1, 77, 1000):
            assert share.at(number) == pytest.approx(k**number)

    def test_inverse_sigmoid(self) -> None:
        share = RightShare("inverse_sigmoid", 30)
        for number in (0, 1, 77, 300):
            assert share.at(number) == pytest.approx(30 / (30 + math.exp(number / 30)))
        assert share.at(30 * 5000) == pytest.approx(0.0)  # where the exponential is no float any more
        assert share.at(round(30 * math.log(30))) == pytest.approx(0.5, abs=0.01)

    def test_it_starts_later(self) -> None:
        share = RightShare("linear", 10, start_after=5)
        assert [share.at(number) for number in (0, 4, 5, 6)] == [1.0, 1.0, 1.0, 0.9]


def wrong_places(batch: Batch, share: float) -> Tensor:
    """The coins that the objective throws, if it draws what this draws."""
    return torch.rand(batch.target_in.shape) >= share


def decoded_with_coins(model: Seq2Seq, batch: Batch, coins: Tensor) -> Tensor:
    """Bengio's loop: after every step a coin says whether the token just predicted or the right one is read next."""
    told = batch.target_in.clone()
    with translating(model):
        for row in range(batch.size):
            length = int(batch.source_lengths[row])
            state = model.start(batch.source[row : row + 1, :length], batch.source_lengths[row : row + 1])
            for place in range(1, int(batch.target_lengths[row])):
                log_probs, _, state = model.step(told[row : row + 1, place - 1], state)
                if coins[row, place]:
                    best = max(range(EOS + 1, VOCABULARY), key=lambda token: float(log_probs[0, token]))
                    told[row, place] = best
    return told


@pytest.mark.parametrize("name", MODELS)
def test_many_passes_are_the_loop_of_the_paper(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "CHUNK", 3 * VOCABULARY)
    model, batch = make_model(name, dropout=0.3), padded(make_batch(8, longest=6))
    objective = ScheduledSampling(LikelihoodObjective(), SHARE, passes=7)
    torch.manual_seed(2)
    found = objective.mix(model, batch, 0.3)
    torch.manual_seed(2)
    wanted = decoded_with_coins(model, batch, wrong_places(batch, 0.3))
    assert torch.equal(found, wanted)
    assert int((found != batch.target_in).sum()) > 5
    assert model.training


@pytest.mark.parametrize("name", ["luong", "transformer", "copying"])
def test_one_pass_predicts_behind_right_tokens(name: str) -> None:
    model, batch = make_model(name), make_batch(3)
    torch.manual_seed(2)
    found = ScheduledSampling(LikelihoodObjective(), SHARE).mix(model, batch, 0.5)
    torch.manual_seed(2)
    coins = wrong_places(batch, 0.5)
    for row in range(batch.size):
        for place in range(1, int(batch.target_lengths[row])):
            alone = torch.zeros_like(coins)
            alone[row, place] = coins[row, place]
            assert found[row, place] == decoded_with_coins(model, batch, alone)[row, place]


def test_what_is_right_and_what_is_padding_stays() -> None:
    model, batch = make_model("luong"), padded(make_batch(8))
    for share in (0.0, 0.5, 1.0):
        mixed = ScheduledSampling(LikelihoodObjective(), SHARE, draw=True).mix(model, batch, share)
        assert (mixed[:, 0] == BOS).all()
        assert (mixed[~batch.target_mask] == PAD).all()
        assert (mixed[:, 1:][batch.target_mask[:, 1:]] > EOS).all()
        assert torch.equal(mixed, batch.target_in) == (share == 1)


def test_drawn_predictions_are_as_probable_as_the_model_says() -> None:
    model, batch = make_model("luong"), make_batch(2)
    with torch.no_grad():
        forced = model(batch.source, batch.source_lengths, batch.target_in)
        wanted = model.output(forced.features).softmax(-1)[batch.target_mask]
        wanted[:, : EOS + 1] = 0.0
        wanted = wanted / wanted.sum(1, keepdim=True)
        torch.manual_seed(1)
        many = batch
        for _ in range(12):
            many = twice(many)
        drawn = predict(model, many, torch.rand(many.target_in.shape))[many.target_mask].view(4096, -1)
        counts = F.one_hot(drawn, VOCABULARY).sum(0)
    assert float((counts / 4096 - wanted).abs().max()) < 0.03
    assert not counts[wanted == 0].any()


@pytest.mark.parametrize("name", ["luong", "transformer"])
def test_a_share_of_one_is_no_sampling(name: str) -> None:
    batches = [make_batch(), make_batch(3, seed=2)]
    inner = LikelihoodObjective(0.1)
    plain, _ = step(make_model(name, dropout=0.3), batches, inner)
    same, _ = step(make_model(name, dropout=0.3), batches, ScheduledSampling(inner, RightShare(start_after=8)))
    other, _ = step(make_model(name, dropout=0.3), batches, ScheduledSampling(inner, RightShare("linear", 8)))
    assert torch.equal(plain, same)
    assert not torch.equal(plain, other)


def test_it_is_the_loss_behind_the_mixture() -> None:
    model, batch = make_model("luong"), make_batch(8)
    for inner in (LikelihoodObjective(0.1), RDrop(0.5, 0.1)):
        objective = ScheduledSampling(inner, SHARE)
        assert objective.parts == inner.parts
        torch.manual_seed(4)
        found = objective(model, batch, 5)
        torch.manual_seed(4)
        mixed = replace(batch, target_in=objective.mix(model, batch, 0.5))
        wanted = inner(model, mixed, 5)
        torch.testing.assert_close(found.total, wanted.total, rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", ["luong", "transformer"])
def test_what_autocast_rounded_for_predictions_still_learns(name: str) -> None:
    """Rounded without a gradient and used again, a matrix would never learn."""
    objective = ScheduledSampling(LikelihoodObjective(0.1), SHARE, draw=True)
    model = make_model(name, dtype=torch.float32)
    for parameter in model.parameters():
        assert parameter.requires_grad
    low, _ = step(model, [make_batch()], objective, dtype=torch.bfloat16)
    exact, _ = step(make_model(name, dtype=torch.float32), [make_batch()], LikelihoodObjective(0.1))
    sizes = [parameter.numel() for parameter in model.parameters()]
    for ours, theirs in zip(low.split(sizes), exact.split(sizes), strict=True):
        assert bool(ours.any()) == bool(theirs.any())
