"""From configuration to model: every choice takes effect, tied weights are one tensor, shapes are as written."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
import torch
from building import (
    CASES,
    DECODER,
    EMBEDDING,
    ENCODER,
    PAD,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    Case,
    model_config,
    papers_wiring,
    sentences,
    small_model,
)
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped
from torch import Tensor

from seq2seq_attn.attention import attention_names
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.models.build import build_model
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.decoders import DECODERS
from seq2seq_attn.nn.recurrent import RecurrentLayer

GENERAL = Case("luong-general", "luong", True)
BATCH = sentences()


def build(config: ModelConfig, *, vocabulary: tuple[int, int] = (SOURCE_VOCABULARY, TARGET_VOCABULARY)) -> RNNSeq2Seq:
    model = build_model(config, source_vocabulary=vocabulary[0], target_vocabulary=vocabulary[1], padding=PAD)
    assert isinstance(model, RNNSeq2Seq)
    return model


def test_the_default_configuration_builds():
    model = build(ModelConfig())
    assert type(model.decoder) is DECODERS["luong"]
    assert model.attends


@pytest.mark.parametrize(("dropout", "share"), [({}, 0.3), ({"recurrent": 0.2}, 0.2), ({"recurrent": 0}, 0), (0.5, 0)])
def test_weights_between_states_are_dropped_unless_one_number_says_all(dropout, share):
    model = build(ModelConfig.model_validate({"dropout": dropout}))
    layers = [part for part in model.modules() if isinstance(part, RecurrentLayer)]
    assert len(layers) >= 2
    assert {layer.weight_dropout for layer in layers} == {share}


@pytest.mark.parametrize("name", attention_names())
def test_the_wiring_is_that_of_the_paper_unless_asked_for(name):
    config = model_config(papers_wiring(name), decoder={"wiring": None})
    expected = DECODERS[papers_wiring(name).wiring]
    assert type(build(config).decoder) is expected


@pytest.mark.parametrize("wiring", DECODERS)
@pytest.mark.parametrize("name", attention_names())
def test_every_wiring_can_be_asked_for(name, wiring):
    assert type(build(model_config(Case(name, wiring, True))).decoder) is DECODERS[wiring]


def test_a_name_alone_is_its_parts():
    name, parts = ModelConfig(attention="bahdanau"), ModelConfig.model_validate({"attention": {"score": "bahdanau"}})
    assert str(build(name)) == str(build(parts))


def test_tied_target_embeddings_are_one_tensor_and_learn_as_one():
    model = small_model(GENERAL, tie_embeddings="target")
    assert model.output.weight is model.target_embedding.table.weight
    assert model.source_embedding is not model.target_embedding
    assert model.output.in_features == EMBEDDING
    free = small_model(GENERAL)
    assert free.output.weight is not free.target_embedding.table.weight
    names = dict(model.named_parameters())
    assert "output.weight" not in names or "target_embedding.table.weight" not in names
    found = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    model.log_probs(found.features).exp()[..., 5].sum().backward()
    gradient = model.target_embedding.table.weight.grad
    assert gradient is not None
    assert (gradient != 0).any(dim=1).sum() > 5, "the output layer's gradient reaches words that were not read"


def test_all_embeddings_tied_are_one_module():
    config = model_config(GENERAL, tie_embeddings="all")
    model = build(config, vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY))
    assert model.source_embedding is model.target_embedding
    assert model.output.weight is model.source_embedding.table.weight
    free = build(model_config(GENERAL), vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY))
    tables = TARGET_VOCABULARY * (EMBEDDING + DECODER)  # one embedding and the output layer
    narrower = (DECODER + ENCODER + 4 * DECODER) * (DECODER - EMBEDDING)  # what is combined, and fed back
    assert free.num_parameters - model.num_parameters == tables + narrower


@pytest.mark.parametrize("tied", ["target", "all"])
def test_tied_models_step_as_they_are_forced(tied):
    config = model_config(GENERAL, tie_embeddings=tied)
    model = build(config, vocabulary=(TARGET_VOCABULARY, TARGET_VOCABULARY)).double().eval()
    forced = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    log_probs, _, _ = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths))
    torch.testing.assert_close(log_probs, model.log_probs(forced.features)[:, 0], rtol=0, atol=1e-12)


def test_shared_parameters_are_counted_once():
    model = small_model(GENERAL, tie_embeddings="target")
    storages = {part.data_ptr(): part.numel() for part in model.parameters()}
    assert model.num_parameters == sum(storages.values())


def test_unknown_attention_and_sizes_that_do_not_fit():
    with pytest.raises(ConfigError, match="did you mean 'luong-general'"):
        build(ModelConfig(attention="luong-genral"))
    config = ModelConfig.model_validate({"attention": "luong-dot", "decoder": {"hidden_size": 13}})
    with pytest.raises(ConfigError, match=r"13 features and the encoder states have 512 .*hidden_size 512 or use"):
        build(config)


PLACES = ["embedding", "state", "output", "recurrent"]


@pytest.mark.parametrize("place", PLACES)
def test_dropout_acts_in_each_place_while_training_and_nowhere_else(place):
    share = dict.fromkeys(PLACES, 0.0) | {place: 0.5}
    # two layers each: dropout of states is between layers
    layers = {"encoder": {"layers": 2}, "decoder": {"layers": 2}}
    model, plain = small_model(GENERAL, dropout=share, **layers), small_model(GENERAL, **layers)
    inputs = (BATCH.source, BATCH.source_lengths, BATCH.target_in)
    torch.manual_seed(1)
    wanted = plain.train()(*inputs).features
    assert torch.equal(model(*inputs).features, wanted), "off in evaluation"
    first, second = model.train()(*inputs).features, model(*inputs).features
    assert not torch.equal(first, wanted)
    assert not torch.equal(first, second)


def test_variational_dropout_is_the_same_at_every_position():
    model = small_model(GENERAL, dropout={"output": 0.5, "variational": True}).train()
    torch.manual_seed(1)
    zeros = model(BATCH.source, BATCH.source_lengths, BATCH.target_in).features == 0
    assert torch.equal(zeros, zeros[:, :1].expand_as(zeros))
    assert 0.2 < zeros.double().mean() < 0.8


def test_first_predictions_are_nearly_uniform():
    torch.manual_seed(1)
    model = build(ModelConfig(), vocabulary=(101, 211)).eval()
    forced = model(BATCH.source, BATCH.source_lengths, BATCH.target_in)
    entropy = -(model.log_probs(forced.features).exp() * model.log_probs(forced.features)).sum(-1)
    assert (entropy > 0.9 * torch.log(torch.tensor(211.0))).all()


def test_equal_seeds_build_equal_models():
    built = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        built.append(build(ModelConfig(embedding_size=7)).state_dict())
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])
    assert any(not torch.equal(built[0][name], built[2][name]) for name in built[0])


def check_fields(value: Any, seen: list[str]) -> None:
    """Hold what is in a named tuple to the shapes its class writes down, all with the same axes.

    Functions are checked as they are called; what named tuples hold is checked only here.
    """
    hints = get_type_hints(type(value))

    @jaxtyped(typechecker=None)
    def check() -> None:
        for name, hint in hints.items():
            field = getattr(value, name)
            if isinstance(hint, type) and issubclass(hint, AbstractArray):
                assert isinstance(field, hint), f"{type(value).__name__}.{name} is {tuple(field.shape)}, not {hint}"
                seen.append(f"{type(value).__name__}.{name}")

    check()
    for name in hints:
        field = getattr(value, name)
        if hasattr(field, "_fields"):
            check_fields(field, seen)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_named_tuples_hold_the_shapes_they_write_down(case):
    model = small_model(case, decoder={"layers": 2})
    seen: list[str] = []
    check_fields(model(BATCH.source, BATCH.source_lengths, BATCH.target_in), seen)
    step = model.step(BATCH.target_in[:, 0], model.start(BATCH.source, BATCH.source_lengths))
    check_fields(step, seen)
    check_fields(step.state, seen)
    check_fields(step.state.select(torch.tensor([1, 1, 0])), seen)
    states = {"Memory.keys", "RecurrentState.cell", "DecoderState.feed"}
    assert {"Forced.features", "ModelStep.weights"} | states <= {*seen}


def test_a_named_tuple_of_other_shapes_is_found():
    model = small_model(GENERAL)
    memory = model.start(BATCH.source, BATCH.source_lengths).memory
    check_fields(memory, [])
    with pytest.raises(AssertionError, match="Memory"):
        check_fields(memory._replace(mask=memory.mask[:, 1:]), [])


def wrong_arguments() -> list[tuple[Tensor, Tensor, Tensor]]:
    return [
        (BATCH.source, BATCH.source_lengths[:2], BATCH.target_in),
        (BATCH.source, BATCH.source_lengths, BATCH.target_in[:3]),
        (BATCH.source.double(), BATCH.source_lengths, BATCH.target_in),
        (BATCH.source[0], BATCH.source_lengths, BATCH.target_in),
    ]


@pytest.mark.checked_shapes
@pytest.mark.parametrize("arguments", wrong_arguments(), ids=["lengths", "targets", "type", "axes"])
def test_annotations_are_really_executed(arguments):
    """If this fails, no other test checks shapes: the import hook of conftest.py came too late."""
    model = small_model(GENERAL)
    with pytest.raises(TypeCheckError):
        model(*arguments)
