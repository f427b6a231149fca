"""Everything that `translate` can be asked for, and `score`, from the command line."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_server import Commands, Done
from transformer_building import trained_transformer

from seq2seq_attn import Translator
from seq2seq_attn.config.schema import DecodingConfig

TEXTS = ["one two", "", "three", "nine eight seven"]


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.en"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def translator(trained: Path) -> Translator:
    return Translator.load(trained, device="cpu")


def complaint(done: Done) -> str:
    assert (done.status, done.out) == (2, ""), done.err
    (line,) = done.err.splitlines()
    assert line.startswith("seq2seq-attn: ")
    return line.removeprefix("seq2seq-attn: ")


OPTIONS = {
    "--beam-size 2 --normalization gnmt --length-penalty 0.6": {
        "beam_size": 2,
        "length_normalization": "gnmt",
        "length_penalty": 0.6,
    },
    "--coverage-penalty 0.4 --min-length 4 --max-length 6": {"coverage_penalty": 0.4, "min_length": 4, "max_length": 6},
    "--max-length-ratio 0.1 --batch-size 2 --precision float32": {
        "max_length_ratio": 0.1,
        "batch_sentences": 2,
        "precision": "float32",
    },
    "--no-repeat-ngram 1 --repetition-penalty 1.5 --min-length 4": {
        "no_repeat_ngram": 1,
        "repetition_penalty": 1.5,
        "min_length": 4,
    },
    "--beam-size 4 --diverse-groups 2 --diversity 3": {"beam_size": 4, "diverse_groups": 2, "diversity": 3.0},
    "--forbid dois --forbid três": {"forbidden": ["dois", "três"]},
    "--sample --temperature 2 --top-k 5 --top-p 0.9 --seed 3": {
        "sampling": {"temperature": 2.0, "top_k": 5, "top_p": 0.9, "seed": 3}
    },
    "--mbr chrf --candidates 4 --seed 2": {"minimum_risk": {"candidates": 4}, "sampling": {"seed": 2}},
    "--decoding min_length_ratio=1 --decoding length_normalization=none": {
        "min_length_ratio": 1.0,
        "length_normalization": "none",
    },
    "--replace-unknown": {"replace_unknown": True},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_is_its_key(
    commands: Commands, trained: Path, sentences: Path, translator: Translator, options: str
) -> None:
    done = commands("translate", trained, "--source", sentences, "--scores", *options.split())
    assert (done.status, done.err) == (0, "")
    decoding = DecodingConfig(**{"beam_size": translator.decoding.beam_size, **OPTIONS[options]})
    found = translator.translate(TEXTS, decoding=decoding)
    assert done.out == "".join(f"{one.score:.4f}\t{one.text}\n" for one in found)


def test_json_says_all(commands: Commands, trained: Path, sentences: Path, translator: Translator) -> None:
    done = commands("translate", trained, "--source", sentences, "--json")
    assert (done.status, done.err) == (0, "")
    found = [json.loads(line) for line in done.out.splitlines()]
    wanted = [json.loads(json.dumps(one.to_dict())) for one in translator.translate(TEXTS)]
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        assert [one[key] for key in ("text", "tokens", "alignment")] == [
            other[key] for key in ("text", "tokens", "alignment")
        ]
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
        for row, wanted_row in zip(one["attention"], other["attention"], strict=True):
            assert row == pytest.approx(wanted_row, abs=2e-4)
    several = commands("translate", trained, "--source", sentences, "--json", "--n-best", 2)
    lines = [json.loads(line) for line in several.out.splitlines()]
    assert [line["source"] for line in lines] == TEXTS
    assert all(len(line["translations"]) == 2 for line in lines)
    assert [line["translations"][0]["text"] for line in lines] == [one["text"] for one in found]


def test_lines_can_be_counted_where_a_sentence_has_too_few(commands: Commands, trained: Path, sentences: Path) -> None:
    """One token is all there may be, and the vocabulary has ten words and the end."""
    done = commands("translate", trained, "--source", sentences, "--n-best", 20, "--max-length", 1)
    assert (done.status, done.err) == (0, "")
    lines = done.out.split("\n")[:-1]
    assert len(lines) == 20 * len(TEXTS)
    assert sum(bool(line) for line in lines[:20]) == 10
    assert lines[11:40] == [""] * 29


def test_an_ensemble_by_commas(commands: Commands, trained: Path, sentences: Path) -> None:
    both = f"{trained},{trained_transformer()}"
    done = commands("translate", both, "--source", sentences)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[:3] == ["dois um", "", "três"]
    missing = complaint(commands("translate", f"{trained},nowhere", "--source", sentences))
    assert missing.startswith("nowhere: no such run folder")


def test_words_for_all_lines_and_for_each(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    done = commands("translate", trained, "--source", sentences, "--prefix", "sete oito", "--require", "zero")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[1] == ""
    for line in (lines[0], *lines[2:]):
        assert line.split()[:2] == ["sete", "oito"]
        assert "zero" in line.split()
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{}\n{}\n{"prefix": "nove"}\n{"require": ["um dois"]}\n', encoding="utf-8")
    done = commands("translate", trained, "--source", sentences, "--constraints", asked)
    lines = done.out.splitlines()
    assert lines[:2] == ["dois um", ""]
    assert lines[2].split()[0] == "nove"
    assert "um dois" in lines[3]


def test_unknown_words_by_a_lexicon(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    lexicon = tmp_path / "words.tsv"
    lexicon.write_text("three\tdrei\n", encoding="utf-8")
    done = commands("translate", trained, "--source", sentences, "--replace-unknown", "--lexicon", lexicon)
    assert (done.status, done.err) == (0, "")
    lexicon.write_text("three drei\n", encoding="utf-8")
    done = commands("translate", trained, "--source", sentences, "--replace-unknown", "--lexicon", lexicon)
    assert complaint(done).startswith(f"{lexicon}:1: expected a source word, one tab")


WRONG = {
    "--beam-size 0": "beam_size: expected at least 1, got the number 0",
    "--beam-size 2 --n-best 3": "n_best is 3, but a beam of 2 gives 1 to 2 hypotheses",
    "--n-best 0": "--n-best is 0, but it must be at least 1",
    "--mbr chrf --candidates 2 --n-best 3": "n_best is 3, but minimum_risk.candidates is 2",
    "--min-length 5 --max-length 5": "min_length: is 5, but max_length is 5",
    "--normalization gnm": "length_normalization: expected average, none, gnmt or reward, got the text 'gnm'; did you",
    "--mbr blue": "minimum_risk.utility: expected chrf or bleu, got the text 'blue'; did you mean 'bleu'?",
    "--precision int4": "precision: expected auto, float32, bfloat16 or int8",
    "--diverse-groups 2": "diverse_groups: a beam of 3 cannot be divided into 2 groups",
    "--temperature 0.5 --top-k 2": "--temperature, --top-k is for translations that are drawn; add --sample",
    "--no-sample --seed 1": "--no-sample draws nothing; leave out --seed",
    "--candidates 3": "--candidates is for minimum Bayes risk; add --mbr chrf or --mbr bleu",
    "--sample --require zero": "sampling cannot promise that a phrase appears",
    "--require zero --forbid zero": "--prefix or --require has the forbidden phrase 'zero' in it",
    "--prefix quatro,": "--prefix or --require: 'quatro,' cannot be written with the target vocabulary, which has no ",
    "--prefix dois --max-length 1": "--prefix or --require: needs 2 tokens with the end of the sentence",
    "--lexicon words.tsv": "lexicon: is read for unknown words only",
    "--decoding beam_size": "--decoding beam_size: expected a key and a value such as",
    "--decoding beem_size=2": "beem_size: unknown key; did you mean 'beam_size'?",
    "--json --scores": "--json has all scores in it; leave out --scores",
    "--constraints missing.jsonl": "missing.jsonl: no such file",
}


@pytest.mark.parametrize("options", WRONG)
def test_what_is_asked_wrongly(
    commands: Commands, trained: Path, sentences: Path, tmp_path: Path, options: str
) -> None:
    output = tmp_path / "out"
    done = commands("translate", trained, "--source", sentences, "--output", output, *options.split())
    assert complaint(done).startswith(WRONG[options])
    assert not output.exists()


def test_a_constraint_for_every_line(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    asked.write_text("{}\n{}\n", encoding="utf-8")
    done = commands("translate", trained, "--source", sentences, "--output", tmp_path / "out", "--constraints", asked)
    assert complaint(done).startswith(f"{sentences} has 4 lines but {asked} has 2")
    asked.write_text('{}\n{}\n{}\n{"require": ["quinze"]}\n', encoding="utf-8")
    done = commands("translate", trained, "--source", sentences, "--output", tmp_path / "out", "--constraints", asked)
    assert complaint(done) == f"{asked}:4: 'quinze' cannot be written with the target vocabulary, which has no 'quinze'"
    assert not (tmp_path / "out").exists()


def test_help_is_in_groups(commands: Commands) -> None:
    done = commands("translate", "--help")
    titles = [line for line in done.out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles[:2] == ["Arguments:", "Options:"]
    assert {"Sampling:", "Unknown words:", "Minimum Bayes risk:"} <= set(titles)
    search = done.out[done.out.index("\nSearch") : done.out.index("\nSampling:")]
    assert "--beam-size" in search
    assert "--temperature" not in search


def test_score_gives_what_search_gave(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.pt"
    found = commands("translate", trained, "--source", sentences, "--json")
    searched = [json.loads(line) for line in found.out.splitlines()]
    target.write_text("".join(f"{one['text']}\n" for one in searched), encoding="utf-8")
    done = commands("score", trained, "--source", sentences, "--target", target)
    assert done.status == 0
    assert [float(line) for line in done.out.splitlines()] == pytest.approx(
        [one["log_prob"] for one in searched], abs=2e-4
    )
    (summary,) = done.err.splitlines()
    tokens, total = sum(len(one["tokens"]) for one in searched), sum(one["log_prob"] for one in searched)
    assert summary.startswith(f"4 sentences, {tokens} tokens, log-probability {total:.3f}"[:-2])
    assert float(summary.split()[-3]) == pytest.approx(math.exp(-total / tokens), abs=1e-3)

    by_token = commands("score", trained, "--source", sentences, "--target", target, "--tokens")
    for line, one in zip(by_token.out.splitlines(), searched, strict=True):
        _, _, tokens_said = line.partition("\t")
        pairs = [token.rpartition(":") for token in tokens_said.split()]
        assert [token for token, _, _ in pairs] == one["tokens"]
        assert [float(log_prob) for _, _, log_prob in pairs] == pytest.approx(one["token_log_probs"], abs=2e-4)
    as_json = commands("score", trained, "--source", sentences, "--target", target, "--json")
    for line, one in zip(as_json.out.splitlines(), searched, strict=True):
        forced = json.loads(line)
        assert forced["score"] == pytest.approx(one["score"], abs=1e-4)
        assert forced["alignment"] == one["alignment"]


def test_score_of_files_that_do_not_fit(commands: Commands, trained: Path, sentences: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.pt"
    target.write_text("um\n", encoding="utf-8")
    done = commands("score", trained, "--source", sentences, "--target", target)
    assert complaint(done).startswith(f"{sentences} has 4 lines and {target} has 1")
    target.write_text("", encoding="utf-8")
    done = commands("score", trained, "--source", target, "--target", target)
    assert complaint(done) == f"{target} has 0 lines and {target} has 0: there is nothing to score"
    done = commands("score", trained, "--source", sentences, "--target", tmp_path / "missing")
    assert "missing: no such file" in complaint(done)
    done = commands("score", trained, "--source", sentences, "--target", sentences, "--json", "--tokens")
    assert complaint(done) == "--json has all tokens in it; leave out --tokens"


def test_a_reader_that_goes_away_is_no_error(trained: Path, tmp_path: Path) -> None:
    """As `translate --json --n-best 2 | head -1`, while more lines than any pipe holds are to come."""
    source = tmp_path / "many.en"
    source.write_text("one two three four\n" * 3000, encoding="utf-8")
    command = [sys.executable, "-m", "seq2seq_attn", "translate", str(trained), "--source", str(source)]
    command += ["--json", "--n-best", "2", "--beam-size", "2", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["source"] == "one two three four"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
