"""The whole model, for every mechanism and wiring: its equations, and all that must not matter."""

from __future__ import annotations

import pytest
import references
import torch
from building import (
    CASES,
    EOS,
    PAD,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    Case,
    Sentences,
    assert_same,
    numbers,
    sentences,
    small_model,
    wirings_of,
)
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.training.losses import batch_loss

BATCH = sentences()
DEEP = {
    "encoder": {"layers": 2, "residual": True},
    "decoder": {"layers": 3, "residual": True},
    "bridge": "last",
}

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def forced(model: RNNSeq2Seq, batch: Sentences) -> tuple[Tensor, Tensor]:
    """Log-probabilities and weights at every target position."""
    found = model(batch.source, batch.source_lengths, batch.target_in)
    return model.log_probs(found.features), found.weights


def target_mask() -> Tensor:
    return torch.arange(BATCH.target_in.shape[1]) < BATCH.target_lengths.unsqueeze(1)


def check_against_equations(model: RNNSeq2Seq, built: references.Built) -> None:
    log_probs, weights = forced(model, BATCH)
    parameters = numbers(model)
    for row, (source, target_in, _) in enumerate(BATCH.rows()):
        wanted = references.translate_forced(parameters, built, source, target_in)
        assert_same(log_probs[row, : len(target_in)], wanted[0])
        assert_same(weights[row, : len(target_in), : len(source)], wanted[1])


@every_case
def test_every_number_is_that_of_the_equations(case):
    check_against_equations(small_model(case), case.built)


@every_case
def test_every_number_of_a_deep_residual_model_is_that_of_the_equations(case):
    built = case.built._replace(bridge="last", encoder_residual=True, decoder_residual=True)
    check_against_equations(small_model(case, **DEEP), built)


SOME = [case for name in ("luong-general", "bahdanau", "bahdanau+coverage=sum") for case in wirings_of(name)]
"""Every wiring with three mechanisms, one of which carries a state: for what does not hang on the mechanism."""

some_cases = pytest.mark.parametrize("case", SOME, ids=str)


@pytest.mark.parametrize("case", wirings_of("luong-general"), ids=str)
@pytest.mark.parametrize("bridge", ["zero", "mean"])
def test_every_number_of_a_bidirectional_model_is_that_of_the_equations(case, bridge):
    model = small_model(case, encoder={"bidirectional": True}, decoder={"layers": 2}, bridge=bridge)
    check_against_equations(model, case.built._replace(bridge=bridge))


CELLS = [("lstm", True), ("gru", False), ("gru", True)]


@some_cases
@pytest.mark.parametrize(("cell", "layer_norm"), CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_number_with_other_cells_is_that_of_the_equations(case, cell, layer_norm, layers):
    kind = {"cell": cell, "layer_norm": layer_norm, "layers": layers}
    model = small_model(case, encoder={"bidirectional": True, **kind}, decoder=kind)
    check_against_equations(model, case.built)
    log_probs, weights = forced(model, BATCH)
    state = model.start(BATCH.source, BATCH.source_lengths)
    for position in range(BATCH.target_in.shape[1]):
        step = model.step(BATCH.target_in[:, position], state)
        state = step.state
        assert_same(step.log_probs, log_probs[:, position])
        assert_same(step.weights, weights[:, position])


@pytest.mark.parametrize("cells", [("lstm", "gru"), ("gru", "lstm")], ids="-".join)
def test_encoder_and_decoder_choose_their_cells_apart(cells):
    case = Case("luong-general", "luong", True)
    model = small_model(case, encoder={"cell": cells[0]}, decoder={"cell": cells[1]})
    check_against_equations(model, case.built)


@some_cases
def test_every_number_of_a_model_like_gnmt_is_that_of_the_equations(case):
    """One layer reads both ways, the others are residual; deep on both sides."""
    model = small_model(
        case,
        encoder={"layers": 4, "bidirectional": True, "bidirectional_layers": 1, "residual": True},
        decoder={"layers": 4, "residual": True},
    )
    check_against_equations(model, case.built._replace(encoder_residual=True, decoder_residual=True))


@pytest.mark.parametrize("case", wirings_of("luong-general"), ids=str)
@pytest.mark.parametrize("bridge", ["last", "mean"])
def test_reading_backward_is_reading_the_source_turned_round_with_weights_in_its_own_order(case, bridge):
    backward = small_model(case, encoder={"direction": "backward"}, bridge=bridge)
    turned = BATCH.source.clone()
    for row, length in enumerate(BATCH.source_lengths.tolist()):
        turned[row, :length] = BATCH.source[row, :length].flip(0)
    log_probs, weights = forced(backward, BATCH)
    wanted_log_probs, wanted_weights = forced(small_model(case, bridge=bridge), BATCH._replace(source=turned))
    assert_same(log_probs, wanted_log_probs)
    for row, length in enumerate(BATCH.source_lengths.tolist()):
        assert_same(weights[row, :, :length], wanted_weights[row, :, :length].flip(-1))


@some_cases
@pytest.mark.parametrize("layers", [1, 2])
def test_every_number_with_tied_embeddings_is_that_of_the_equations(case, layers):
    """What the output layer reads is of the embeddings' size, whatever the wiring."""
    model = small_model(case, tie_embeddings="target", decoder={"layers": layers})
    check_against_equations(model, case.built)
    assert model.output.in_features == model.target_embedding.size


@every_case
@pytest.mark.parametrize("changes", [{}, DEEP], ids=["flat", "deep"])
def test_search_steps_give_what_teacher_forcing_gives(case, changes):
    model = small_model(case, **changes)
    log_probs, weights = forced(model, BATCH)
    state = model.start(BATCH.source, BATCH.source_lengths)
    for position in range(BATCH.target_in.shape[1]):
        step = model.step(BATCH.target_in[:, position], state)
        state = step.state
        assert_same(step.log_probs, log_probs[:, position])
        assert_same(step.weights, weights[:, position])


@every_case
def test_selected_rows_go_on_as_their_own_sentences(case):
    model = small_model(case, **DEEP)
    log_probs, weights = forced(model, BATCH)
    rows = torch.tensor([2, 2, 0, 3, 2, 1])
    state = model.start(BATCH.source, BATCH.source_lengths)
    state = model.step(BATCH.target_in[:, 0], state).state.select(rows)
    state = model.step(BATCH.target_in[rows, 1], state).state
    again = torch.tensor([5, 0, 3])
    step = model.step(BATCH.target_in[rows[again], 2], state.select(again))
    assert_same(step.log_probs, log_probs[rows[again], 2])
    assert_same(step.weights, weights[rows[again], 2])


@every_case
def test_a_sentence_alone_or_in_any_order_of_the_batch(case):
    model = small_model(case, encoder={"layers": 2})
    log_probs, weights = forced(model, BATCH)
    order = torch.tensor([3, 1, 0, 2])
    mixed = forced(model, Sentences(*(part[order] for part in BATCH)))
    assert_same(mixed[0], log_probs[order])
    assert_same(mixed[1], weights[order])
    for row, (source, target_in, target_out) in enumerate(BATCH.rows()):
        alone = Sentences(
            torch.tensor([source]),
            torch.tensor([len(source)]),
            torch.tensor([target_in]),
            torch.tensor([target_out]),
            torch.tensor([len(target_in)]),
        )
        found = forced(model, alone)
        assert_same(found[0][0], log_probs[row, : len(target_in)])
        assert_same(found[1][0], weights[row, : len(target_in), : len(source)])


def batch_of(rows: Sentences) -> Batch:
    return Batch(*rows, indices=torch.arange(len(rows.source)), target_tokens=int(rows.target_lengths.sum()))


def loss_and_gradients(model: RNNSeq2Seq, rows: Sentences) -> list[Tensor]:
    model.zero_grad(set_to_none=True)
    loss = batch_loss(model, batch_of(rows), smoothing=0.1)
    loss.smoothed.backward()
    gradients = [part.grad for part in model.parameters()]
    return [loss.smoothed.detach(), loss.negative_log_likelihood, *(part for part in gradients if part is not None)]


@every_case
def test_garbage_tokens_behind_the_end_change_neither_loss_nor_any_gradient(case):
    model = small_model(case, encoder={"layers": 2})
    source_mask = torch.arange(BATCH.source.shape[1]) < BATCH.source_lengths.unsqueeze(1)
    generator = torch.Generator().manual_seed(9)

    def garbage(like: Tensor, vocabulary: int) -> Tensor:
        return torch.randint(EOS, vocabulary, like.shape, generator=generator)

    spoilt = BATCH._replace(
        source=torch.where(source_mask, BATCH.source, garbage(BATCH.source, SOURCE_VOCABULARY)),
        target_in=torch.where(target_mask(), BATCH.target_in, garbage(BATCH.target_in, TARGET_VOCABULARY)),
        target_out=torch.where(target_mask(), BATCH.target_out, garbage(BATCH.target_out, TARGET_VOCABULARY)),
    )
    assert not torch.equal(spoilt.source, BATCH.source)
    clean, found = loss_and_gradients(model, BATCH), loss_and_gradients(model, spoilt)
    for spoilt_part, part in zip(found, clean, strict=True):
        assert torch.equal(spoilt_part, part)
    keep = target_mask()
    for spoilt_part, part in zip(forced(model, spoilt), forced(model, BATCH), strict=True):
        assert torch.equal(spoilt_part[keep], part[keep])


@every_case
def test_more_padding_changes_nothing(case):
    model = small_model(case)
    wide = BATCH._replace(
        source=torch.nn.functional.pad(BATCH.source, (0, 5), value=PAD),
        target_in=torch.nn.functional.pad(BATCH.target_in, (0, 2), value=PAD),
        target_out=torch.nn.functional.pad(BATCH.target_out, (0, 2), value=PAD),
    )
    for found, wanted in zip(loss_and_gradients(model, wide), loss_and_gradients(model, BATCH), strict=True):
        assert_same(found, wanted, 1e-11)
    log_probs, weights = forced(model, wide)
    assert_same(log_probs[:, :-2], forced(model, BATCH)[0])
    assert (weights[:, :, -5:] == 0).all()


@some_cases
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_the_sum_over_its_tokens(case, smoothing):
    model = small_model(case)
    loss = batch_loss(model, batch_of(BATCH), smoothing=smoothing)
    parameters = numbers(model)
    total = 0.0
    for source, target_in, target_out in BATCH.rows():
        log_probs, _ = references.translate_forced(parameters, case.built, source, target_in)
        pairs = zip(log_probs, target_out, strict=True)
        total += sum(references.smoothed_loss(row, token, smoothing) for row, token in pairs)
    assert_same(loss.smoothed, total, 1e-11)


@every_case
def test_bfloat16_stays_close_to_float32(case):
    model = small_model(case, dtype=torch.float32, encoder={"layers": 2}, decoder={"layers": 2})
    for parameter in model.parameters():
        parameter.data *= 0.4  # the size of trained weights; larger ones amplify any rounding
    exact, exact_weights = forced(model, BATCH)
    with torch.autocast("cpu", torch.bfloat16):
        low, low_weights = forced(model, BATCH)
        state = model.start(BATCH.source, BATCH.source_lengths)
        step = model.step(BATCH.target_in[:, 0], state)
        loss = batch_loss(model, batch_of(BATCH)).smoothed
    assert low.dtype == step.log_probs.dtype == loss.dtype == torch.float32
    torch.testing.assert_close(low, exact, rtol=0, atol=0.05)
    torch.testing.assert_close(low_weights.float(), exact_weights, rtol=0, atol=0.02)
    torch.testing.assert_close(step.log_probs, low[:, 0], rtol=0, atol=0.05)
    loss.backward()
    assert all(part.grad is None or part.grad.isfinite().all() for part in model.parameters())


@pytest.mark.parametrize("case", wirings_of("none"), ids=str)
def test_no_attention_and_no_bridge_know_nothing_of_the_source(case):
    model = small_model(case, bridge="zero")
    other = sentences(seed=2)._replace(target_in=BATCH.target_in)
    assert torch.equal(forced(model, BATCH)[0], forced(model, other)[0])
    with_bridge = small_model(case, bridge="mean")
    assert not torch.equal(forced(with_bridge, BATCH)[0], forced(with_bridge, other)[0])
    assert not model.attends


@every_case
def test_every_parameter_learns(case):
    """A part that is built but not wired gets no gradient."""
    model = small_model(case)
    loss_and_gradients(model, BATCH)
    unused = {name for name, part in model.named_parameters() if part.grad is None or not part.grad.any()}
    assert unused == set()
