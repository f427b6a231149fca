"""Losses on attention weights from the configuration to the trained run, and what ``align`` makes of it."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Commands
from tiny import LEARNED, write_config, write_corpus

from seq2seq_attn.alignment import link_words, parse_pharaoh
from seq2seq_attn.config import load_config
from seq2seq_attn.data.batching import collate
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.experiment.align import align_pairs
from seq2seq_attn.experiment.preparing import prepare_run
from seq2seq_attn.translation import Translator

FEW = {**LEARNED, "training.max_epochs": 6, "training.validate_every": "epoch", "training.log_every": 8}


def aligned(folder: Path, changes: dict[str, Any]) -> Path:
    """Write a configuration with gold alignments."""
    links = {f"data.{split}.alignments": str(folder / f"{split}.align") for split in ("train", "validation")}
    return write_config(folder, {"data.test": {}, **links, **changes})


@pytest.fixture(scope="module")
def runs(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Train with some changes, each once; return the run and what it logged."""

    @functools.cache
    def run(changes: str) -> tuple[Path, list[dict[str, Any]]]:
        folder = tmp_path_factory.mktemp("guided")
        config = aligned(folder, {**FEW, **json.loads(changes)})
        done = commands("train", config, "--output", folder / "run")
        assert done.status == 0, done.err
        lines = (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return folder / "run", [json.loads(line) for line in lines]

    return lambda **changes: run(json.dumps({f"training.{name}": value for name, value in changes.items()}))


def last(log: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return [record for record in log if record["kind"] == kind][-1]


def test_guided_alignment_brings_attention_to_the_gold_links(runs) -> None:
    _, plain = runs()
    for loss in ("cross_entropy", "mse"):
        _, guided = runs(guided_alignment={"loss": loss, "weight": 1.0})
        before, after = (last(log, "validation")["alignment_error_rate"] for log in (plain, guided))
        print(f"alignment error rate {before:.3f}, with {loss} {after:.3f}")
        assert after < before - 0.05
        first = next(record for record in guided if record["kind"] == "train")
        assert last(guided, "train")["guided_alignment_loss"] < 0.7 * first["guided_alignment_loss"]


def test_coverage_loss_spreads_attention(runs) -> None:
    """Against a run where the penalty is logged and has no force."""
    final = last(runs(coverage_loss=1.0)[1], "train")
    without = last(runs(coverage_loss=1e-9)[1], "train")
    assert final["coverage_loss"] < 0.95 * without["coverage_loss"]
    assert final["perplexity"] == pytest.approx(math.exp(final["loss"]))
    _, plain = runs()
    assert "coverage_loss" not in last(plain, "train")
    assert "guided_alignment_loss" not in last(plain, "train")


def test_align_prints_the_links_and_scores_them(runs, commands: Commands) -> None:
    run, log = runs(guided_alignment={"loss": "cross_entropy", "weight": 1.0})
    data = run.parent
    files = ["--source", data / "validation.en", "--target", data / "validation.pt"]
    done = commands("align", run / "checkpoints" / "last", *files, "--reference", data / "validation.align")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) == 19
    found = [set(parse_pharaoh(line).sure) for line in lines]
    gold = [set(parse_pharaoh(line).sure) for line in (data / "validation.align").read_text().splitlines()]
    right = sum(len(one & two) for one, two in zip(found, gold, strict=True))
    total = sum(map(len, found)) + sum(map(len, gold))
    rate = 1 - 2 * right / total
    assert f"alignment error rate {rate:.4f}" in done.err
    # what the training said of the same model
    assert rate == pytest.approx(last(log, "validation")["alignment_error_rate"])
    again = commands("align", run / "checkpoints" / "last", *files)
    assert again.out == done.out
    assert "error rate" not in again.err


def test_links_are_those_of_each_pair_alone(runs) -> None:
    """Also for pairs without words, and in any order."""
    translator = Translator.load(runs(guided_alignment={"loss": "cross_entropy", "weight": 1.0})[0], device="cpu")
    pairs = [
        SentencePair("one two three", "três dois um"),
        SentencePair("", "um"),
        SentencePair("seven", "sete"),
        SentencePair("four", ""),
        SentencePair("zero five nine eight", "oito nove"),
        SentencePair("one unknown two", "dois unknown um"),
    ]
    found = align_pairs(translator, pairs)
    assert found[1] == found[3] == []
    assert found == [align_pairs(translator, [pair])[0] for pair in pairs]
    assert found[::-1] == align_pairs(translator, pairs[::-1])
    source, target = (
        tokenizer.encode(text)
        for tokenizer, text in zip((translator.tokenizers.source, translator.tokenizers.target), pairs[5], strict=True)
    )
    batch = collate([source], [target], [0])
    with torch.inference_mode():
        weights = translator.model(batch.source, batch.source_lengths, batch.target_in).weights[0]
    # three words each, one of them unknown
    assert found[5] == link_words(weights.numpy(), [0, 1, 2], [0, 1, 2])


class TestRefusals:
    """Before any work: nothing is written."""

    def refused(self, folder: Path, changes: dict[str, Any]) -> str:
        write_corpus(folder)
        config = load_config(write_config(folder, changes))
        with pytest.raises(ConfigError) as caught:
            prepare_run(config, folder / "run")
        assert not (folder / "run").exists()
        return str(caught.value)

    def test_guided_alignment_without_alignments(self, tmp_path: Path) -> None:
        said = self.refused(tmp_path, {"training.guided_alignment": 0.5})
        assert "training.guided_alignment" in said
        assert "data.train.alignments" in said

    @pytest.mark.parametrize("key", ["guided_alignment", "coverage_loss"])
    def test_a_model_that_does_not_attend(self, tmp_path: Path, key: str) -> None:
        links = {"data.train.alignments": str(tmp_path / "train.align")}
        said = self.refused(tmp_path, {"model.attention": "none", f"training.{key}": 0.5, **links})
        assert said.startswith(f"training.{key} ")
        assert "'none'" in said

    def test_a_weight_of_zero_asks_for_nothing(self, tmp_path: Path) -> None:
        changes = {"model.attention": "none", "training.guided_alignment": 0.0, "training.coverage_loss": 0}
        config = load_config(write_config(tmp_path, changes))
        assert prepare_run(config, tmp_path / "run").train.links is None

    def test_some_corpora_may_have_none(self, tmp_path: Path) -> None:
        write_corpus(tmp_path)
        text = {"source": str(tmp_path / "train.en"), "target": str(tmp_path / "train.pt")}
        both = [text, text | {"alignments": str(tmp_path / "train.align")}]
        config = load_config(write_config(tmp_path, {"data.train": both, "training.guided_alignment": 1}))
        links = prepare_run(config, tmp_path / "run").train.links
        assert not links.matrices(range(127)).any()
        assert links.matrices(range(127, 254)).any(axis=(1, 2)).all()

    @pytest.mark.parametrize("wrong", [-0.5, "much", True, [1], {"weight": 1, "los": "mse"}, {"loss": "huber"}])
    def test_guided_alignment_is_a_number_or_a_mapping(self, tmp_path: Path, wrong: object) -> None:
        path = write_config(tmp_path, {"training.guided_alignment": wrong})
        with pytest.raises(ConfigError, match=r"training\.guided_alignment"):
            load_config(path)

    def test_a_number_is_the_weight(self, tmp_path: Path) -> None:
        guided = load_config(write_config(tmp_path, {"training.guided_alignment": 0.25})).training.guided_alignment
        assert (guided.weight, guided.loss) == (0.25, "cross_entropy")

    @pytest.mark.parametrize("split", ["train", "validation", "test"])
    def test_alignments_of_every_split_are_checked(self, commands: Commands, tmp_path: Path, split: str) -> None:
        write_corpus(tmp_path)
        path = tmp_path / "wrong.align"
        path.write_text("0-17\n", encoding="utf-8")
        key = "data.test.test" if split == "test" else f"data.{split}"
        done = commands("train", write_config(tmp_path, {f"{key}.alignments": str(path)}), "--output", tmp_path / "run")
        assert done.status == 2
        assert f"{path}:1: link 0-17 leads to target word 17" in done.err
        assert not (tmp_path / "run" / "corpus").exists()


def test_align_needs_attention_and_matching_files(commands: Commands, tmp_path: Path) -> None:
    config = write_config(tmp_path, {"model.attention": "none", "training.max_steps": 1, "data.test": {}})
    assert commands("train", config, "--output", tmp_path / "run").status == 0
    files = ["--source", tmp_path / "validation.en", "--target", tmp_path / "validation.pt"]
    done = commands("align", tmp_path / "run", *files)
    assert (done.status, done.out) == (2, "")
    assert "no attention" in done.err
    done = commands("align", tmp_path / "run", *files, "--reference", tmp_path / "test.align")
    assert done.status == 2
    assert "test.align:1: link 3-0 leads to source word 3" in done.err
    done = commands("align", tmp_path / "run", *files[:2], "--target", tmp_path / "test.pt")
    assert done.status == 2
    assert "validation.en has 19 lines but" in done.err
