"""Every wiring of the decoder: equations, gradients, the order of attend and update, and the copy gate.

With three mechanisms, one of which carries a state; ``tests/models`` has them all.
"""

from __future__ import annotations

import pytest
import references
import torch
from building import (
    LENGTHS,
    TINY,
    Case,
    assert_same,
    mask_of,
    normal,
    numbers,
    randomize,
    small_model,
    wirings_of,
)
from torch import Tensor

from seq2seq_attn.nn.decoders.base import Decoded, Decoder, DecoderState
from seq2seq_attn.nn.recurrent.stack import RecurrentState

MASK = mask_of(LENGTHS)
TARGET_LEN = 3
DEPTHS = [(1, False), (3, True)]

ATTENDING = ["luong-general", "bahdanau", "bahdanau+coverage=sum"]
CASES = [case for name in ("none", *ATTENDING) for case in wirings_of(name)]

ATTENDING_CASES = [case for case in CASES if case.attention != "none"]

every_case = pytest.mark.parametrize("case", CASES, ids=str)
attending = pytest.mark.parametrize("case", ATTENDING_CASES, ids=str)
depths = pytest.mark.parametrize(("layers", "residual"), DEPTHS)


class Setting:
    """A decoder with what it works on."""

    def __init__(self, case: Case, layers: int, residual: bool, **changes) -> None:
        model = small_model(case, **{"decoder": {"layers": layers, "residual": residual}, **changes})
        self.decoder: Decoder = model.decoder
        size = model.bridge.hidden_size
        self.values = normal(*MASK.shape, model.encoder.output_size, seed=2)
        self.embedded = normal(len(LENGTHS), TARGET_LEN, model.target_embedding.size, seed=3)
        self.first = RecurrentState(
            normal(len(LENGTHS), layers, size, seed=4).tanh(), normal(len(LENGTHS), layers, size, seed=5)
        )

    def start(self, values: Tensor | None = None) -> tuple:
        memory = self.decoder.attention.memorize(self.values if values is None else values, MASK)
        return memory, self.decoder.start(self.first, memory)

    def run(self, values: Tensor | None = None) -> Decoded:
        return self.decoder(self.embedded, *self.start(values))


@every_case
@depths
def test_every_feature_weight_and_state_is_that_of_the_equations(case, layers, residual):
    setting = Setting(case, layers, residual)
    found = setting.run()
    own = numbers(setting.decoder)
    attention = references.attention_of(case.attention, references.below(own, "attention"))
    reference = references.DECODERS[case.wiring](own, attention, residual=residual)
    for row, length in enumerate(LENGTHS):
        values = setting.values[row, :length].tolist()
        hidden, cell = setting.first.hidden[row].tolist(), setting.first.cell[row].tolist()
        state = reference.start(hidden, cell, values, fed_size=found.state.feed.shape[1])
        for step in range(TARGET_LEN):
            wrote = reference.step(setting.embedded[row, step].tolist(), values, state)
            state = wrote.state
            assert_same(found.features[row, step], wrote.features)
            assert_same(found.weights[row, step, :length], wrote.weights)
        assert_same(found.state.recurrent.hidden[row], state.hidden)
        assert_same(found.state.recurrent.cell[row], state.cell)
        assert_same(found.state.feed[row], state.feed)


@every_case
@depths
def test_step_by_step_is_the_whole_target_at_once(case, layers, residual):
    setting = Setting(case, layers, residual)
    whole = setting.run()
    memory, state = setting.start()
    features, weights = [], []
    for position in setting.embedded.split(1, dim=1):
        decoded = setting.decoder(position, memory, state)
        features.append(decoded.features)
        weights.append(decoded.weights)
        state = decoded.state
    assert_same(torch.cat(features, 1), whole.features)
    assert_same(torch.cat(weights, 1), whole.weights)
    for found, wanted in zip(flat(state), flat(whole.state), strict=True):
        assert_same(found, wanted)


@attending
@depths
def test_the_copy_gate_is_told_context_state_and_embedding_of_each_position(case, layers, residual):
    setting = Setting(case, layers, residual, copying=True)
    found = setting.run().generate
    own = numbers(setting.decoder)
    attention = references.attention_of(case.attention, references.below(own, "attention"))
    reference = references.DECODERS[case.wiring](own, attention, residual=residual)
    memory, state = setting.start()
    feed = state.feed.shape[1]
    assert found is not None
    for row, length in enumerate(LENGTHS):
        values = setting.values[row, :length].tolist()
        hidden, cell = setting.first.hidden[row].tolist(), setting.first.cell[row].tolist()
        stands = reference.start(hidden, cell, values, fed_size=feed)
        for step, embedded in enumerate(setting.embedded[row].tolist()):
            wrote = reference.step(embedded, values, stands)
            stands = wrote.state
            wanted = references.generating(references.below(own, "copy_gate"), wrote, embedded)
            assert_same(found[row, step], wanted)
    alone = setting.decoder(setting.embedded[:, :1], memory, state).generate
    assert alone is not None
    assert_same(alone, found[:, :1])
    assert Setting(case, layers, residual).run().generate is None


def flat(state: DecoderState) -> tuple[Tensor, ...]:
    return (*state.recurrent, state.feed, *state.attention)


@every_case
def test_selected_rows_are_those_of_their_sentences(case):
    setting = Setting(case, 2, False)
    rows = torch.tensor([2, 0, 2, 2, 3])
    whole = setting.run()
    memory, state = setting.start()
    state = setting.decoder(setting.embedded[:, :1], memory, state).state
    found = setting.decoder(setting.embedded[rows, 1:], memory.select(rows), state.select(rows))
    assert_same(found.features, whole.features[rows, 1:])
    assert_same(found.weights, whole.weights[rows, 1:])


@every_case
@pytest.mark.parametrize("garbage", [1e6, float("nan")])
def test_garbage_in_padding_of_the_encoder_changes_nothing(case, garbage):
    setting = Setting(case, 2, True)
    results = []
    for values in (setting.values, setting.values.masked_fill(~MASK.unsqueeze(-1), garbage)):
        values = values.clone().requires_grad_()
        found = setting.run(values)
        total = (found.features * normal(*found.features.shape, seed=6)).sum()
        inputs = [values, *setting.decoder.parameters()]
        gradients = torch.autograd.grad(total, inputs, allow_unused=True)
        results.append([found.features, found.weights, *(part for part in gradients if part is not None)])
        assert gradients[0] is None or (gradients[0][~MASK] == 0).all()
    for clean, spoilt in zip(*results, strict=True):
        assert torch.equal(clean, spoilt)


@pytest.mark.unchecked_shapes
@every_case
def test_gradients_are_those_of_finite_differences(case):
    setting = Setting(case, 2, True, embedding_size=2, sizes=TINY)
    randomize(setting.decoder, seed=3, scale=0.4)
    mask = mask_of((3, 2))
    inputs = [setting.embedded[:2, :2], setting.values[:2, :3], setting.first.hidden[:2], setting.first.cell[:2]]
    inputs = [part.detach().clone().requires_grad_() for part in inputs]
    parameters = [part for name, part in setting.decoder.named_parameters() if "stack" not in name]

    def run(embedded: Tensor, values: Tensor, hidden: Tensor, cell: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        memory = setting.decoder.attention.memorize(values, mask)
        state = setting.decoder.start(RecurrentState(hidden, cell), memory)
        decoded = setting.decoder(embedded, memory, state)
        # a sum with random factors: one output instead of many, every element in it
        total = (decoded.features * normal(*decoded.features.shape, seed=7)).sum()
        return total + (decoded.weights * normal(*decoded.weights.shape, seed=8)).sum()

    assert torch.autograd.gradcheck(run, (*inputs, *parameters))


@attending
@pytest.mark.parametrize("layers", [1, 2])
def test_only_bahdanau_attends_before_the_word_is_read(case, layers):
    """The weights of a step know the token of that step only where an update comes first."""
    setting = Setting(case, layers, False)
    before = setting.run()
    setting.embedded[:, 1] += 1.0
    after = setting.run()
    assert torch.equal(after.weights[:, 0], before.weights[:, 0])
    knows = not torch.equal(after.weights[0, 1], before.weights[0, 1])
    assert knows is (case.wiring != "bahdanau")
    assert not torch.equal(after.weights[0, 2], before.weights[0, 2])


@attending
def test_only_luong_without_input_feeding_keeps_from_the_states_what_was_attended_to(case):
    setting = Setting(case, 1, False)
    before = setting.run().state.recurrent.hidden
    after = setting.run(setting.values + 1.0).state.recurrent.hidden
    assert torch.equal(before, after) is (case.wiring == "luong" and not case.input_feeding)


@attending
def test_which_layers_a_context_enters_in_its_own_step(case):
    """The last context of a target moves the lowest layer, the upper ones, or none."""
    setting = Setting(case, 2, False)
    setting.embedded = setting.embedded[:, :1]
    before = setting.run().state.recurrent.hidden
    after = setting.run(setting.values + 1.0).state.recurrent.hidden
    moved = [not torch.equal(before[:, layer], after[:, layer]) for layer in (0, 1)]
    wanted = {"luong": [False, False], "bahdanau": [True, True], "conditional": [True, True], "gnmt": [False, True]}
    assert moved == wanted[case.wiring]


@pytest.mark.parametrize("case", wirings_of("none"), ids=str)
def test_without_attention_the_source_is_only_in_the_first_state(case):
    setting = Setting(case, 2, False)
    values = setting.values.clone().requires_grad_()
    found = setting.run(values)
    other = setting.run(normal(*setting.values.shape, seed=9))
    assert torch.equal(found.features, other.features)
    assert (found.weights == 0).all()
    memory, _ = setting.start()
    assert memory.values.shape[-1] == memory.keys.shape[-1] == 0
    (gradient,) = torch.autograd.grad(found.features.sum(), values, allow_unused=True)
    assert gradient is None or (gradient == 0).all()
