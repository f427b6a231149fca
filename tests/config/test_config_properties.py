"""Whatever stands in a configuration: a `Config` or a `ConfigError`, never another exception."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq_attn.config import Config, dump_config, load_config, parse_config
from seq2seq_attn.errors import ConfigError

pytestmark = pytest.mark.unchecked_shapes

relaxed = settings(deadline=None)  # a busy machine is not a bug

BASE = """\
seed: 3
name: fuzz
data:
  source_language: en
  target_language: pt
  train: [{source: [a, b], target: [c, d]}, {tsv: x, source_column: 2}]
  validation: {jsonl: v.jsonl, source: s, target: t}
  test: {one: {parquet: p, source: s, target: t}, two: {source: a, target: b}}
  max_length: 61
tokenizer: {kind: sentencepiece, algorithm: unigram, vocabulary_size: 503, sampling: 0.1}
model:
  dropout: {embedding: 0.1, variational: true}
  encoder: {layers: 2, bidirectional: true}
  attention: {score: general, hidden_size: 7}
training:
  optimizer: {kind: adamw, learning_rate: 1e-3, betas: [0.9, 0.98]}
  schedule: {kind: inverse_sqrt, warmup_steps: 11}
  batch_sentences: 13
  validate_every: 17
decoding: {beam_size: 3}
"""

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=7)
    | st.sampled_from(
        ["no", "1e-3", "", "null", "<text>", "<parts>", "[key]", "tsv", "\ud800", "\x85", "\u2028", "a\tb"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("tsv"), inner, max_size=3)
    ),
    max_leaves=5,
)


def positions(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in positions(item, (*path, key)))]


def mutated(place: tuple[Any, ...], how: str, value: Any) -> Any:
    tree = yaml.safe_load(BASE)
    if not place:
        return value
    *parents, last = place
    owner = tree
    for key in parents:
        owner = owner[key]
    if how == "replace":
        owner[last] = value
    elif how == "remove":
        del owner[last]
    elif isinstance(owner, dict):  # misspell, or add
        owner[last[:-1] or "x"] = owner.pop(last)
    else:
        owner.append(value)
    return tree


PLACES = positions(yaml.safe_load(BASE))


def outcome(text: str, overrides: Any = ()) -> Config | str:
    """Return the configuration or the message; any other exception is a bug."""
    try:
        return parse_config(text, overrides)
    except ConfigError as error:
        return str(error)


def check(text: str, overrides: Any = ()) -> None:
    result = outcome(text, overrides)
    if isinstance(result, Config):
        assert parse_config(dump_config(result)) == result
    else:
        assert result.startswith("the configuration has ")
        assert all(line.strip() for line in result.split("\n"))
        result.encode()  # can be printed


@relaxed
@given(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "misspell"]), junk)
def test_a_mutated_configuration(place, how, value):
    check(yaml.dump(mutated(place, how, value), allow_unicode=False))


@relaxed
@given(st.lists(st.tuples(st.sampled_from(PLACES), junk), max_size=3))
def test_overrides_from_python(pairs):
    overrides = {".".join(map(str, place)): value for place, value in pairs}
    check(BASE, overrides)


@relaxed
@given(
    st.lists(st.text(max_size=20) | st.sampled_from(["seed=1", "model.dropout={", "data.train.tsv=a", "data.test=5"]))
)
def test_overrides_from_the_command_line(overrides):
    check(BASE, overrides)


@relaxed
@given(st.integers(0, 2**32), st.integers(1, 9))
def test_scrambled_text(seed, edits):
    """Cut, doubled and foreign characters: mostly what is not YAML any more."""
    rng = random.Random(seed)
    text = BASE
    for _ in range(edits):
        at = rng.randrange(len(text))
        text = (
            text[:at]
            + rng.choice(["", ":", "\t", "[", "}", "&a ", "*a", "!!set ", "\n", "'", '"', "\\", "%", "- ", "\0"])
            + text[at + rng.randrange(3) :]
        )
    check(text)


@relaxed
@given(st.text())
@example("%YAML 99999999999999999999.1\n---\na: 1")
@example("%TAG ! tag:x,2000:\n---\n!a 1")
@example('"\\xd9"')
@example("? ? a\n: b")
@example("<<: {a: 1}")
def test_any_text(text):
    check(text)


@pytest.mark.parametrize("how", ["bytes", "yaml"])
def test_any_file(tmp_path, how):
    rng = random.Random(11)
    path = tmp_path / "x.yaml"
    for _ in range(300):
        noise = rng.randbytes(rng.randrange(40))
        data = noise if how == "bytes" else BASE.encode()[: rng.randrange(len(BASE))] + noise
        path.write_bytes(data)
        with pytest.raises(ConfigError):
            load_config(path)


names = st.text(min_size=1, max_size=13).filter(lambda s: not any("\ud800" <= c <= "\udfff" for c in s))
numbers = st.floats(0, 1, exclude_max=True)


@relaxed
@given(names, st.lists(names, min_size=1, max_size=3), numbers, st.none() | st.integers(1, 2**31 - 1), st.booleans())
@example("\x85", ["\u2028", "a\r\nb", "\ufeff"], 0.0, 1, False)  # PyYAML alone loses some of these
@example("1e-3", ["no", "0o17", "~", "=", "<<", " a", "x: y", "#"], 5e-324, None, True)
def test_bind_of_dump_is_the_same(language, files, number, count, flag):
    data = {
        "source_language": language,
        "target_language": language,
        "train": [{"source": files, "target": files}, {"tsv": files[0]}],
        "validation": {"jsonl": files, "source": language, "target": "no"},
        "test": {"one": {"parquet": files, "source": language, "target": language}},
    }
    overrides = {
        "data": data,
        "model.dropout.state": number,
        "model.attention": language,
        "training.max_steps": count,
        "training.label_smoothing": number,
        "training.tensorboard": flag,
        "training.validate_every": count or "epoch",
    }
    config = parse_config("seed: 1", overrides)
    text = dump_config(config)
    assert parse_config(text) == config
    assert yaml.safe_load(text)["data"] == config.model_dump(mode="json")["data"]  # YAML 1.1 reads the same
