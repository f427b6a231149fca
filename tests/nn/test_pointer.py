"""The pointer-generator: equations 8 and 9 in plain Python, and the gradients of a naive dense version."""

from __future__ import annotations

import math
from typing import NamedTuple

import plain
import pytest
import torch
import torch.nn.functional as F
from building import assert_same, normal, numbers, randomize
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seq2seq_attn.nn import losses
from seq2seq_attn.nn.losses import Loss, output_loss
from seq2seq_attn.nn.pointer import CopyGate, Copying, mixed_log_probs, pointer_loss

TOKENS, FEATURES, VOCABULARY = 7, 5, 13
# Tokens repeat inside a sentence, and sentences share some.
SOURCE = torch.tensor([[4, 9, 4, 4, 3], [11, 12, 9, 3, 0], [7, 3, 0, 0, 0]])
LENGTHS = torch.tensor([5, 4, 2])
SENTENCE = torch.tensor([0, 0, 0, 1, 1, 2, 2])
# Three times in the source, once, not at all, the last of the vocabulary, the end, padding's own, once.
TARGETS = torch.tensor([4, 9, 5, 12, 3, 0, 7])
MASK = torch.arange(5) < LENGTHS[SENTENCE].unsqueeze(1)
PIECES = [1, VOCABULARY, 3 * VOCABULARY, 3 * VOCABULARY + 1, 10**6]  # one row, one row, three, three, all at once
SMOOTHINGS = [0.0, 0.1, 1.0]
GATES = [-25.0, -3.0, 0.0, 3.0, 25.0]  # before the sigmoid
MASSES = [1.0, 0.6, 0.0]
EXTREMES = [-1000.0, -90.0, -40.0, 40.0, 1000.0]  # the sigmoid is 0 or 1, or close to the smallest of float32


class Inputs(NamedTuple):
    """All that has a gradient; energies rather than weights, whose sum is not free."""

    features: Tensor
    weight: Tensor
    bias: Tensor
    gate: Tensor
    energies: Tensor
    mass: Tensor  # what the weights of each target token sum to

    @property
    def logits(self) -> Tensor:
        return self.features @ self.weight.T + self.bias

    @property
    def weights(self) -> Tensor:
        return self.energies.masked_fill(~MASK, -math.inf).softmax(1) * self.mass.unsqueeze(1)

    def copying(self, source: Tensor = SOURCE) -> Copying:
        return Copying(self.gate.sigmoid(), self.weights, source, SENTENCE)

    def loss(self, source: Tensor = SOURCE, *, smoothing: float = 0.0) -> Loss:
        copying = self.copying(source)
        return pointer_loss(self.features, self.weight, self.bias, TARGETS, copying, smoothing=smoothing)

    def log_probs(self, source: Tensor = SOURCE) -> Tensor:
        return mixed_log_probs(self.logits, self.gate.sigmoid(), self.weights, source[SENTENCE])


def inputs_of(
    *, gate: float = 0.0, mass: float = 1.0, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> Inputs:
    parts = (
        normal(TOKENS, FEATURES) * scale,
        normal(VOCABULARY, FEATURES, seed=2),
        normal(VOCABULARY, seed=3),
        normal(TOKENS, seed=4) + gate,
        normal(TOKENS, SOURCE.shape[1], seed=5) * scale,
        torch.full((TOKENS,), mass, dtype=torch.float64),
    )
    return Inputs(*(part.to(dtype).requires_grad_() for part in parts))


def equation_9(logits: list[float], generate: float, weights: list[float], source: list[int]) -> list[float]:
    """Probabilities of all tokens; who means to copy and attends to nothing generates after all."""
    vocabulary = plain.softmax(logits)
    nowhere = round(1.0 - math.fsum(weights), 12)  # not what softmax left over by rounding
    return [
        generate * share
        + (1.0 - generate) * math.fsum(weight for weight, token in zip(weights, source, strict=True) if token == word)
        + (1.0 - generate) * nowhere * share
        for word, share in enumerate(vocabulary)
    ]


def probabilities(inputs: Inputs) -> list[list[float]]:
    logits, weights = inputs.logits.tolist(), inputs.weights.tolist()
    generates = [plain.sigmoid(gate) for gate in inputs.gate.tolist()]
    lengths = LENGTHS[SENTENCE].tolist()
    rows = zip(logits, generates, weights, SOURCE[SENTENCE].tolist(), lengths, strict=True)
    return [
        equation_9(logit, generate, weight[:length], tokens[:length])
        for logit, generate, weight, tokens, length in rows
    ]


def dense(inputs: Inputs) -> Tensor:
    """Equation 9 as log-probabilities, with the whole matrix and torch's own gradients."""
    generate, weights, generated = inputs.gate.sigmoid(), inputs.weights, inputs.logits.softmax(1)
    copied = torch.einsum("ts,tsv->tv", weights, F.one_hot(SOURCE[SENTENCE], VOCABULARY).to(weights.dtype))
    copied = copied + (1 - inputs.mass).unsqueeze(1) * generated
    return (generate.unsqueeze(1) * generated + (1 - generate).unsqueeze(1) * copied).log()


def dense_loss(log_probs: Tensor, smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy, summed."""
    right = log_probs.gather(1, TARGETS.unsqueeze(1)).sum()
    return -(1 - smoothing) * right - smoothing * log_probs.mean(1).sum()


def assert_same_gradients(found: Tensor, wanted: Tensor, inputs: Inputs) -> None:
    """Divided as training does, so that the gradient that comes in is not 1."""
    # A sum of 1 is not free to change, and nothing comes back from a copy that has no probability.
    free = inputs if 0 < inputs.mass[0] < 1 else inputs[:5]
    ours = torch.autograd.grad(found / 3, free, retain_graph=True)
    theirs = torch.autograd.grad(wanted / 3, free)
    assert max(part.abs().max() for part in theirs) > 1e-3
    for name, one, other in zip(Inputs._fields, ours, theirs, strict=False):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11), name


@pytest.fixture(params=PIECES)
def chunk(request, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK", request.param)


every_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS)
every_gate = pytest.mark.parametrize("gate", GATES)
every_mass = pytest.mark.parametrize("mass", MASSES)
every_extreme = pytest.mark.parametrize("gate", EXTREMES)


class TestTheGate:
    CONTEXT, STATE, EMBEDDING = 3, 5, 7

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return normal(2, 11, self.CONTEXT), normal(2, 11, self.STATE, seed=2), normal(2, 11, self.EMBEDDING, seed=3)

    def gate(self) -> CopyGate:
        return CopyGate(context_size=self.CONTEXT, state_size=self.STATE, embedding_size=self.EMBEDDING)

    def test_is_equation_8(self):
        gate = self.gate().double()
        randomize(gate, seed=4)
        parameters, (bias,) = numbers(gate), gate.embedding.bias.tolist()
        context, state, embedded = self.inputs()
        wanted = [
            [
                plain.sigmoid(
                    plain.dot(parameters["context.weight"][0], context[row, step].tolist())
                    + plain.dot(parameters["state.weight"][0], state[row, step].tolist())
                    + plain.dot(parameters["embedding.weight"][0], embedded[row, step].tolist())
                    + bias
                )
                for step in range(11)
            ]
            for row in range(2)
        ]
        assert_same(gate(context, state, embedded), wanted)

    def test_begins_by_mostly_generating_whatever_it_reads(self):
        found = self.gate().double()(*self.inputs())
        assert_same(found, torch.full((2, 11), plain.sigmoid(1.0), dtype=torch.float64))

    def test_every_parameter_learns_from_the_first_step(self):
        gate = self.gate().double()
        gate(*self.inputs()).sum().backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in gate.parameters())

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
    def test_stays_in_single_precision(self, dtype):
        gate = self.gate()
        randomize(gate, seed=4)
        low = [part.to(dtype) for part in self.inputs()]
        wanted = gate.double()(*(part.double() for part in low))
        with torch.autocast("cpu", torch.bfloat16):
            found = gate.float()(*low)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-6)


class TestTheDistribution:
    @every_gate
    @every_mass
    def test_is_equation_9(self, gate, mass):
        inputs = inputs_of(gate=gate, mass=mass)
        assert_same(inputs.log_probs().exp(), probabilities(inputs), 1e-14)
        assert_same(inputs.log_probs(), [[math.log(share) for share in row] for row in probabilities(inputs)], 1e-9)

    @every_mass
    def test_a_whole_target_is_its_steps(self, mass):
        inputs = inputs_of(mass=mass)
        some = SENTENCE == 0
        logits, generate, weights = inputs.logits[some], inputs.gate.sigmoid()[some], inputs.weights[some]
        found = mixed_log_probs(logits.unsqueeze(0), generate.unsqueeze(0), weights.unsqueeze(0), SOURCE[:1])
        assert_same(found.squeeze(0), inputs.log_probs()[some])

    @every_gate
    @every_mass
    def test_gradients_are_those_of_the_dense_version(self, gate, mass):
        inputs = inputs_of(gate=gate, mass=mass)
        direction = normal(TOKENS, VOCABULARY, seed=6)
        found, wanted = (direction * inputs.log_probs()).sum(), (direction * dense(inputs)).sum()
        assert_same_gradients(found, wanted, inputs)

    @pytest.mark.parametrize("gate", GATES + EXTREMES)
    @pytest.mark.parametrize("mass", [*MASSES, 1e-20, 1e-42, 1 + 1e-6, 1.004])
    @pytest.mark.parametrize("scale", [1.0, 30.0])
    def test_sums_to_one_and_is_finite_with_its_gradients(self, gate, mass, scale):
        """Masses above 1 stand for weights that were rounded to bfloat16."""
        inputs = inputs_of(gate=gate, mass=mass, scale=scale, dtype=torch.float32)
        found = inputs.log_probs()
        assert found.isfinite().all()
        torch.testing.assert_close(found.exp().sum(1), torch.ones(TOKENS), rtol=0, atol=3e-6)
        gradients = torch.autograd.grad((normal(TOKENS, VOCABULARY, seed=6).float() * found).sum(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)

    def test_what_stands_behind_a_sentence_is_never_copied(self):
        inputs = inputs_of(gate=-3.0)
        garbage = torch.where(torch.arange(5) < LENGTHS.unsqueeze(1), SOURCE, torch.tensor([8, 6, 10, 1, 11]))
        assert torch.equal(inputs.log_probs(garbage), inputs.log_probs())
        wide = F.pad(SOURCE, (0, 3), value=5)[SENTENCE]
        found = mixed_log_probs(inputs.logits, inputs.gate.sigmoid(), F.pad(inputs.weights, (0, 3)), wide)
        assert_same(found, inputs.log_probs(), 1e-14)

    def test_padding_gets_what_the_vocabulary_gives_it(self):
        inputs = inputs_of()
        wanted = inputs.logits.log_softmax(1)[:, 0] + inputs.gate.sigmoid().log()
        assert_same(inputs.log_probs()[:, 0], wanted)

    def test_attention_to_the_end_of_the_source_ends_the_target(self):
        weights = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0]])
        found = mixed_log_probs(torch.zeros(1, VOCABULARY), torch.tensor([0.25]), weights, SOURCE[:1])
        assert_same(found.exp()[0, 3], 0.75 + 0.25 / VOCABULARY, 1e-6)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_low_precision_comes_out_in_single(self, dtype):
        inputs = inputs_of(dtype=torch.float32)
        logits, weights = inputs.logits.to(dtype), inputs.weights.to(dtype)
        found = mixed_log_probs(logits, inputs.gate.sigmoid(), weights, SOURCE[SENTENCE])
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, inputs.log_probs(), rtol=0, atol=0.03)
        torch.testing.assert_close(found.exp().sum(1), torch.ones(TOKENS), rtol=0, atol=1e-6)


class TestTheLoss:
    @pytest.mark.usefixtures("chunk")
    @every_smoothing
    @every_mass
    def test_value_is_that_of_the_equation(self, smoothing, mass):
        inputs = inputs_of(mass=mass)
        found = inputs.loss(smoothing=smoothing)
        rows = [[math.log(share) for share in row] for row in probabilities(inputs)]
        pairs = list(zip(rows, TARGETS.tolist(), strict=True))
        wanted = -math.fsum(
            (1 - smoothing) * row[target] + smoothing * math.fsum(row) / VOCABULARY for row, target in pairs
        )
        assert_same(found.smoothed, wanted, 1e-11)
        assert_same(found.negative_log_likelihood, -math.fsum(row[target] for row, target in pairs), 1e-11)

    @pytest.mark.usefixtures("chunk")
    @every_smoothing
    @every_gate
    def test_gradients_are_those_of_the_dense_version(self, smoothing, gate):
        inputs = inputs_of(gate=gate)
        assert_same_gradients(inputs.loss(smoothing=smoothing).smoothed, dense_loss(dense(inputs), smoothing), inputs)

    @every_smoothing
    @pytest.mark.parametrize("mass", [0.6, 0.01])
    def test_gradients_where_the_attention_is_not_whole(self, smoothing, mass):
        inputs = inputs_of(mass=mass)
        assert_same_gradients(inputs.loss(smoothing=smoothing).smoothed, dense_loss(dense(inputs), smoothing), inputs)

    @every_smoothing
    def test_gradients_are_those_of_finite_differences(self, smoothing):
        def smoothed(*inputs: Tensor) -> Tensor:
            return Inputs(*inputs).loss(smoothing=smoothing).smoothed

        assert torch.autograd.gradcheck(smoothed, tuple(inputs_of(mass=0.6)))

    @every_smoothing
    def test_is_the_cross_entropy_of_the_distribution(self, smoothing):
        inputs = inputs_of()
        assert_same(inputs.loss(smoothing=smoothing).smoothed, dense_loss(inputs.log_probs(), smoothing).item(), 1e-11)

    @every_smoothing
    @pytest.mark.parametrize("changes", [{"gate": 1000.0}, {"mass": 0.0}], ids=["gate", "mass"])
    def test_without_copying_it_is_the_output_loss(self, smoothing, changes):
        inputs = inputs_of(**changes)
        found = inputs.loss(smoothing=smoothing)
        wanted = output_loss(*inputs[:3], TARGETS, smoothing=smoothing)
        assert_same(found.negative_log_likelihood, wanted.negative_log_likelihood.item())
        ours, theirs = (torch.autograd.grad(loss.smoothed, inputs[:3]) for loss in (found, wanted))
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)

    @every_smoothing
    @pytest.mark.parametrize("scale", [1.0, 30.0])
    @pytest.mark.parametrize("mass", [1.0, 1e-20, 1e-42, 1.004])
    @every_extreme
    def test_nothing_is_infinite_in_single_precision(self, gate, mass, scale, smoothing):
        """Targets that are neither in the source nor generated, or impossible but for copying."""
        inputs = inputs_of(gate=gate, mass=mass, scale=scale, dtype=torch.float32)
        found = inputs.loss(smoothing=smoothing)
        assert found.smoothed.isfinite()
        assert found.negative_log_likelihood.isfinite()
        assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(found.smoothed, inputs))

    @pytest.mark.parametrize("vocabulary", range(2, 40))
    def test_all_is_copied_and_nothing_generated(self, vocabulary):
        """Standing for: a sum of shares that rounding takes beyond 1, and its logarithm."""
        features = torch.ones(1, 1, requires_grad=True)
        weights = torch.full((1, vocabulary), 1 / vocabulary)
        everything = Copying(torch.zeros(1), weights, torch.arange(vocabulary).unsqueeze(0), torch.tensor([0]))
        layer = normal(vocabulary, 1).float(), torch.zeros(vocabulary)
        found = pointer_loss(features, *layer, torch.tensor([1]), everything, smoothing=1.0)
        assert_same(found.smoothed, math.log(vocabulary), 1e-4)
        found.smoothed.backward()
        assert_same(features.grad, [[0.0]], 1e-5)

    @every_smoothing
    def test_what_stands_behind_a_sentence_changes_no_gradient(self, smoothing):
        inputs = inputs_of(gate=-3.0)
        garbage = torch.where(torch.arange(5) < LENGTHS.unsqueeze(1), SOURCE, torch.tensor([8, 6, 10, 1, 11]))
        clean, spoilt = inputs.loss(smoothing=smoothing), inputs.loss(garbage, smoothing=smoothing)
        assert torch.equal(clean.smoothed, spoilt.smoothed)
        assert torch.equal(clean.negative_log_likelihood, spoilt.negative_log_likelihood)
        gradients = (torch.autograd.grad(loss.smoothed, inputs[:5]) for loss in (clean, spoilt))
        for one, other in zip(*gradients, strict=True):
            assert torch.equal(one, other)

    def test_a_batch_in_two_halves_is_the_batch(self):
        inputs = inputs_of()
        copying = inputs.copying()
        total = 0.0
        for part in (slice(2), slice(2, 7)):
            piece = Copying(copying.generate[part], copying.weights[part], SOURCE, SENTENCE[part])
            found = pointer_loss(inputs.features[part], *inputs[1:3], TARGETS[part], piece, smoothing=0.1)
            total += found.smoothed.item()
        assert_same(inputs.loss(smoothing=0.1).smoothed, total)

    def test_only_the_smoothed_loss_has_a_gradient_and_only_if_asked_for(self):
        found = inputs_of().loss(smoothing=0.1)
        assert found.smoothed.requires_grad
        assert not found.negative_log_likelihood.requires_grad
        with torch.no_grad():
            assert_same(inputs_of().loss(smoothing=0.1).smoothed, found.smoothed.item())

    @pytest.mark.usefixtures("chunk")
    @every_smoothing
    def test_bfloat16_stays_close_to_single_precision(self, smoothing):
        inputs = inputs_of(dtype=torch.float32)
        exact = inputs.loss(smoothing=smoothing).smoothed
        with torch.autocast("cpu", torch.bfloat16):
            found = inputs.loss(smoothing=smoothing).smoothed
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, exact, rtol=0.01, atol=0.0)
        low, high = (torch.autograd.grad(loss, inputs) for loss in (found, exact))
        for one, other in zip(low, high, strict=True):
            assert one.dtype == torch.float32
            torch.testing.assert_close(one, other, rtol=0, atol=0.03 * max(other.abs().max().item(), 1.0))

    def test_the_whole_matrix_never_exists(self, monkeypatch):
        monkeypatch.setattr(losses, "CHUNK", 2 * VOCABULARY)
        sizes = []

        class Watch(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                made = func(*args, **(kwargs or {}))
                sizes.extend(part.numel() for part in tree_leaves(made) if isinstance(part, Tensor))
                return made

        inputs = inputs_of()
        with Watch():
            inputs.loss(smoothing=0.1).smoothed.backward()
        assert 2 * VOCABULARY in sizes, "nothing was watched"
        assert max(sizes) < TOKENS * VOCABULARY
