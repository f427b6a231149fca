"""``evaluate`` and ``compare``: references, ready translations, ways to search, reuse."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_server import Commands
from tiny import ENGLISH, PORTUGUESE, copy_run

from seq2seq_attn import Translator, load_config


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A test set of two sets of references, and translations of somebody else."""
    (tmp_path / "text.en").write_text("one two\nthree\nnine eight seven\none two three four five\n", encoding="utf-8")
    (tmp_path / "first.pt").write_text("dois um\ntrês\nsete oito nove\ncinco quatro três dois um\n", encoding="utf-8")
    (tmp_path / "second.pt").write_text("um dois\no três\nsete e oito nove\ncinco e quatro e três\n", encoding="utf-8")
    (tmp_path / "other.pt").write_text("Dois um\ntrês\nsete oito\ncinco quatro três dois zero\n", encoding="utf-8")
    return tmp_path


def sacrebleu(references: list[Path], hypothesis: Path, *options: str) -> dict[str, object]:
    command = [sys.executable, "-m", "sacrebleu", *map(str, references), "-i", str(hypothesis), "-w", "9", *options]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert isinstance(found, dict)
    return found


def target_of(run: Path) -> Path:
    (path,) = load_config(run / "config.yaml").data.test["test"].target  # type: ignore[union-attr]
    return Path(path)


def test_ready_translations_need_no_run(commands: Commands, files: Path) -> None:
    references = [files / "first.pt", files / "second.pt"]
    asked = ["--hypothesis", files / "other.pt", "--reference", references[0], "--reference", references[1]]
    done = commands("evaluate", *asked, "--lowercase", "--confidence", "--resamples", 97, "--json")
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)
    assert (found["split"], found["sentences"], found["beam_size"]) == ("first.pt", 4, None)
    theirs = sacrebleu(references, files / "other.pt", "-lc", "--confidence", "--confidence-n", "97")
    score = found["scores"]["bleu"]
    assert score["score"] == pytest.approx(theirs["score"], abs=1e-8)
    assert score["signature"] == theirs["signature"]
    assert "nrefs:2|bs:97|seed:12345|case:lc" in score["signature"]
    assert score["interval"]["mean"] == pytest.approx(theirs["confidence_mean"], abs=1e-8)
    assert score["interval"]["margin"] == pytest.approx(theirs["confidence_var"], abs=1e-8)
    text = commands("evaluate", *asked, "--metric", "ter", "--tokenize", "none").out
    assert text.startswith("first.pt  TER|nrefs:2|case:lc|tok:tercom|")


def test_ready_translations_of_a_runs_test_set(commands: Commands, trained: Path, tmp_path: Path) -> None:
    hypothesis = tmp_path / "copy.pt"
    shutil.copy(target_of(trained), hypothesis)
    done = commands("evaluate", trained, "--hypothesis", hypothesis, "--by-length")
    assert done.status == 0, done.err
    assert done.out.startswith("test  BLEU|nrefs:1|")
    assert " = 100.00 " in done.out.splitlines()[0]
    assert "source words" in done.out


def test_scores_by_length_are_drawn_for_every_metric(commands: Commands, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "plots"
    done = commands("evaluate", trained, "--metric", "bleu", "--metric", "chrf", "--plots", folder)
    assert done.status == 0, done.err
    assert "source words" in done.out
    assert sorted(path.name for path in folder.iterdir()) == ["test-by-length-bleu.svg", "test-by-length-chrf.svg"]
    table = done.out[done.out.index("source words") :].splitlines()[2:]
    rows = [line.split() for line in table if not line.startswith(("BLEU", "chrF"))]
    drawn = (folder / "test-by-length-bleu.svg").read_text(encoding="utf-8")
    texts = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]
    assert rows
    for *label, sentences, _, _ in rows:
        place = texts.index(" ".join(label))
        assert texts[place + 1] == f"(n = {sentences})"


@pytest.mark.parametrize("place", ["taken", "taken/inside"])
def test_plots_in_place_of_a_file_are_refused_before_any_work(
    commands: Commands, trained: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    done = commands("evaluate", trained, "--plots", tmp_path / place)
    assert (done.status, done.out) == (2, "")
    assert "taken" in done.err
    assert "--plots" in done.err
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_a_run_against_several_references(commands: Commands, trained: Path, files: Path) -> None:
    references = ["--reference", files / "first.pt", "--reference", files / "second.pt"]
    done = commands("evaluate", trained, "--source", files / "text.en", *references, "--json", "--by-length")
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)
    assert "nrefs:2" in found["scores"]["bleu"]["signature"]
    assert "nrefs:2" in found["by_length"][0]["scores"]["bleu"]["signature"]
    texts = (files / "text.en").read_text(encoding="utf-8").splitlines()
    ours = "".join(f"{one.text}\n" for one in Translator.load(trained, device="cpu").translate(texts))
    (files / "ours.pt").write_text(ours, encoding="utf-8")
    theirs = sacrebleu([files / "first.pt", files / "second.pt"], files / "ours.pt")
    assert found["scores"]["bleu"]["score"] == pytest.approx(theirs["score"], abs=1e-8)


def test_the_search_can_be_another_one(commands: Commands, run: Path) -> None:
    def evaluated(*options: object) -> dict[str, object]:
        done = commands("evaluate", run, "--json", *options)
        assert done.status == 0, done.err
        (found,) = json.loads(done.out)
        assert isinstance(found, dict)
        return found

    usual = evaluated()
    short = evaluated("--decoding", "max_length=1", "--beam-size", 1, "--batch-size", 3, "--length-penalty", 0.5)
    assert short["decoding"] == {
        **usual["decoding"],  # type: ignore[dict-item]
        "beam_size": 1,
        "max_length": 1,
        "batch_sentences": 3,
        "length_penalty": 0.5,
    }
    lines = (run / "evaluation" / "test.hyp").read_text(encoding="utf-8").splitlines()
    assert max(len(line.split()) for line in lines) == 1
    assert evaluated("--precision", "float32", "--batch-size", 2)["scores"] == usual["scores"]
    assert evaluated("--decoding", "length_normalization=none")["beam_size"] == usual["beam_size"]
    one_by_one = [f"minimum_risk.{key}" for key in ("utility=bleu", "candidates=3", "of=n-best")]
    apart = evaluated(*(word for key in one_by_one for word in ("--decoding", key)))
    assert evaluated("--decoding", "minimum_risk={utility: bleu, candidates: 3, of: n-best}") == apart


def test_an_ensemble_of_a_run_with_itself_scores_the_same(commands: Commands, run: Path, trained: Path) -> None:
    before = {path: path.read_bytes() for path in (run / "evaluation").iterdir()}
    alone = json.loads(commands("evaluate", trained / "checkpoints" / "best", "--json", "--metric", "chrf").out)
    done = commands("evaluate", f"{run},{trained}", "--json", "--metric", "chrf")
    assert done.status == 0, done.err
    assert json.loads(done.out)[0]["scores"] == alone[0]["scores"]
    assert {path: path.read_bytes() for path in (run / "evaluation").iterdir()} == before, "none of them wrote it"


def test_the_script_is_the_verb(trained: Path, files: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "evaluate.py"
    asked = ["--hypothesis", str(files / "other.pt"), "--reference", str(files / "first.pt"), "--metric", "chrf++"]
    done = subprocess.run([sys.executable, str(script), *asked], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("first.pt  chrF2++|nrefs:1|")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["what is to be scored? name a run, or a file of translations with --hypothesis"]),
        (["--hypothesis", "other.pt"], ["what is to be scored against? name a file with --reference"]),
        (["--hypothesis", "three.pt", "--reference", "first.pt"], ["three.pt has 3 lines", "first.pt", "has 4"]),
        (["RUN", "--hypothesis", "three.pt"], ["three.pt has 3 lines", "the reference (test) has 17"]),
        (["--hypothesis", "empty", "--reference", "empty"], ["empty: is empty; there is nothing to score"]),
        (
            ["RUN", "--source", "text.en", "--reference", "first.pt", "--reference", "three.pt"],
            ["three.pt has 3 lines but", "first.pt has 4"],
        ),
        (["RUN", "--reference", "first.pt"], ["--source and --reference go together"]),
        (
            ["--hypothesis", "other.pt", "--reference", "first.pt", "--by-length"],
            ["--source and --reference go together"],
        ),
        (
            ["--hypothesis", "other.pt", "--reference", "first.pt", "--beam-size", "3"],
            ["--hypothesis is translated already", "--beam-size"],
        ),
        (
            ["RUN", "--split", "test", "--split", "train", "--hypothesis", "other.pt"],
            ["there are test, train", "--split"],
        ),
        (["RUN", "--beam-size", "0"], ["beam_size: expected at least 1, got the number 0"]),
        (["RUN", "--decoding", "beam_sise=3"], ["beam_sise: unknown key; did you mean 'beam_size'?"]),
        (["RUN", "--decoding", "beam_size"], ["--decoding beam_size: expected a key and a value"]),
        (["RUN", "--decoding", "beam_size="], ["--decoding beam_size=: expected a key and a value"]),
        (["RUN", "--decoding", "minimum_risk={of: n-best"], ["--decoding minimum_risk={of: n-best: ", "'}'"]),
        (["RUN", "--decoding", "minimum_risk={off: n-best}"], ["minimum_risk.off: unknown key; did you mean 'of'?"]),
        (["RUN", "--precision", "float3"], ["precision: expected", "did you mean 'float32'?"]),
        (["RUN", "--tokenize", "13b"], ["unknown BLEU tokenization '13b'; did you mean '13a'?"]),
        (["RUN", "--confidence", "--resamples", "1"], ["at least 2 bootstrap samples, not 1"]),
    ],
    ids=lambda value: " ".join(map(str, value))[:60],
)
def test_wrong_requests(
    commands: Commands, trained: Path, files: Path, arguments: list[str], expected: list[str]
) -> None:
    (files / "three.pt").write_text("a\nb\nc\n", encoding="utf-8")
    (files / "empty").touch()
    known = {"RUN": str(trained), **{path.name: str(path) for path in files.iterdir()}}
    done = commands("evaluate", *(known.get(argument, argument) for argument in arguments))
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) <= 2
    for words in expected:
        assert words in done.err


def test_compare_runs_and_files(commands: Commands, trained: Path, run: Path, tmp_path: Path) -> None:
    sources, references = (path.read_text(encoding="utf-8").splitlines() for path in set_files(trained))
    other = tmp_path / "other.pt"
    other.write_text("".join(f"{line} {PORTUGUESE[0]}\n" for line in references), encoding="utf-8")
    done = commands("compare", trained, run, other, "--trials", 300, "--metric", "chrf", "--json")
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)
    assert (found["split"], found["sentences"], found["systems"]) == ("test", 17, [str(trained), str(run), str(other)])
    chrf = found["metrics"]["chrf"]
    assert "ar:300|seed:12345" in chrf["randomization_signature"]
    same = chrf["results"][1]
    assert (same["bootstrap"], same["randomization"]) == (1.0, 1.0), "a copy of a run is the run"
    assert chrf["results"][0]["score"] == same["score"]
    evaluated = json.loads(commands("evaluate", run, "--metric", "chrf", "--json").out)
    assert evaluated[0]["scores"]["chrf"]["score"] == pytest.approx(same["score"], abs=1e-9)
    assert found["by_sentence"][0]["ties"] == 17
    one = found["by_sentence"][1]["differences"][0]
    assert one["source"] == sources[one["number"] - 1]
    assert one["references"] == [references[one["number"] - 1]]
    assert one["system"] == f"{one['references'][0]} {PORTUGUESE[0]}"
    text = commands("compare", trained, other, "--trials", 300, "--split", "test").out
    assert text.startswith(f"test: 17 sentences, compared with {trained}\n")
    assert "BLEU|nrefs:1|bs:1000|seed:12345" in text
    assert "chrF2|nrefs:1|ar:300|seed:12345" in text


def set_files(run: Path) -> list[Path]:
    corpus = load_config(run / "config.yaml").data.test["test"]
    return [Path(corpus.source[0]), Path(corpus.target[0])]  # type: ignore[union-attr]


def test_compare_files_alone(commands: Commands, files: Path) -> None:
    asked = ["compare", files / "first.pt", files / "other.pt", "--reference", files / "second.pt", "--trials", 50]
    done = commands(*asked, "--metric", "ter", "--sentence-metric", "bleu", "--lowercase")
    assert (done.status, done.err) == (0, "")
    assert "TER (lower is better)" in done.out
    assert "by bleu of single sentences" in done.out
    assert "  source" not in done.out
    assert "  source  " in commands(*asked, "--source", files / "text.en").out.replace("source   ", "source  ")


def test_compare_reuses_only_what_is_surely_the_same(commands: Commands, run: Path, files: Path) -> None:
    shutil.copy(set_files(run)[1], files / "reference.pt")
    reference = files / "reference.pt"

    def reused(*options: object) -> bool:
        done = commands("compare", run, reference, "--split", "test", "--trials", 10, *options)
        assert done.status == 0, done.err
        return f"{run}: test as translated before, by the same checkpoint and search" in done.err

    assert reused(), "training scores its test sets"
    assert reused("--batch-size", 2), "changes nothing"
    assert not reused("--beam-size", 2)
    assert commands("evaluate", run, "--beam-size", 2).status == 0
    assert not reused()
    assert reused("--beam-size", 2)
    assert commands("evaluate", run).status == 0
    assert reused()
    hypotheses = run / "evaluation" / "test.hyp"
    kept = hypotheses.read_bytes()
    hypotheses.write_bytes(kept.replace(b"\n", b" x\n", 1))
    assert not reused(), "somebody edited it"
    hypotheses.write_bytes(kept)
    assert reused()
    record = run / "evaluation" / "test.json"
    written = record.read_text(encoding="utf-8")
    for broken in ("", "[]", "{", written.replace('"sources": "', '"sources": "0')):
        record.write_text(broken, encoding="utf-8")
        assert not reused(), broken
    record.write_text(written, encoding="utf-8")
    best = run / "checkpoints" / "best"
    other = next(path.name for path in sorted(best.parent.glob("step-*")) if path.name != best.resolve().name)
    best.unlink()
    best.symlink_to(other)
    assert not reused(), "another checkpoint"


def test_an_own_test_set_is_never_that_of_the_run(commands: Commands, run: Path, tmp_path: Path) -> None:
    """Its file has the name of a split, but holds other sentences."""
    source, reference = tmp_path / "test", tmp_path / "reference"
    source.write_text("".join(f"{word}\n" for word in ENGLISH), encoding="utf-8")
    reference.write_text("".join(f"{word}\n" for word in PORTUGUESE), encoding="utf-8")
    done = commands("compare", run, reference, "--source", source, "--reference", reference, "--trials", 10, "--json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)[0]["sentences"] == 10


def test_wrong_comparisons(commands: Commands, trained: Path, run: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("um\n", encoding="utf-8")
    config = run / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("target_language: pt", "target_language: de"))
    two = copy_run(trained, tmp_path / "two")
    text = (two / "config.yaml").read_text(encoding="utf-8")
    source, target = set_files(two)
    (two / "config.yaml").write_text(
        text.replace("\n  test:\n", f"\n  test:\n    more:\n      source: [{source}]\n      target: [{target}]\n"),
        encoding="utf-8",
    )
    for arguments, expected in [
        ([trained], "needs two systems or more"),
        ([trained, trained], "named twice"),
        ([trained, tmp_path / "nothing"], "nothing: no such run folder"),
        ([trained, short], "short has 1 lines but the reference (test) has 17"),
        ([two, short], "holds translations of one test set, but there are more, test; choose with --split"),
        ([trained, run], f"{trained} translates en to pt, but {run} en to de"),
        ([trained, two, "--sentence-metric", "chr"], "unknown metric 'chr'; did you mean 'chrf'?"),
        ([trained, two, "--split", "test", "--trials", "0"], "needs at least 1 trial, not 0"),
        ([short, short], "named twice"),
        ([trained, two, "--split", "tset"], "no split 'tset'; did you mean 'test'?"),
    ]:
        done = commands("compare", *arguments)
        assert (done.status, done.out) == (2, "")
        assert expected in done.err
