"""Minimum risk training against the enumeration of everything that a tiny vocabulary can say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from objective_cases import MODELS, VOCABULARY, gradient_of, make_batch, make_model, padded, step
from torch import Tensor

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, UNK
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn import losses
from seq2seq_attn.training.objectives import candidates as candidates_module
from seq2seq_attn.training.objectives import minimum_risk
from seq2seq_attn.training.objectives.base import RISK
from seq2seq_attn.training.objectives.candidates import CandidateSampler
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.minimum_risk import MinimumRisk, Risk, Texts
from seq2seq_attn.training.objectives.tokens import draw
from seq2seq_attn.training.objectives.word_dropout import WordDropout

SHARPNESS = 0.3
WORDS = range(EOS + 1, EOS + 4)
ALL = [ids for length in range(3) for ids in itertools.product(WORDS, repeat=length)]
"""Everything that three words can say in two places."""


def decode(ids: Sequence[int]) -> str:
    return " ".join(str(token) for token in ids)


def gain(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """Share of the words that are the right ones in the right place."""
    found = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        ours, theirs = hypothesis.split(), reference.split()
        same = sum(one == two for one, two in zip(ours, theirs, strict=False))
        found.append(same / max(len(ours), len(theirs), 1))
    return found


class Everything:
    """Draws all that there is, some of it twice."""

    def __call__(self, model: Seq2Seq, batch: Batch) -> list[list[tuple[int, ...]]]:
        return [[*ALL, *ALL[3:9]] for _ in range(batch.size)]


def objective(risk: Risk | None = None, sampler=None) -> MinimumRisk:
    risk = risk or Risk(sharpness=SHARPNESS)
    return MinimumRisk(sampler or Everything(), risk, Texts(decode, gain), LikelihoodObjective(0.1))


def small_batch() -> Batch:
    """References from the same three words, so that they are among all that can be said."""
    sources, targets = [[4, 5, 6, 7], [8], [9, 10]], [[4, 5], [6, 5], [4]]
    return collate(sources, targets, range(3))


def log_prob_of(model: Seq2Seq, source: Tensor, ids: Sequence[int]) -> Tensor:
    """Step by step, with a gradient."""
    state = model.start(source.unsqueeze(0), torch.tensor([len(source)]))
    total = torch.zeros((), dtype=torch.float64)
    for told, said in zip((BOS, *ids), (*ids, EOS), strict=True):
        log_probs, _, state = model.step(torch.tensor([told]), state)
        total = total + log_probs[0, said]
    return total


def expected_by_enumeration(model: Seq2Seq, batch: Batch, *, by_length: bool = False) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row in range(batch.size):
        source = batch.source[row, : int(batch.source_lengths[row])]
        length = int(batch.target_lengths[row])
        reference = decode(batch.target_out[row, : length - 1].tolist())
        powers, risks = [], []
        for ids in ALL:
            log_prob = log_prob_of(model, source, ids) / ((len(ids) + 1) if by_length else 1)
            powers.append(log_prob.exp() ** SHARPNESS)
            risks.append(1 - gain([decode(ids)], [reference])[0])
        everything = torch.stack(powers).sum()
        risk = sum(power / everything * one for power, one in zip(powers, risks, strict=True))
        total = total + risk * length
    return total


@pytest.mark.parametrize("groups", ["one", "many"])
@pytest.mark.parametrize("name", ["luong", "bahdanau", "copying", "transformer"])
def test_risk_and_gradient_are_those_of_the_enumeration(name: str, groups, monkeypatch: pytest.MonkeyPatch) -> None:
    if groups == "many":
        monkeypatch.setattr(minimum_risk, "GROUP", 17)
        monkeypatch.setattr(losses, "CHUNK", 2 * VOCABULARY)
    model, batch = make_model(name), small_batch()
    found = objective()(model, batch, 0)
    wanted = expected_by_enumeration(model, batch)
    torch.testing.assert_close(found.total.double(), wanted, rtol=1e-6, atol=0)  # risks are float32
    ours, theirs = gradient_of(model, found.total), gradient_of(model, wanted)
    assert float(theirs.abs().max()) > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))
    assert found.parts == {RISK: found.total}


def test_scores_can_be_divided_by_length() -> None:
    model, batch = make_model("luong"), small_batch()
    found = objective(Risk(sharpness=SHARPNESS, length_normalization=True))(model, batch, 0)
    wanted = expected_by_enumeration(model, batch, by_length=True)
    torch.testing.assert_close(found.total.double(), wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient_of(model, found.total), gradient_of(model, wanted), rtol=0, atol=1e-6)
    plain = LikelihoodObjective()(model, batch, 0).likelihood
    torch.testing.assert_close(found.likelihood, plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize("include_reference", [True, False])
@pytest.mark.parametrize("name", ["luong", "copying", "transformer"])
def test_the_likelihood_is_logged_as_ever(name: str, include_reference: bool) -> None:
    model, batch = make_model(name), small_batch()
    found = objective(Risk(include_reference=include_reference))(model, batch, 0)
    plain = LikelihoodObjective(0.1)(model, batch, 0)
    torch.testing.assert_close(found.likelihood, plain.likelihood, rtol=1e-12, atol=0)
    assert not found.likelihood.requires_grad


def test_the_reference_is_a_candidate_once() -> None:
    class Nothing:
        def __call__(self, model: Seq2Seq, batch: Batch) -> list[list[tuple[int, ...]]]:
            return [[(4, 5), (6,)], [(6, 5)], [()]]

    model, batch = make_model("luong"), small_batch()
    found, risks = objective(sampler=Nothing()).candidates(model, batch)
    together = sorted(zip(found.sentences, found.columns, found.ids, risks.tolist(), strict=True))
    assert together == [
        (0, 0, (4, 5), 0.0),
        (0, 1, (6,), 1.0),
        (1, 0, (6, 5), 0.0),
        (2, 0, (4,), 0.0),
        (2, 1, (), 1.0),
    ]
    without, _ = objective(Risk(include_reference=False), Nothing()).candidates(model, batch)
    assert sorted(zip(without.sentences, without.ids, strict=True)) == [(0, (4, 5)), (0, (6,)), (1, (6, 5)), (2, ())]


def test_the_likelihood_can_be_added() -> None:
    model, batch = make_model("luong"), small_batch()
    alone = objective()(model, batch, 0)
    both = objective(Risk(sharpness=SHARPNESS, likelihood_weight=0.25))
    found, plain = both(model, batch, 0), LikelihoodObjective(0.1)(model, batch, 0)
    torch.testing.assert_close(found.total, alone.total + 0.25 * plain.total, rtol=1e-12, atol=0)
    wanted = gradient_of(model, alone.total + 0.25 * plain.total)
    torch.testing.assert_close(gradient_of(model, found.total), wanted, rtol=0, atol=1e-12)
    assert torch.equal(found.likelihood, plain.likelihood)
    assert both.parts == tuple(found.parts) == (RISK,)


def test_noise_of_the_likelihood_does_not_touch_candidates() -> None:
    class Looking(CandidateSampler):
        def __call__(self, model: Seq2Seq, batch: Batch) -> list[list[tuple[int, ...]]]:
            assert UNK not in batch.source
            return super().__call__(model, batch)

    model, batch = make_model("luong"), small_batch()
    hiding = WordDropout(
        LikelihoodObjective(), source=0.9, target=0.9, replacement="unknown", source_vocabulary=VOCABULARY
    )
    found = MinimumRisk(Looking(3), Risk(likelihood_weight=1.0), Texts(decode, gain), hiding)(model, batch, 0)
    assert torch.isfinite(found.total)


@pytest.mark.parametrize("name", ["luong", "transformer"])
def test_neither_padding_nor_batches_matter(name: str) -> None:
    model, batch = make_model(name), small_batch()
    whole = objective()(model, batch, 0)
    torch.testing.assert_close(objective()(model, padded(batch), 0).total, whole.total, rtol=1e-6, atol=0)
    parts = [collate([[4, 5, 6, 7]], [[4, 5]], [0]), collate([[9, 10], [8]], [[4], [6, 5]], [2, 1])]
    apart = [objective()(model, part, 0) for part in parts]
    torch.testing.assert_close(apart[0].total + apart[1].total, whole.total, rtol=1e-6, atol=0)
    torch.testing.assert_close(apart[0].likelihood + apart[1].likelihood, whole.likelihood, rtol=1e-12, atol=0)


class TestSampler:
    @pytest.mark.parametrize("name", MODELS)
    def test_candidates_are_whole_and_of_words_only(self, name: str) -> None:
        model, batch = make_model(name, dropout=0.3), padded(make_batch(7))
        found = CandidateSampler(5, max_length_ratio=1.5)(model, batch)
        assert [len(drawn) for drawn in found] == [5] * 7
        limits = [math.ceil(1.5 * int(length)) for length in batch.target_lengths]
        lengths = [[len(ids) + 1 for ids in drawn] for drawn in found]
        assert all(max(row) <= limit for row, limit in zip(lengths, limits, strict=True))
        assert any(max(row) == limit for row, limit in zip(lengths, limits, strict=True))
        used = {token for drawn in found for ids in drawn for token in ids}
        assert not used & {PAD, UNK, BOS, EOS}
        assert model.training

    @pytest.mark.parametrize("name", ["luong", "copying", "transformer"])
    @pytest.mark.parametrize("temperature", [1.0, 2.0])
    def test_they_are_as_probable_as_the_model_says(
        self, name: str, temperature: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also a sentence at a time, for want of room, and in company."""
        monkeypatch.setattr(candidates_module, "CELLS", 1)
        model, count = make_model(name, dropout=0.5), 3000
        batch = collate([[4, 5], [7, 8, 9]], [[], [4]], [0, 1])
        torch.manual_seed(1)
        found = CandidateSampler(count, temperature, max_length_ratio=3.0)(model, batch)
        model.eval()
        for row, drawn in enumerate(found):
            source = batch.source[row : row + 1, : int(batch.source_lengths[row])]
            firsts = [ids[0] if ids else EOS for ids in drawn]
            state = model.start(source, batch.source_lengths[row : row + 1])
            for path in ((), (4,)):
                told = (BOS, *path)[-1:]
                log_probs, _, state = model.step(torch.tensor(told), state)
                wanted = log_probs[0].detach().div(temperature)
                wanted[[PAD, UNK, BOS]] = -math.inf
                wanted = wanted.softmax(0)
                behind = [ids for ids in drawn if ids[: len(path)] == path]
                if len(behind) < 200:
                    break
                firsts = [ids[len(path)] if len(ids) > len(path) else EOS for ids in behind]
                for token in range(VOCABULARY):
                    share = firsts.count(token) / len(firsts)
                    assert share == pytest.approx(float(wanted[token]), abs=3 / math.sqrt(len(firsts)))

    def test_no_numbers_are_no_crash(self) -> None:
        found = draw(torch.full((3, VOCABULARY), math.nan), torch.tensor([0.0, 0.5, 0.9]))
        assert found.shape == (3,)
        assert found.max() < VOCABULARY
        model = make_model("luong")
        with torch.no_grad():
            model.output.bias.fill_(math.nan)
        lost = objective(sampler=CandidateSampler(3))(model, small_batch(), 0)
        assert not torch.isfinite(lost.total)


@pytest.mark.parametrize("name", ["unfed", "transformer"])
def test_training_lowers_the_risk_of_what_is_drawn(name: str) -> None:
    torch.manual_seed(3)
    model, batch = make_model(name), small_batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    learned = objective(Risk(sharpness=1.0, include_reference=False), CandidateSampler(20))

    def mean_risk() -> float:
        drawn = CandidateSampler(300)(model, batch)
        references = [
            decode(row[: int(length) - 1].tolist())
            for row, length in zip(batch.target_out, batch.target_lengths, strict=True)
        ]
        gains = [
            one
            for ids, right in zip(drawn, references, strict=True)
            for one in gain([decode(i) for i in ids], [right] * 300)
        ]
        return 1 - sum(gains) / len(gains)

    before = mean_risk()
    for number in range(25):
        optimizer.zero_grad()
        learned(model, batch, number).total.backward()
        optimizer.step()
    after = mean_risk()
    print(f"risk {before:.3f} before, {after:.3f} after")
    assert after < before - 0.2


@pytest.mark.parametrize("name", ["luong", "transformer"])
def test_what_autocast_rounded_for_candidates_still_learns(name: str) -> None:
    torch.manual_seed(3)
    batch = replace(small_batch())
    learned = objective(Risk(sharpness=1.0))
    exact, _ = step(make_model(name, dtype=torch.float32), [batch], learned)
    drawing = objective(Risk(sharpness=1.0), CandidateSampler(30))
    low, result = step(make_model(name, dtype=torch.float32), [batch], drawing, dtype=torch.bfloat16)
    assert torch.isfinite(result.parts[RISK])
    sizes = [parameter.numel() for parameter in make_model(name).parameters()]
    for ours, theirs in zip(low.split(sizes), exact.split(sizes), strict=True):
        assert bool(ours.any()) == bool(theirs.any())
    low, _ = step(make_model(name, dtype=torch.float32), [batch], learned, dtype=torch.bfloat16)
    assert torch.nn.functional.cosine_similarity(exact, low, dim=0) > 0.95
