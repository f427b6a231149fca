"""The whole Transformer: its equations, all that must not matter, and search over it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import transformer_references as references
from building import (
    BOS,
    EOS,
    PAD,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    Sentences,
    assert_same,
    numbers,
    sentences,
)
from torch import Tensor
from transformer_building import DECODER_LAYERS, ENCODER_LAYERS, HEADS, SIZE, small_transformer

from seq2seq_attn.checkpoint.contents import read_parameters, write_checkpoint
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.decoding import BeamSearch, GreedySearch, Scoring
from seq2seq_attn.models.build import build_model
from seq2seq_attn.models.transformer import TransformerSeq2Seq
from seq2seq_attn.training.losses import batch_loss

BATCH = sentences()

both_norms = pytest.mark.parametrize("norm", ["pre", "post"])


class Given(NamedTuple):
    log_probs: Tensor
    weights: Tensor


def forced(model: TransformerSeq2Seq, batch: Sentences) -> Given:
    found = model(batch.source, batch.source_lengths, batch.target_in)
    return Given(model.log_probs(found.features), found.weights)


def target_mask() -> Tensor:
    return torch.arange(BATCH.target_in.shape[1]) < BATCH.target_lengths.unsqueeze(1)


@both_norms
@pytest.mark.parametrize("alignment_layer", [None, 1, 3])
def test_every_number_is_that_of_the_equations(norm, alignment_layer):
    model = small_transformer(norm, transformer={"alignment_layer": alignment_layer})
    found = forced(model, BATCH)
    for row, (source, target_in, _) in enumerate(BATCH.rows()):
        wanted = references.translate_forced(
            numbers(model), source, target_in, heads=HEADS, norm=norm, alignment_layer=alignment_layer or 2
        )
        assert_same(found.log_probs[row, : len(target_in)], wanted[0])
        assert_same(found.weights[row, : len(target_in), : len(source)], wanted[1])


@both_norms
def test_search_steps_give_what_teacher_forcing_gives(norm):
    model = small_transformer(norm)
    wanted = forced(model, BATCH)
    state = model.start(BATCH.source, BATCH.source_lengths)
    for position in range(BATCH.target_in.shape[1]):
        step = model.step(BATCH.target_in[:, position], state)
        state = step.state
        assert_same(step.log_probs, wanted.log_probs[:, position])
        assert_same(step.weights, wanted.weights[:, position])


@both_norms
def test_selected_rows_go_on_as_their_own_sentences(norm):
    model = small_transformer(norm)
    wanted = forced(model, BATCH)
    rows = torch.tensor([2, 2, 0, 3, 2, 1])
    state = model.start(BATCH.source, BATCH.source_lengths)
    state = model.step(BATCH.target_in[:, 0], state).state.select(rows)
    state = model.step(BATCH.target_in[rows, 1], state).state
    again = torch.tensor([5, 0, 3])
    step = model.step(BATCH.target_in[rows[again], 2], state.select(again))
    assert_same(step.log_probs, wanted.log_probs[rows[again], 2])
    assert_same(step.weights, wanted.weights[rows[again], 2])


def test_a_step_changes_nothing_in_the_state_it_was_given():
    """Two hypotheses may go on from one state."""
    model = small_transformer()
    state = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths)).state
    copies = [part.clone() for layer in state.past for part in layer]
    first = model.step(BATCH.target_in[:, 1], state)
    model.step(BATCH.target_in[:, 2], state)
    for part, copy in zip([part for layer in state.past for part in layer], copies, strict=True):
        assert torch.equal(part, copy)
    assert torch.equal(model.step(BATCH.target_in[:, 1], state).log_probs, first.log_probs)


@both_norms
def test_a_sentence_alone_or_in_any_order_of_the_batch(norm):
    model = small_transformer(norm)
    wanted = forced(model, BATCH)
    order = torch.tensor([3, 1, 0, 2])
    mixed = forced(model, Sentences(*(part[order] for part in BATCH)))
    assert_same(mixed.log_probs, wanted.log_probs[order])
    assert_same(mixed.weights, wanted.weights[order])
    for row, (source, target_in, target_out) in enumerate(BATCH.rows()):
        alone = Sentences(
            torch.tensor([source]),
            torch.tensor([len(source)]),
            torch.tensor([target_in]),
            torch.tensor([target_out]),
            torch.tensor([len(target_in)]),
        )
        found = forced(model, alone)
        assert_same(found.log_probs[0], wanted.log_probs[row, : len(target_in)])
        assert_same(found.weights[0], wanted.weights[row, : len(target_in), : len(source)])


def loss_and_gradients(model: TransformerSeq2Seq, rows: Sentences) -> list[Tensor]:
    batch = Batch(*rows, indices=torch.arange(len(rows.source)), target_tokens=int(rows.target_lengths.sum()))
    model.zero_grad(set_to_none=True)
    loss = batch_loss(model, batch, smoothing=0.1)
    loss.smoothed.backward()
    gradients = [part.grad for part in model.parameters()]
    return [loss.smoothed.detach(), loss.negative_log_likelihood, *(part for part in gradients if part is not None)]


@both_norms
def test_garbage_tokens_behind_the_end_change_neither_loss_nor_any_gradient(norm):
    model = small_transformer(norm)
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
    for found, wanted in zip(loss_and_gradients(model, spoilt), loss_and_gradients(model, BATCH), strict=True):
        assert_same(found, wanted, 1e-13)
    keep = target_mask()
    for found, wanted in zip(forced(model, spoilt), forced(model, BATCH), strict=True):
        assert torch.equal(found[keep], wanted[keep])


@both_norms
def test_more_padding_changes_nothing(norm):
    model = small_transformer(norm)
    wide = BATCH._replace(
        source=torch.nn.functional.pad(BATCH.source, (0, 5), value=PAD),
        target_in=torch.nn.functional.pad(BATCH.target_in, (0, 2), value=PAD),
        target_out=torch.nn.functional.pad(BATCH.target_out, (0, 2), value=PAD),
    )
    for found, wanted in zip(loss_and_gradients(model, wide), loss_and_gradients(model, BATCH), strict=True):
        assert_same(found, wanted, 1e-11)
    log_probs, weights = forced(model, wide)
    assert_same(log_probs[:, :-2], forced(model, BATCH).log_probs)
    assert (weights[:, :, -5:] == 0).all()


@both_norms
def test_bfloat16_stays_close_to_float32(norm):
    model = small_transformer(norm, dtype=torch.float32)
    for parameter in model.parameters():
        parameter.data *= 0.4
    exact = forced(model, BATCH)
    with torch.autocast("cpu", torch.bfloat16):
        low = forced(model, BATCH)
        state = model.start(BATCH.source, BATCH.source_lengths)
        for position in range(3):
            step = model.step(BATCH.target_in[:, position], state)
            state = step.state
            torch.testing.assert_close(step.log_probs, low.log_probs[:, position], rtol=0, atol=0.05)
        loss = loss_and_gradients(model, BATCH)
    assert low.log_probs.dtype == step.log_probs.dtype == loss[0].dtype == torch.float32
    torch.testing.assert_close(low.log_probs, exact.log_probs, rtol=0, atol=0.05)
    torch.testing.assert_close(low.weights.float(), exact.weights, rtol=0, atol=0.02)
    assert all(part.isfinite().all() for part in loss)


@both_norms
def test_every_parameter_learns(norm):
    """A part that is built but not wired gets no gradient."""
    model = small_transformer(norm)
    loss_and_gradients(model, BATCH)
    unused = {name for name, part in model.named_parameters() if part.grad is None or not part.grad.any()}
    assert unused == set()


@pytest.mark.parametrize("tied", ["target", "all"])
def test_tied_embeddings_are_one_tensor(tied):
    model = small_transformer(tie_embeddings=tied, vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY))
    assert model.output.weight is model.target_embedding.table.weight
    assert (model.source_embedding is model.target_embedding) == (tied == "all")
    free = small_transformer(vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY))
    assert free.num_parameters - model.num_parameters == TARGET_VOCABULARY * SIZE * (1 if tied == "target" else 2)
    wanted = forced(model, BATCH)
    step = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths))
    assert_same(step.log_probs, wanted.log_probs[:, 0])


@pytest.mark.parametrize("place", ["embedding", "state", "output"])
def test_dropout_acts_in_each_place_while_training_and_nowhere_else(place):
    share = dict.fromkeys(["embedding", "state", "output"], 0.0) | {place: 0.5}
    model, plain = small_transformer(dropout=share), small_transformer()
    inputs = (BATCH.source, BATCH.source_lengths, BATCH.target_in)
    wanted = plain.train()(*inputs).features
    assert torch.equal(model(*inputs).features, wanted), "off in evaluation"
    first, second = model.train()(*inputs).features, model(*inputs).features
    assert not torch.equal(first, wanted)
    assert not torch.equal(first, second)


def test_first_predictions_are_nearly_uniform():
    torch.manual_seed(1)
    model = build_model(
        ModelConfig(architecture="transformer", tie_embeddings="none"),
        source_vocabulary=101,
        target_vocabulary=211,
        padding=PAD,
    ).eval()
    forced = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    entropy = -(model.log_probs(forced.features).exp() * model.log_probs(forced.features)).sum(-1)
    assert (entropy > 0.85 * torch.log(torch.tensor(211.0))).all()


def test_beam_search_finds_what_teacher_forcing_calls_as_probable():
    model = small_transformer()
    search = BeamSearch(bos=BOS, eos=EOS, beam_size=5, n_best=3, scoring=Scoring(length_penalty=0.6), forbidden=(PAD,))
    for row, hypotheses in enumerate(search(model, BATCH.source, BATCH.source_lengths)):
        assert len({hypothesis.tokens for hypothesis in hypotheses}) == 3
        length = int(BATCH.source_lengths[row])
        for found in hypotheses:
            tokens = [*found.tokens, EOS] if found.finished else [*found.tokens]
            given = model(
                BATCH.source[row : row + 1, :length], torch.tensor([length]), torch.tensor([[BOS, *tokens[:-1]]])
            )
            log_probs = model.log_probs(given.features)[0]
            assert found.log_prob == pytest.approx(sum(log_probs[t, token].item() for t, token in enumerate(tokens)))
            assert_same(found.weights, given.weights[0])


def test_a_beam_of_one_is_greedy():
    model = small_transformer()
    greedy = GreedySearch(bos=BOS, eos=EOS)(model, BATCH.source, BATCH.source_lengths)
    beam = BeamSearch(bos=BOS, eos=EOS, beam_size=1)(model, BATCH.source, BATCH.source_lengths)
    assert [found[0].tokens for found in greedy] == [found[0].tokens for found in beam]


@both_norms
def test_the_maps_are_all_heads_of_all_layers(norm):
    model = small_transformer(norm)
    first, *maps = model.attention_maps(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    names = [("encoder", ENCODER_LAYERS), ("decoder", DECODER_LAYERS), ("cross", DECODER_LAYERS)]
    assert [found[:3] for found in maps] == [
        (part, layer, head) for part, layers in names for layer in range(1, layers + 1) for head in (1, 2, 3)
    ]
    parameters = numbers(model)
    encoder, decoder = (references.below(parameters, name) for name in ("encoder", "decoder"))
    for row, (source, target_in, _) in enumerate(BATCH.rows()):
        states, over_source = references.encode(
            encoder, HEADS, norm, references.embed(parameters["source_embedding.table.weight"], source)
        )
        embedded = references.embed(parameters["target_embedding.table.weight"], target_in)
        _, over_target, across, _ = references.decode(decoder, HEADS, norm, embedded, states)
        wanted = {"encoder": over_source, "decoder": over_target, "cross": across}
        for part, layer, head, weights in maps:
            numbers_of_head = wanted[part][layer - 1][head - 1]
            assert_same(weights[row, : len(numbers_of_head), : len(numbers_of_head[0])], numbers_of_head)
    assert first[:3] == ("cross", DECODER_LAYERS - 1, 0)
    assert_same(first.weights, forced(model, BATCH).weights)
    heads = torch.stack([found.weights for found in maps if found[:2] == first[:2]])
    assert_same(heads.mean(0), first.weights)


@both_norms
def test_a_checkpoint_gives_the_same_model(norm, tmp_path: Path):
    model = small_transformer(norm, tie_embeddings="target")
    write_checkpoint(tmp_path / "one", model, {}, step=1, epoch=1, scores=None)
    other = small_transformer(norm, seed=2, tie_embeddings="target")
    assert not torch.equal(forced(other, BATCH).log_probs, forced(model, BATCH).log_probs)
    read_parameters(tmp_path / "one", other)
    assert torch.equal(forced(other, BATCH).log_probs, forced(model, BATCH).log_probs)


def copying_transformer(norm: str) -> TransformerSeq2Seq:
    return small_transformer(norm, copying=True, vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY))


@both_norms
def test_copying_mixes_what_is_generated_with_what_is_looked_at(norm):
    """See et al. (2017), equation 9, in plain Python from the model's own parts."""
    model = copying_transformer(norm)
    assert small_transformer(norm)(BATCH.source, BATCH.source_lengths, BATCH.target_in).generate is None
    given = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    generated = model.log_probs(given.features).exp().tolist()
    state = model.start(BATCH.source, BATCH.source_lengths)
    for position in range(BATCH.target_in.shape[1]):
        step = model.step(BATCH.target_in[:, position], state)
        state = step.state
        for row, (source, _, _) in enumerate(BATCH.rows()):
            share = given.generate[row, position].item()
            wanted = [share * p for p in generated[row][position]]
            for j, token in enumerate(source):
                wanted[token] += (1 - share) * given.weights[row, position, j].item()
            assert_same(step.log_probs[row].exp(), wanted)
    assert 0 < given.generate.min() < given.generate.max() < 1


@both_norms
def test_what_is_copied_follows_the_selected_rows_and_every_part_learns(norm):
    model = copying_transformer(norm)
    first = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths)).state
    wanted = model.step(BATCH.target_in[:, 1], first).log_probs
    rows = torch.tensor([2, 2, 0, 3])
    assert_same(model.step(BATCH.target_in[rows, 1], first.select(rows)).log_probs, wanted[rows])
    loss_and_gradients(model, BATCH)
    assert all(part.grad is not None and part.grad.any() for part in model.parameters())


@both_norms
def test_the_gate_reads_context_state_and_embedding(norm):
    model = copying_transformer(norm)
    parameters = numbers(model)
    gate = references.below(parameters, "decoder.copy_gate")
    encoder, decoder = (references.below(parameters, name) for name in ("encoder", "decoder"))
    found = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    for row, (source, target_in, _) in enumerate(BATCH.rows()):
        embedded = references.embed(parameters["source_embedding.table.weight"], source)
        memory, _ = references.encode(encoder, HEADS, norm, embedded)
        embedded = references.embed(parameters["target_embedding.table.weight"], target_in)
        features, contexts = references.decode(decoder, HEADS, norm, embedded, memory)[::3]
        for position, context in enumerate(contexts[DECODER_LAYERS - 2]):
            energy = gate["embedding.bias"][0]
            energy += references.dot(gate["context.weight"][0], context)
            energy += references.dot(gate["state.weight"][0], features[position])
            energy += references.dot(gate["embedding.weight"][0], embedded[position])
            assert found.generate[row, position].item() == pytest.approx(1 / (1 + math.exp(-energy)), abs=1e-12)
