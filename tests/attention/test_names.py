"""Mechanisms by name: what users misspell, and how other packages add theirs."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
import torch
from building import Case, assert_same, normal, sentences, small_model, wirings_of
from specs import NAMES
from torch import Tensor

from seq2seq_attn.attention import (
    Attended,
    Attention,
    AttentionParts,
    AttentionState,
    Memory,
    Score,
    attention_names,
    build_attention,
    find_attention,
    register_attention,
)
from seq2seq_attn.attention import mechanisms as attention_package
from seq2seq_attn.errors import ConfigError

SIZES = {"query_size": 5, "value_size": 7, "hidden_size": 3}


class Uniform(Score):
    """The least a mechanism can be: all positions alike."""

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return query.new_zeros(query.shape[0], query.shape[1], keys.shape[1])


class Reading(Attention):
    """Looks at the last token, then the one before it, and so on: a mechanism that lives by its history."""

    recurrent = True

    def memorize(self, values: Tensor, mask: Tensor) -> Memory:
        values = values.masked_fill(~mask.unsqueeze(-1), 0.0)
        return Memory(values, values, mask)

    def start(self, memory: Memory) -> AttentionState:
        return (memory.mask.sum(1) - 1,)

    def forward(self, query: Tensor, memory: Memory, state: AttentionState) -> Attended:
        assert query.shape[1] == 1, "a recurrent mechanism is asked for one step at a time"
        (position,) = state
        weights = torch.nn.functional.one_hot(position, memory.mask.shape[1]).unsqueeze(1).to(query.dtype)
        return Attended(weights @ memory.values, weights, ((position - 1).clamp(min=0),))


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(attention_package, "_MECHANISMS", dict(attention_package._MECHANISMS))


@pytest.fixture
def installed(monkeypatch):
    """Pretend that a package with this entry point is installed."""

    def install(name: str, value: str) -> None:
        point = EntryPoint(name=name, value=value, group="seq2seq_attn.attention")
        monkeypatch.setattr(attention_package, "entry_points", lambda group: [point])

    module = ModuleType("another_package")
    module.Uniform = Uniform
    module.number = 7
    monkeypatch.setitem(sys.modules, "another_package", module)
    return install


def message_of(call, *args, **kwargs) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_the_names_of_the_first_release():
    assert set(NAMES) >= {"none", "bahdanau", "luong-dot", "luong-general", "luong-concat"}


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("bahdanu", "bahdanau"), ("luong-genral", "luong-general"), ("luong_dot", "luong-dot")]
)
def test_an_unknown_name_names_the_nearest(wrong, nearest):
    message = message_of(build_attention, wrong, **SIZES)
    assert message.startswith(f"model.attention: no mechanism {wrong!r}; did you mean {nearest!r}? (there are: none, ")


def test_a_name_like_no_other_gets_the_list_alone():
    message = message_of(find_attention, "qqqq")
    assert "did you mean" not in message
    assert all(name in message for name in NAMES)


@pytest.mark.parametrize(
    ("part", "wrong", "nearest"), [("normalize", "sofmax", "softmax"), ("window", "globl", "global")]
)
def test_unknown_parts_name_their_key_and_the_nearest(part, wrong, nearest):
    message = message_of(build_attention, "luong-general", AttentionParts(**{part: wrong}), **SIZES)
    assert message.startswith(f"model.attention.{part}: no {wrong!r}; did you mean {nearest!r}?")


def test_dot_of_unequal_sizes_says_which_and_how_to_mend_it():
    assert message_of(build_attention, "luong-dot", **SIZES) == (
        "model.attention: a dot score compares vectors of one size, but the decoder state has 5 features and the "
        "encoder states have 7 (both directions together); make model.decoder.hidden_size 7 or use luong-general"
    )


@pytest.mark.parametrize("name", ["", "Upper", "with space", "1st", "a_b", "-a"])
def test_names_that_a_configuration_could_not_hold(name):
    assert "lower case letters, digits and hyphens" in message_of(register_attention, name, Uniform)


@pytest.mark.parametrize("cls", [dict, 7, torch.nn.Linear])
def test_what_is_no_mechanism_cannot_be_registered(cls):
    # a caller of a plain script has no beartype in the way
    unchecked = getattr(register_attention, "__wrapped__", register_attention)
    assert "no subclass of seq2seq_attn.attention.Score or Attention" in message_of(unchecked, "other", cls)


def test_a_taken_name_says_by_whom_and_twice_the_same_is_fine():
    message = message_of(register_attention, "bahdanau", Uniform)
    assert (
        message
        == "attention 'bahdanau' is already seq2seq_attn.attention.scores.additive.BahdanauScore; choose another name"
    )
    register_attention("uniform", Uniform)
    register_attention("uniform", Uniform)
    assert attention_names() == [*NAMES, "uniform"]


def model_of(case: Case, **changes):
    return small_model(case, encoder={"hidden_size": 5}, decoder={"hidden_size": 11}, **changes)


def test_a_registered_score_runs_from_configuration_to_search():
    register_attention("uniform", Uniform)
    batch = sentences()
    for case in wirings_of("uniform"):
        model = model_of(case)
        weights = model(batch.source, batch.source_lengths, batch.target_in).weights
        found = model.step(batch.target_in[:, 0], model.start(batch.source, batch.source_lengths))
        for row, length in enumerate(batch.source_lengths.tolist()):
            assert_same(weights[row, :, :length], torch.full((weights.shape[1], length), 1 / length).double(), 1e-7)
        assert_same(found.weights, weights[:, 0])


@pytest.mark.parametrize("case", wirings_of("reading"), ids=str)
def test_a_mechanism_with_a_history_keeps_it_in_every_wiring_and_in_search(case):
    """Coverage and monotonic attention stand on this: the state goes through every loop, and follows its rows."""
    register_attention("reading", Reading)
    batch = sentences()
    model = model_of(case)
    forced = model(batch.source, batch.source_lengths, batch.target_in)
    steps = range(batch.target_in.shape[1])
    last = (batch.source_lengths - 1).tolist()
    wanted = [[max(end - step, 0) for step in steps] for end in last]
    assert forced.weights.argmax(-1).tolist() == wanted

    state = model.start(batch.source, batch.source_lengths)
    rows = torch.tensor([2, 0, 2])
    for step in steps:
        if step == 2:
            state = state.select(rows)
        tokens = batch.target_in[:, step] if step < 2 else batch.target_in[rows, step]
        log_probs, weights, state = model.step(tokens, state)
        kept = slice(None) if step < 2 else rows
        assert_same(weights, forced.weights[kept, step])
        assert_same(log_probs, model.log_probs(forced.features[kept, step]))


def test_a_whole_mechanism_is_made_with_the_same_three_sizes():
    register_attention("reading", Reading)
    attention = build_attention("reading", **SIZES)
    assert isinstance(attention, Reading)
    assert (attention.query_size, attention.context_size, attention.hidden_size) == (5, 7, 3)


def test_another_package_offers_a_mechanism_without_being_imported_first(installed):
    installed("from-afar", "another_package:Uniform")
    assert attention_names() == [*NAMES, "from-afar"]
    assert find_attention("from-afar").cls is Uniform
    weights = build_attention("from-afar", **SIZES)
    memory = weights.memorize(normal(2, 3, 7), torch.ones(2, 3, dtype=torch.bool))
    assert_same(weights(normal(2, 1, 5), memory, ()).weights, torch.full((2, 1, 3), 1 / 3).double(), 1e-7)


@pytest.mark.parametrize("value", ["no_such_package:Uniform", "another_package:Missing", "broken_package:Uniform"])
def test_an_entry_point_that_fails_to_import_is_one_clear_error(installed, value, tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('needs a licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed("from-afar", value)
    message = message_of(find_attention, "from-afar")
    assert message.startswith(f"model.attention: 'from-afar' is offered by {value}, which fails to import: ")


def test_an_entry_point_that_is_no_mechanism(installed):
    installed("from-afar", "another_package:number")
    assert "'from-afar': 7 is no subclass of" in message_of(find_attention, "from-afar")


def test_a_built_in_name_wins_over_a_package(installed):
    installed("bahdanau", "another_package:Uniform")
    assert attention_names() == NAMES
    assert find_attention("bahdanau").cls is not Uniform
