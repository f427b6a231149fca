"""A prepared model: the numbers of the model, and for every sentence the same ones in any batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from building import (
    BOS,
    CASES,
    EOS,
    PAD,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    assert_same,
    randomize,
    sentences,
    small_model,
)
from transformer_building import small_transformer

from seq2seq_attn.attention import attention_names
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.decoding import BeamSearch, Hypothesis, LengthLimit, Search
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.inference import prepare
from seq2seq_attn.models.base import ModelStep, Seq2Seq
from seq2seq_attn.models.build import build_model

BATCH = sentences()
SOURCE_LEN = BATCH.source.shape[1]
LENGTHS = [(7 * number) % 23 + 1 for number in range(13)]
BEAM = BeamSearch(bos=BOS, eos=EOS, beam_size=5, forbidden=(PAD,), limit=LengthLimit(ratio=0.5, extra=5))

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def walk(model: Any) -> list[ModelStep]:
    """A few steps, with rows that are left out, repeated and exchanged in between, as beam search does."""
    state = model.start(BATCH.source, BATCH.source_lengths)
    steps = []
    for position, rows in enumerate([[0, 1, 2, 3], [0, 0, 2, 2, 2, 3], [5, 1, 0, 2, 4], [3, 4], [1, 1, 1]]):
        if position:
            state = state.select(torch.tensor(rows))
        tokens = torch.tensor([BOS if position == 0 else EOS + 1 + (row + position) % 5 for row in rows])
        step = model.step(tokens, state)
        state = step.state
        steps.append(step)
    return steps


def check_steps(model: Seq2Seq, prepared: Any, tolerance: float) -> None:
    with torch.inference_mode():
        for found, wanted in zip(walk(prepared), walk(model), strict=True):
            assert_same(found.log_probs, wanted.log_probs, tolerance)
            assert_same(found.weights[:, :SOURCE_LEN], wanted.weights, tolerance)
            assert not found.weights[:, SOURCE_LEN:].any()


@every_case
def test_every_step_is_that_of_the_model(case):
    model = small_model(case).eval()
    check_steps(model, prepare(model), 1e-12)


@every_case
def test_packed_products_change_no_more_than_the_last_digits(case):
    model = small_model(case, dtype=torch.float32).eval()
    randomize(model, 1, 0.3)
    check_steps(model, prepare(model), 1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": {"layers": 2, "residual": True, "bidirectional": True}, "decoder": {"layers": 3, "residual": True}},
        {"encoder": {"cell": "gru"}, "decoder": {"cell": "gru"}},
        {"encoder": {"layer_norm": True}, "decoder": {"layer_norm": True, "layers": 2}},
        {"encoder": {"cell": "gru", "layer_norm": True}, "decoder": {"cell": "gru", "layer_norm": True}},
        {"encoder": {"direction": "backward", "layers": 2}, "bridge": "last"},
    ],
    ids=["deep", "gru", "normed", "normed-gru", "backward"],
)
def test_every_cell_and_depth(changes):
    for case in [case for case in CASES if case.attention == "luong-general"]:
        model = small_model(case, **changes).eval()
        check_steps(model, prepare(model), 1e-12)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_transformer(norm):
    model = small_transformer(norm)
    check_steps(model, prepare(model), 1e-12)
    model = small_transformer(norm, dtype=torch.float32)
    check_steps(model, prepare(model), 1e-4)


def test_the_model_stays_as_it_is():
    model = small_model(CASES[0], dtype=torch.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules = [type(module) for module in model.modules()]
    model.train()
    prepare(model)
    assert model.training
    assert modules == [type(module) for module in model.modules()]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match=r"float8.*unknown.*float32, bfloat16, int8"):
        prepare(small_model(CASES[0], dtype=torch.float32), "float8")


def sentences_of(lengths: list[int]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(7)
    return [
        [*torch.randint(EOS + 1, SOURCE_VOCABULARY, (length - 1,), generator=generator).tolist(), EOS]
        for length in lengths
    ]


def wide_model(attention: str | None) -> Seq2Seq:
    """Sizes that whole vectors of the CPU fit into, as those of models that people train; no two sentences alike."""
    rnn = {
        "embedding_size": 32,
        "dropout": 0.0,
        "encoder": {"hidden_size": 16},
        "decoder": {"hidden_size": 32},
        "attention": attention,
    }
    transformer = {
        "architecture": "transformer",
        "embedding_size": 32,
        "dropout": 0.0,
        "transformer": {"encoder_layers": 2, "decoder_layers": 2, "heads": 4, "feed_forward_size": 64},
    }
    model = build_model(
        ModelConfig.model_validate(transformer if attention is None else rnn),
        source_vocabulary=SOURCE_VOCABULARY,
        target_vocabulary=TARGET_VOCABULARY,
        padding=PAD,
    )
    randomize(model, 3, 0.4)
    return model.eval()


def search_all(model: Any, search: Search, texts: list[list[int]], size: int, order: list[int]) -> list[Hypothesis]:
    found: dict[int, Hypothesis] = {}
    for begin in range(0, len(order), size):
        numbers = order[begin : begin + size]
        lengths = torch.tensor([len(texts[number]) for number in numbers])
        source = torch.full((len(numbers), int(lengths.max())), PAD)
        for row, number in enumerate(numbers):
            source[row, : len(texts[number])] = torch.tensor(texts[number])
        for number, hypotheses in zip(numbers, search(model, source, lengths), strict=True):
            found[number] = hypotheses[0]
    return [found[number] for number in range(len(texts))]


@pytest.mark.unchecked_shapes
@pytest.mark.parametrize("attention", [*attention_names(), None], ids=lambda name: name or "transformer")
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_sentence_has_the_same_translation_in_any_batch(attention, precision):
    texts = sentences_of(LENGTHS)
    try:
        prepared = prepare(wide_model(attention), precision)
    except ConfigError as error:
        pytest.skip(str(error))
    straight = list(range(len(texts)))
    together = search_all(prepared, BEAM, texts, 64, straight)
    for size, order in [(1, straight), (7, straight[1::2] + straight[::2])]:
        found = search_all(prepared, BEAM, texts, size, order)
        for one, other in zip(found, together, strict=True):
            assert one.tokens == other.tokens
            assert one.score == pytest.approx(other.score, abs=1e-4)
    assert len({round(hypothesis.score, 3) for hypothesis in together}) > 9  # there is something to confuse


@pytest.mark.parametrize("attention", ["none", "luong-dot", "luong-general"])
def test_not_a_bit_depends_on_the_batch(attention):
    prepared = prepare(wide_model(attention))
    if "oneDNN" not in prepared.products:
        pytest.skip(f"promised of packed products only; here: {prepared.products}")
    texts = sentences_of(LENGTHS)
    straight = list(range(len(texts)))
    together = search_all(prepared, BEAM, texts, 64, straight)
    for one, other in zip(search_all(prepared, BEAM, texts, 1, straight), together, strict=True):
        assert one.token_log_probs == other.token_log_probs
        assert torch.equal(one.weights, other.weights)
