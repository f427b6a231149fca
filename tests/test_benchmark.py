"""The measurements of ``scripts/benchmark.py``: what they say of themselves and how ratios are made; never how fast."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch
import yaml
from specs import written
from tiny import trained_run

from seq2seq_attn import load_config
from seq2seq_attn.config.schema import AttentionConfig
from seq2seq_attn.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "benchmark.py"
sys.path.insert(0, str(SCRIPT.parent))

from benchmarking.attention import summarize, time_in_turns  # noqa: E402
from benchmarking.batches import MEAN_LENGTH, gather  # noqa: E402
from benchmarking.command import main  # noqa: E402
from benchmarking.counting import ProductCounter  # noqa: E402
from benchmarking.products import ProductRecorder  # noqa: E402
from benchmarking.specs import parse_spec  # noqa: E402


def tiny_config(folder: Path, **model: object) -> Path:
    text = {"source": "data/nowhere/train.en", "target": "data/nowhere/train.de"}
    tree = {
        "data": {"source_language": "en", "target_language": "de", "train": text, "validation": text},
        "tokenizer": {"vocabulary_size": 53},
        "model": {"embedding_size": 8, "encoder": {"hidden_size": 8}, "decoder": {"hidden_size": 16}, **model},
        "training": {"batch_sentences": 5, "threads": 1, "precision": "float32", "device": "cpu"},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_run_says_what_it_measured_and_on_what(tmp_path):
    config = tiny_config(tmp_path)
    done = run(
        "attention", "--config", config, "--attention", "bahdanau+heads=2", "--attention", "none", "--steps", 2,
        "--rounds", 3, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"the text of {config} is not on this machine: measuring with invented sentences" in done.stderr
    found = json.loads(done.stdout)
    assert {"cpu", "torch", "threads", "precision", "device"} <= found["machine"].keys()
    assert (found["machine"]["threads"], found["machine"]["precision"]) == (1, "float32")
    assert found["data"]["synthetic"] is True
    assert found["data"]["sentences_per_step"] == 5
    assert (found["steps"], found["rounds"]) == (2, 3)
    assert [row["name"] for row in found["mechanisms"]] == ["luong-general", "bahdanau+heads=2", "none"]
    assert [row["wiring"] for row in found["mechanisms"]] == ["luong", "bahdanau", "luong"]
    general, bahdanau, nothing = found["mechanisms"]
    assert [general[key] for key in ("ratio", "lowest_ratio", "highest_ratio")] == [1.0, 1.0, 1.0]
    assert nothing["parameters"] < general["parameters"] < bahdanau["parameters"]
    for row in found["mechanisms"]:
        assert 0 < row["lowest_ratio"] <= row["ratio"] <= row["highest_ratio"]
        assert 0 < row["best_milliseconds"] <= row["milliseconds"]
        tokens = found["data"]["target_tokens_per_sentence"] * found["data"]["sentences_per_step"]
        assert row["target_tokens_per_second"] == pytest.approx(1000 * tokens / row["milliseconds"])


def test_one_wiring_for_all_and_a_table_for_people(tmp_path, capsys):
    arguments = ["--attention", "luong-dot", "--steps", "1", "--rounds", "1", "--wiring", "bahdanau", "--synthetic"]
    assert main(["attention", "--config", str(tiny_config(tmp_path)), *arguments]) == 0
    captured = capsys.readouterr()
    assert "measuring with invented sentences" in captured.err
    head, *rows = [line.split() for line in captured.out.splitlines()]
    assert head[:2] == ["attention", "wiring"]
    assert [row[:2] for row in rows] == [["luong-general", "bahdanau"], ["luong-dot", "bahdanau"]]
    assert rows[0][3] == "1.00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attention", "bahdanu"], "did you mean 'bahdanau'?"),
        (["--attention", "bahdanau+coverage"], "stands key=value, not 'coverage'"),
        (["--attention", "bahdanau+heads=2+heads=4"], "'heads' is given twice"),
        (["--attention", "bahdanau+coverag=sum"], "did you mean 'coverage'?"),
        (["--attention", "none+training.accumulate=2"], "training.accumulate=2 is no part of the model"),
        (["--steps", "0"], "--steps 0: has to be 1 or more"),
        (["--rounds", "-1"], "--rounds -1: has to be 1 or more"),
        (["--wiring", "luon"], "expected luong, bahdanau"),
        (["model.architecture=transformer"], "set model.architecture to rnn"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, message, tmp_path, capsys):
    status = main(["attention", "--config", str(tiny_config(tmp_path)), *arguments])
    assert status == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_ratio_is_the_median_of_the_ratios_of_rounds():
    # the machine is three times slower in the second round, and for the first one alone in the third
    own, baseline = [2.0, 6.0, 8.0], [1.0, 3.0, 1.0]
    found = summarize(own, baseline, steps=4, tokens=600)
    assert found["ratio"] == 2.0
    assert (found["lowest_ratio"], found["highest_ratio"]) == (2.0, 8.0)
    assert (found["milliseconds"], found["best_milliseconds"]) == (1500.0, 500.0)
    assert found["target_tokens_per_second"] == 100.0
    alone = summarize(own, own, steps=4, tokens=600)
    assert (alone["ratio"], alone["lowest_ratio"], alone["highest_ratio"]) == (1.0, 1.0, 1.0)


def test_everybody_makes_every_step_and_nobody_always_goes_first(tmp_path):
    material = gather(load_config(tiny_config(tmp_path)), 6)
    turns: list[tuple[str, int]] = []
    ticks = count()
    steps = {
        name: (lambda group, name=name: turns.append((name, int(group[0].indices[0])))) for name in ("a", "b", "c")
    }
    seconds = time_in_turns(steps, material.groups, 2, lambda: float(next(ticks)))
    assert seconds == {name: [6.0, 6.0] for name in "abc"}  # one tick from begin to end of each step
    timed = turns[-2 * 6 * 3 :]
    firsts = [int(group[0].indices[0]) for group in material.groups]
    for place in range(0, len(timed), 3):
        names, sentences = zip(*timed[place : place + 3], strict=True)
        assert sorted(names) == ["a", "b", "c"]
        assert set(sentences) == {firsts[place // 3 % 6]}
    begun = [name for name, _ in timed[::3]]
    assert {begun.count(name) for name in "abc"} == {4}


def test_the_costs_are_those_of_the_arithmetic(tmp_path):
    """A clock that counts what is done: twice the work is a ratio of two, and the baseline is one to itself."""
    now = 0.0

    def work(amount: float):
        def step(group):
            nonlocal now
            now += amount * group[0].target_tokens

        return step

    material = gather(load_config(tiny_config(tmp_path)), 3)
    steps = {"luong-general": work(1.0), "twice": work(2.0), "again": work(1.0)}
    seconds = time_in_turns(steps, material.groups, 2, lambda: now)
    ratios = {
        name: summarize(own, seconds["luong-general"], steps=3, tokens=material.tokens)["ratio"]
        for name, own in seconds.items()
    }
    assert ratios == {"luong-general": 1.0, "twice": 2.0, "again": 1.0}


def test_invented_sentences_are_as_long_as_they_say_and_always_the_same(tmp_path):
    config = load_config(tiny_config(tmp_path), ["training.batch_sentences=50"])
    material, again = gather(config, 60), gather(config, 60)
    found = material.describe()
    assert found["source_tokens_per_sentence"] == pytest.approx(MEAN_LENGTH + 1, abs=1)  # the end of the sentence
    for one, other in zip(material.groups, again.groups, strict=True):
        assert one[0].source.equal(other[0].source)
        assert one[0].source.max() < 53


def test_accumulated_batches_are_one_step(tmp_path):
    material = gather(load_config(tiny_config(tmp_path), ["training.accumulate=3"]), 2)
    assert [len(group) for group in material.groups] == [3, 3]
    assert material.describe()["sentences_per_step"] == 15


def test_the_text_of_a_configuration_is_found_where_corpora_are_kept(tmp_path, monkeypatch):
    folder = tmp_path / "corpora" / "nowhere"
    folder.mkdir(parents=True)
    for suffix in ("en", "de"):
        lines = [" ".join(["abcdefghij"[k % 10] * (k % 4 + 1) for k in range(n, 2 * n + 1)]) for n in range(1, 30)]
        (folder / f"train.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setenv("SEQ2SEQ_ATTN_DATA", str(tmp_path / "corpora"))
    config = load_config(tiny_config(tmp_path), ["tokenizer.vocabulary_size=20", "tokenizer.kind=word"])
    material = gather(config, 2)
    assert not material.synthetic
    assert material.origin == "the training text of tiny"
    assert gather(config, 2, synthetic=True).synthetic


@pytest.mark.parametrize("text", ["bahdanau", "luong-general+normalize=softmax", "bahdanau+coverage=sum+heads=2"])
def test_a_mechanism_in_one_word_is_the_section_that_tests_write(text, tmp_path):
    parts = AttentionConfig.model_validate(written(text))
    found = load_config(tiny_config(tmp_path), parse_spec(text).overrides()).model.attention
    assert (AttentionConfig(score=found) if isinstance(found, str) else found) == parts


def test_keys_with_a_dot_are_of_the_configuration():
    spec = parse_spec("luong-general+model.decoder.wiring=bahdanau+heads=2")
    assert spec.overrides() == ["model.attention={score: luong-general, heads: 2}", "model.decoder.wiring=bahdanau"]
    assert "/" not in parse_spec("luong-general+training.x=a/b").folder
    with pytest.raises(ConfigError, match="no mechanism 'general-luong'"):
        parse_spec("general-luong+heads=2")


def test_translating_is_measured_in_every_precision_with_the_same_translations(tmp_path):
    source, reference = tmp_path / "test.en", tmp_path / "test.pt"
    source.write_text("one two three\nfive\nnine eight\n", encoding="utf-8")
    reference.write_text("três dois um\ncinco\noito nove\n", encoding="utf-8")
    other = f'{sys.executable} -c "print(\'{{\\"sentences_per_second\\": 12.5}}\')"'
    done = run(
        "translate", trained_run(), "--source", source, "--reference", reference, "--rounds", 2, "--beam-size", 2,
        "--precision", "model", "--precision", "float32", "--against", other, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["sentences"], found["batch_sentences"], found["machine"]["threads"]) == (3, 64, 1)
    model, prepared = found["ways"]
    assert (model["products"], prepared["products"], prepared["beam_size"]) == ("model", "float32", 2)
    assert model["bleu"] == prepared["bleu"]
    assert model["share_of_limit"] is None
    assert 0 < prepared["share_of_limit"] < 1
    ratios = [a / b for a, b in zip(model["seconds"], prepared["seconds"], strict=True)]
    assert prepared["ratio_to_model"] == pytest.approx(sum(ratios) / 2)
    assert found["against"]["sentences_per_second"] == 12.5
    assert prepared["ratio_to_against"] == pytest.approx(prepared["sentences_per_second"] / 12.5)


def test_an_exported_model_is_measured_beside_its_run(tmp_path, capsys):
    source, exported = tmp_path / "test.en", tmp_path / "exported"
    source.write_text("one two three\nfive\nnine eight\n", encoding="utf-8")
    export = [sys.executable, "-m", "seq2seq_attn", "export", trained_run(), "--format", "onnx", "--output", exported]
    subprocess.run(list(map(str, export)), check=True, capture_output=True)
    done = run(
        "translate", trained_run(), "--source", source, "--reference", source, "--rounds", 1, "--beam-size", 1,
        "--beam-size", 2, "--precision", "model", "--exported", exported, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ways = json.loads(done.stdout)["ways"]
    assert [(way["products"], way["beam_size"]) for way in ways] == [
        ("model", 1), ("exported float32", 1), ("model", 2), ("exported float32", 2),
    ]  # fmt: skip
    for model, other in (ways[:2], ways[2:]):
        assert other["bleu"] == model["bleu"]
        assert other["ratio_to_model"] == pytest.approx(model["seconds"][0] / other["seconds"][0])
    manifest = exported / "manifest.json"
    facts = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps(facts | {"parameters": facts["parameters"] + 1}), encoding="utf-8")
    options = ["--source", str(source), "--precision", "model", "--exported", str(exported)]
    assert main(["translate", str(trained_run()), *options]) == 2
    assert re.search(r"exported from another model than .*: it has \S+ parameters, the run", capsys.readouterr().err)


def test_without_a_wish_all_precisions_of_this_cpu_are_measured(tmp_path, capsys):
    source = tmp_path / "test.en"
    source.write_text("one two\n", encoding="utf-8")
    assert main(["translate", str(trained_run()), "--source", str(source), "--rounds", "1", "--json"]) == 0
    names = [way["products"] for way in json.loads(capsys.readouterr().out)["ways"] if way["beam_size"] == 1]
    for name in ("float32", "bfloat16", "int8"):
        asked = ["--beam-size", "1", "--rounds", "1", "--precision", name]
        assert (name in names) == (main(["translate", str(trained_run()), "--source", str(source), *asked]) == 0)
    assert names[:2] == ["model", "float32"]


def test_products_are_counted_row_by_row():
    counter = ProductCounter()
    product = counter.watch(lambda weight, bias=None: lambda inputs: inputs @ weight.T)(torch.zeros(7, 5))
    product(torch.zeros(2, 3, 5))
    product(torch.zeros(11, 5))
    assert counter.rows == {0: [6, 11]}
    unused = counter.fastest_seconds()
    assert 0 < unused < 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rounds", "0"), "--rounds and --batch-size must be at least 1"),
        (("--precision", "float8"), "float8.*unknown"),
        (
            ("--precision", "float32", "--against", f"{sys.executable} -c 'raise SystemExit(3)'"),
            "ended with status 3",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, options, words, capsys):
    source = tmp_path / "test.en"
    source.write_text("one two\n", encoding="utf-8")
    assert main(["translate", str(trained_run()), "--source", str(source), "--rounds", "1", *options]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_training_is_measured_in_every_precision(tmp_path):
    config = tiny_config(tmp_path)
    done = run(
        "train", "--config", config, "--precision", "float32", "--precision", "bfloat16", "--steps", 3, "--rounds", 2,
        "--json", "--against", f"{sys.executable} -c 'print(\"{{\\\"tokens_per_second\\\": 0.5}}\")'",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [way["precision"] for way in found["ways"]] == ["float32", "bfloat16"]
    assert found["ways"][0]["ratio"] == 1.0
    assert found["against"]["tokens_per_second"] == 0.5
    assert 0 <= found["padding_share"] < 0.5
    assert found["peak_memory_mib"] > 50
    for way in found["ways"]:
        assert len(way["rounds"]) == 2
        assert way["ratio_to_against"] == pytest.approx(sum(way["rounds"]) / 2 / 0.5)
        assert 0 < way["share_of_fastest_limit"] <= way["share_of_limit"]
        assert way["flops_per_token"] > 0


def test_products_of_a_step_are_as_many_as_the_layers_have():
    torch.manual_seed(1)
    layer, rows = torch.nn.Linear(5, 7), torch.randn(3, 5, requires_grad=True)
    with ProductRecorder() as recorder:
        layer(rows).sum().backward()
        torch.bmm(torch.randn(2, 3, 5), torch.randn(2, 5, 4))
    flops = sorted(shape.flops * times for shape, times in recorder.shapes.items())
    assert flops == sorted([2 * 2 * 3 * 5 * 4, *[2 * 3 * 5 * 7] * 3])


def test_a_fused_layer_counts_as_its_products():
    torch.manual_seed(1)
    layer, inputs = torch.nn.LSTM(5, 7), torch.randn(4, 3, 5, requires_grad=True)
    with ProductRecorder() as recorder:
        layer(inputs)[0].sum().backward()
    once = 2 * 4 * 3 * (5 + 7) * 28
    assert sum(shape.flops * times for shape, times in recorder.shapes.items()) == 3 * once


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "0"], "--steps 0: has to be 1 or more"),
        (["--against", "false"], "the command ended with status 1"),
        (["--against", "true"], "no line of JSON"),
    ],
)
def test_what_cannot_be_measured_of_training_is_refused(tmp_path, options, words, capsys):
    arguments = ["train", "--config", str(tiny_config(tmp_path)), "--rounds", "1", "--steps", "1", "--synthetic"]
    assert main([*arguments, *options]) == 2
    assert words in capsys.readouterr().err


def test_search_is_measured_over_both_kinds_of_arrays(capsys):
    arguments = ["--rows", "4", "--vocabulary", "90", "--beam-size", "2", "--steps", "3", "--rounds", "2"]
    assert main(["search", *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["rows"], one["beam_size"]) for one in found["searches"]] == [(4, 1), (4, 2)]
    assert all(min(one["torch"], one["numpy"], one["ratio"]) > 0 for one in found["searches"])
    assert main(["search", *arguments]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["search", "--steps", "0"]) == 2
    assert "--steps 0: has to be 1 or more" in capsys.readouterr().err
