"""The verbs on an exported folder: those that translate take it and load no torch, the others say what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import copy_run, exported_run

from seq2seq_attn import Translator
from seq2seq_attn.errors import CheckpointError, ConfigError, UserError
from seq2seq_attn.exported import open_exported
from seq2seq_attn.exported.manifest import describe_files

TEXTS = ["one two", "", "three", "nine eight seven"]


@pytest.fixture(scope="module")
def folder() -> Path:
    return exported_run()


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.en"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return path


def test_all_that_translates_is_said_as_the_run_says_it(folder, trained, commands, sentences, tmp_path):
    for options in ("--beam-size 4 --n-best 2", "--beam-size 1", "--sample --seed 3", "--min-length 4 --forbid dois"):
        found = [commands("translate", run, "--source", sentences, *options.split()) for run in (folder, trained)]
        assert found[0].status == found[1].status == 0, found[0].err
        assert found[0].out == found[1].out
    target = tmp_path / "target.pt"
    target.write_text(commands("translate", folder, "--source", sentences).out, encoding="utf-8")
    scored = [commands("score", run, "--source", sentences, "--target", target) for run in (folder, trained)]
    numbers = [[float(line) for line in done.out.splitlines()[:4]] for done in scored]
    assert numbers[0] == pytest.approx(numbers[1], abs=2e-4)
    judged = [commands("evaluate", run, "--json") for run in (folder, trained)]  # the test set of the configuration
    one, other = (json.loads(done.out)[0] for done in judged)
    assert one["scores"] == other["scores"]
    assert (one["split"], one["sentences"]) == ("test", 17)
    assert not (folder / "evaluation").exists()


def test_no_verb_that_translates_loads_torch(folder, sentences, tmp_path):
    source = ["--source", str(sentences)]
    verbs = [
        ["translate", str(folder), *source, "--n-best", "2"],
        ["score", str(folder), *source, "--target", str(sentences)],
        ["evaluate", str(folder), "--diagnostics"],
        ["attend", str(folder), "one two", "--output", str(tmp_path / "look.png")],
        ["attend", str(folder), "one two", "--output", str(tmp_path / "look.json")],
    ]
    code = (
        "import sys\n"
        "from seq2seq_attn.cli import main\n"
        f"for arguments in {verbs!r}:\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit as left:\n"
        "        assert not left.code, (arguments, left.code)\n"
        "    assert 'torch' not in sys.modules, arguments\n"
    )
    path = str(Path(__file__).parents[2] / "src")
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads((tmp_path / "look.json").read_text(encoding="utf-8"))
    (panel,) = document["panels"]
    assert [found["part"] for found in panel["maps"]] == ["cross"]
    assert len(panel["alternatives"]) == len(panel["tokens"])


REFUSED = {
    "average": (["--output", "OUT"], "the run itself is needed"),
    "info": ([], "the run itself is needed"),
    "doctor": ([], "the run itself is needed"),
    "align": (["--source", "IN", "--target", "IN"], "the run itself is needed"),
    "evaluate": (["--calibration"], "--calibration needs the run, not its export"),
    "translate": (["--source", "IN", "--precision", "bfloat16"], "has the one it was exported with"),
    "score": (["--source", "IN", "--target", "IN", "--device", "cuda"], "an exported model runs on the CPU"),
}


@pytest.mark.parametrize("verb", REFUSED)
def test_what_needs_the_run_says_so(verb, folder, commands, sentences, tmp_path):
    options, reason = REFUSED[verb]
    named = {"OUT": tmp_path / "out", "IN": sentences}
    done = commands(verb, folder, *(named.get(option, option) for option in options))
    assert (done.status, done.out) == (2, ""), done.err
    (line,) = done.err.splitlines()
    assert reason in line


def test_a_run_cannot_be_opened_for_its_export(trained, folder):
    with pytest.raises(CheckpointError, match="export"):
        open_exported(trained)
    translator = Translator.load(folder)
    with pytest.raises(UserError, match="a plot needs the run, not its export"):
        translator.trained("a plot")
    with pytest.raises(ConfigError, match="precision is 'int8'"):
        translator.translate(["one"], decoding=translator.decoding.model_copy(update={"precision": "int8"}))


def test_they_are_compared_though_their_run_names_a_precision(folder, trained, commands, tmp_path):
    """Standing for: "leave it out" said of a precision that nobody gave."""
    copy = copy_run(folder, tmp_path / "copy")
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    before, section, decoding = config.partition("\ndecoding:\n")
    changed = decoding.replace("precision: auto", "precision: float32")
    assert changed != decoding
    (copy / "config.yaml").write_text(before + section + changed, encoding="utf-8")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").unlink()
    written = json.dumps(manifest | {"files": describe_files(copy)})
    (copy / "manifest.json").write_text(written, encoding="utf-8")
    done = commands("compare", copy, trained, "--split", "test", "--json")
    assert done.status == 0, done.err
    with_others = Translator.load(f"{copy},{trained}")
    assert with_others.decoding.precision == "auto"


def test_exported_and_trained_models_translate_together(trained, folder):
    alone = Translator.load(trained, device="cpu").n_best(TEXTS, count=3, beam_size=4)
    for runs in ([trained, folder], [folder, trained], [folder, folder]):
        found = Translator.load(runs, device="cpu").n_best(TEXTS, count=3, beam_size=4)
        for one, other in zip(alone, found, strict=True):
            assert [best.text for best in one] == [best.text for best in other]
            for best, again in zip(one, other, strict=True):
                assert again.score == pytest.approx(best.score, abs=1e-4)
                assert again.attention == pytest.approx(best.attention, abs=1e-4)
