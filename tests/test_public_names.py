"""The names that others build on, pinned: to change one is to break someone."""

from __future__ import annotations

import dataclasses
import importlib
import inspect

import pytest

import seq2seq_attn

PUBLIC = [
    "Checkpoint",
    "Config",
    "Run",
    "Seq2SeqError",
    "Translation",
    "Translator",
    "attention_names",
    "load_checkpoint",
    "load_config",
    "register_attention",
    "train",
]


def test_the_package_exports_exactly_these() -> None:
    assert seq2seq_attn.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(seq2seq_attn))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(seq2seq_attn, name)
    assert inspect.getdoc(value)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'seq2seq_attn' has no attribute 'Translater'"):
        _ = seq2seq_attn.Translater


SIGNATURES = {
    "seq2seq_attn.train": ["config", "overrides", "output", "resume"],
    "seq2seq_attn.load_checkpoint": ["run", "checkpoint", "device"],
    "seq2seq_attn.load_config": ["path", "overrides"],
    "seq2seq_attn.Translator.load": ["run", "device", "checkpoint"],
    "seq2seq_attn.Translator.translate": [
        "self",
        "texts",
        "beam_size",
        "length_penalty",
        "batch_sentences",
        "decoding",
        "constraints",
    ],
    "seq2seq_attn.Translator.n_best": [
        "self",
        "texts",
        "count",
        "beam_size",
        "length_penalty",
        "batch_sentences",
        "decoding",
        "constraints",
    ],
    "seq2seq_attn.Translator.score": ["self", "sources", "targets", "batch_sentences", "decoding"],
}


@pytest.mark.parametrize("name", list(SIGNATURES))
def test_parameters_are_pinned(name: str) -> None:
    module, *path = name.split(".")
    value = importlib.import_module(module)
    for part in path:
        value = getattr(value, part)
    assert list(inspect.signature(value).parameters) == SIGNATURES[name]  # type: ignore[arg-type]


FIELDS = {
    "Checkpoint": ["model", "config", "tokenizer", "step", "metrics", "run", "folder"],
    "Run": ["folder", "step", "reason", "best", "scores"],
    "Translation": [
        "source",
        "text",
        "score",
        "log_prob",
        "tokens",
        "source_tokens",
        "attention",
        "finished",
        "truncated",
        "alignment",
        "token_log_probs",
    ],
}


@pytest.mark.parametrize("name", list(FIELDS))
def test_results_have_these_fields(name: str) -> None:
    assert [field.name for field in dataclasses.fields(getattr(seq2seq_attn, name))] == FIELDS[name]
