"""``scripts/reproduce.py``: a small reproduction from end to end, stopped and gone on with, and what it refuses."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from sacrebleu import corpus_bleu

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from reproductions.catalog import REPRODUCTIONS
from reproductions.command import main
from reproductions.corpora import CORPORA
from reproductions.lexicon import make_lexicon
from reproductions.plan import Plan
from reproductions.running import run_plan
from reproductions.speeds import Grid, measure_speeds

from seq2seq_attn import Translator, load_config
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.errors import ConfigError, DataError
from seq2seq_attn.models.build import build_model
from seq2seq_attn.training.interrupts import Interrupted, Interrupts

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[1]

SMALL = [
    "training.max_steps=6", "training.max_epochs=null", "training.validate_every=3", "training.threads=1",
    "training.device=cpu", "training.precision=float32", "model.embedding_size=8", "model.encoder.hidden_size=8",
    "model.decoder.hidden_size=16", "decoding.beam_size=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A corpus with the files of the toy corpus."""
    folder = tmp_path_factory.mktemp("data")
    tiny.write_corpus(folder / "toy")
    for suffix in ("en", "pt", "align"):
        shutil.copy(folder / "toy" / f"test.{suffix}", folder / "toy" / f"test_long.{suffix}")
    return folder


def run(data: Path, output: Path, *more: str, name: str = "bahdanau-length") -> int:
    return main([name, "--data", str(data), "--output", str(output), *more, *SMALL])


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """The output folder of a reproduction of two runs."""
    output = tmp_path_factory.mktemp("finished") / "out"
    assert run(data, output) == 0
    return output


def test_page_picture_and_numbers_say_what_the_translations_are_worth(finished, data):
    found = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    assert [(one["variant"], one["seed"]) for one in found["outcomes"]] == [("none", 1), ("bahdanau", 1)]
    assert (finished / "plot.png").read_bytes().startswith(b"\x89PNG")
    page = (finished / "table.md").read_text(encoding="utf-8")
    references = (data / "toy" / "test.pt").read_text(encoding="utf-8").splitlines()
    for one in found["outcomes"]:
        outcome = json.loads((finished / "outcomes" / one["variant"] / "seed-1.json").read_text(encoding="utf-8"))
        bleu = corpus_bleu(outcome["hypotheses"]["test"], [references]).score
        assert one["scores"]["bleu"]["test"] == pytest.approx(bleu)
        assert f"| `{one['variant']}` | {bleu:.1f} |" in page
        assert 5 < one["scores"]["perplexity"]["test"] < 20  # of 15 tokens, hardly learned
    nothing, bahdanau = (one["scores"] for one in found["outcomes"])
    assert "error rate" not in nothing
    assert 0 < bahdanau["error rate"]["test"] <= 100
    assert len(found["claims"]) == 2
    for claim in found["claims"]:
        assert claim["finding"] in ("held", "did not reproduce", "not decided")
        assert claim["text"] in page
    assert CORPORA["toy"].departs in page


def test_what_is_finished_is_read_from_its_files(finished, data, capsys, monkeypatch):
    monkeypatch.setattr(Translator, "load", lambda *_, **__: pytest.fail("translated again"))
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("outcomes/**/*.json")}
    assert run(data, finished) == 0
    captured = capsys.readouterr()
    assert "-- bahdanau, seed 1 (2 of 2): there already" in captured.err
    assert "# bahdanau-length on toy" in captured.out
    assert len(before) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def stop_at(monkeypatch: pytest.MonkeyPatch, look: int) -> None:
    """Let Ctrl-C come right before the so-manyth look at whether to stop."""
    looks = iter(range(1, 10**6))

    def check(self: Interrupts) -> None:
        if next(looks) == look:
            raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(Interrupts, "check", check)


def test_a_stopped_one_goes_on_and_ends_as_if_nothing_had_been(finished, data, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    with monkeypatch.context() as patched:
        stop_at(patched, 5)
        assert run(data, output) == 130
    message = capsys.readouterr().err
    assert "the same command goes on from here" in message
    assert "saved at step" in message
    assert not list(output.rglob("outcomes/**/*.json"))
    assert not (output / "table.md").exists()
    with monkeypatch.context() as patched:
        patched.setattr("reproductions.running.measure", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert run(data, output) == 130
    message = capsys.readouterr().err
    assert "resuming from step" in message
    assert "what was finished is saved, and the same command goes on from here" in message
    assert run(data, output) == 0
    for name in ("none", "bahdanau"):
        found, wanted = (
            json.loads((folder / "outcomes" / name / "seed-1.json").read_text(encoding="utf-8"))
            for folder in (output, finished)
        )
        assert found["hypotheses"] == wanted["hypotheses"]
        assert found["scores"] == wanted["scores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.embedding_size=9"], "was begun with other settings (none: model.embedding_size was 8, now 9)"),
        (["--also", "luong-dot", "model.dropout=0.25"], "model.dropout.embedding was 0.15, now 0.25"),
        (["model.attention=luong-dot"], "model.attention=luong-dot: is what bahdanau-length compares (none)"),
        (["seed=3"], "seed=3: name seeds with --seeds 3"),
        (["--seeds", "1", "two"], "--seeds two: expected a whole number"),
        (["--also", "luong-dott"], "did you mean 'luong-dot'?"),
        (["--also", "luong-dot", "model.decoder.hidden_size=17"], "make model.decoder.hidden_size 16"),
        (["model.embeding_size=9"], "did you mean 'embedding_size'?"),
    ],
)
def test_other_settings_are_refused_with_what_differs(finished, data, capsys, arguments, message):
    kept = [setting for setting in SMALL if setting.partition("=")[0] != arguments[-1].partition("=")[0]]
    assert main(["bahdanau-length", "--data", str(data), "--output", str(finished), *kept, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_of_something_else_is_refused(finished, data, tmp_path, capsys):
    assert run(data, finished, name="normalizers") == 2
    assert "holds bahdanau-length on toy, not normalizers on toy" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert run(data, tmp_path) == 2
    assert "holds other files and no reproduction" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_damaged_outcome_is_named(finished, data, tmp_path, capsys):
    copy = tmp_path / "out"
    shutil.copytree(finished, copy, symlinks=True)
    (copy / "outcomes" / "none" / "seed-1.json").write_text("{", encoding="utf-8")
    assert run(data, copy) == 2
    assert "seed-1.json: is damaged or of another release" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bahdanau-lenght"], "unknown reproduction 'bahdanau-lenght'; did you mean 'bahdanau-length'?"),
        (["normalizers", "--corpus", "tatoba"], "unknown corpus 'tatoba'; did you mean 'tatoeba'?"),
        (["normalizers", "--corpus", "multi30k"], "fetch it with `python scripts/download.py multi30k`"),
        (["normalizers", "--corpus", "tatoeba"], "fetch it with `python scripts/download.py tatoeba`"),
        (["normalizers"], "it comes with the repository, or name the folder that holds toy/train.en with --data"),
        (["normalizers", "--also", "bahdanau"], "--also: normalizers compares more than attention mechanisms"),
        (["seed=1"], "the name of a reproduction comes first"),
        (["recipe"], "recipe says nothing on toy; choose --corpus multi30k or tatoeba"),
        (["recipe", "--corpus", "multi30k", "--only", "r-drop 5"], "did you mean 'R-drop 5'?"),
        (["normalizers", "--only", "softmax"], "the claims of normalizers are about all its models"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(arguments, message, tmp_path, capsys):
    output = tmp_path / "out"
    assert main([*arguments, "--data", str(tmp_path), "--output", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("arguments", [["--list"], []])
def test_all_are_listed_with_their_papers(arguments, capsys):
    assert main(arguments) == 0
    listed = capsys.readouterr().out
    for name, one in REPRODUCTIONS.items():
        assert f"{name}\n    {one.paper}\n    {one.claim}\n" in listed


def test_a_reader_who_has_had_enough_sees_no_traceback():
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "reproduce.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()  # before anything can be written
        assert listing.stderr.read() == ""
        assert listing.wait() == 0


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_every_model_of_every_reproduction_can_be_built(name, corpus, tmp_path):
    """With the settings of each corpus, whose files are empty here; and no two variants are alike."""
    for files in CORPORA[corpus].splits.values():
        for file in files.values():
            (tmp_path / file).touch()
    reproduction = REPRODUCTIONS[name]
    if reproduction.corpora and corpus not in reproduction.corpora:
        with pytest.raises(ConfigError, match=f"says nothing on {corpus}; choose --corpus {reproduction.corpora[0]}"):
            reproduction.judged_on(CORPORA[corpus])
        return
    judged = reproduction.judged_on(CORPORA[corpus])
    plan = Plan(reproduction, judged, tmp_path, tmp_path / "out", [1])
    seen = []
    for variant in reproduction.variants:
        config = plan.config(variant, 7)
        assert config.seed == 7
        assert set(config.data.test) == set(judged.tests)
        model = build_model(config.model, source_vocabulary=9, target_vocabulary=11, padding=0)
        assert model.attends == (config.model.attention != "none")
        seen.append((config, variant.replaces_unknown))
    assert all(one not in seen[:number] for number, one in enumerate(seen))
    assert len({plan.outcome(variant, 1) for variant in reproduction.variants}) == len(seen)


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """A tiny corpus with the files of Multi30k, without a test set."""
    tiny.write_corpus(tmp_path / "tiny")
    folder = tmp_path / "data" / "multi30k"
    folder.mkdir(parents=True)
    for ours, theirs in (("train", "train"), ("validation", "val")):
        for side, suffix in (("en", "en"), ("pt", "de")):
            text = (tmp_path / "tiny" / f"{ours}.{side}").read_bytes()
            (folder / f"{theirs}.{suffix}.gz").write_bytes(gzip.compress(text))
    return tmp_path / "data"


def test_candidates_are_judged_on_validation_text_alone(captions, tmp_path, capsys):
    small = [*SMALL, "tokenizer.kind=word", "training.schedule.warmup_steps=2"]
    arguments = ["recipe", "--corpus", "multi30k", "--data", str(captions), "--output", str(tmp_path / "out")]
    only = ["--only", "tied target embeddings", "--only", "no input feeding"]
    assert main([*arguments, *only, *small]) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert [one["variant"] for one in found["outcomes"]] == ["base", "tied target embeddings", "no input feeding"]
    assert [one["text"] for one in found["claims"]] == [f"It helps: {name}" for name in only[1::2]]
    references = gzip.decompress((captions / "multi30k" / "val.de.gz").read_bytes()).decode().splitlines()
    page = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    scores = {}
    for one in found["outcomes"]:
        path = tmp_path / "out" / "outcomes" / one["variant"].replace(" ", "-") / "seed-1.json"
        (hypotheses,) = json.loads(path.read_text(encoding="utf-8"))["hypotheses"].values()
        scores[one["variant"]] = corpus_bleu(hypotheses, [references]).score
    base = scores.pop("base")
    rows = {cells[1]: cells[2:-1] for cells in (re.split(r" ?\| ?", line) for line in page.splitlines()) if cells[1:]}
    assert (rows["`base`"][0], rows["`base`"][-2:]) == (f"{base:.1f}", ["-", "1.00"])
    for name, score in scores.items():
        assert (rows[f"`{name}`"][0], rows[f"`{name}`"][-2]) == (f"{score:.1f}", f"{score - base:+.1f}")
    (command,) = (line for line in page.splitlines() if line.startswith("    python scripts/reproduce.py"))
    assert shlex.split(command)[2:9] == ["recipe", "--corpus", "multi30k", *only]


def test_real_corpora_are_found(real_data):
    for name in ("multi30k", "tatoeba"):
        CORPORA[name].overrides(real_data)
    with pytest.raises(DataError, match="no such file"):
        CORPORA["multi30k"].overrides(real_data / "nowhere")


def test_unknown_words_are_replaced_by_the_model_that_has_learned_without(data, tmp_path):
    """Half of the words are unknown; the last two rungs of the ladder are one training, searched in two ways."""
    ladder = replace(REPRODUCTIONS["luong-ablation"], variants=REPRODUCTIONS["luong-ablation"].variants[-2:])
    results = run_plan(Plan(ladder, CORPORA["toy"], data, tmp_path / "out", [1], SMALL))
    (trained,) = (tmp_path / "out" / "runs").iterdir()
    vocabulary = trained / "seed-1" / "tokenizer" / "target" / "vocabulary.txt"
    known = set(vocabulary.read_text(encoding="utf-8").split()) & set(tiny.PORTUGUESE)
    assert 1 <= len(known) <= 9
    without, replaced = (set(" ".join(results.hypotheses(variant.name, 1)).split()) for variant in ladder.variants)
    assert without <= known
    assert replaced & (set(tiny.PORTUGUESE) - known)
    rungs = [results.outcomes[variant.name, 1] for variant in ladder.variants]
    assert rungs[0].scores["perplexity"] == rungs[1].scores["perplexity"]


def test_a_lexicon_has_the_words_that_the_model_looks_at(tmp_path):
    """The task is to say digits backwards, which the model has learned; a rare link does not outvote a frequent one."""
    translator = Translator.load(tiny.trained_run(), device="cpu")
    folder = tmp_path / "text"
    tiny.write_corpus(folder, seed=5)
    lines = [(folder / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "pt")]
    count = make_lexicon(translator, list(map(SentencePair, *lines)), tmp_path / "new" / "lexicon.tsv")
    written = (tmp_path / "new" / "lexicon.tsv").read_text(encoding="utf-8").splitlines()
    right = {f"{english}\t{other}" for english, other in zip(tiny.ENGLISH, tiny.PORTUGUESE, strict=True)}
    assert count == len(written) == 10
    assert len(right & set(written)) >= 9


def test_speeds_are_measured_once_for_each_size_and_length(tmp_path):
    (tmp_path / "data").mkdir()
    for files in CORPORA["toy"].splits.values():
        for file in files.values():
            (tmp_path / "data" / file).touch()
    reproduction = REPRODUCTIONS["transformer"]
    plan = Plan(reproduction, CORPORA["toy"], tmp_path / "data", tmp_path, [1], SMALL[3:6])
    assert reproduction.sized is not None
    configs = {}
    for variant in reproduction.variants:
        config = plan.config(variant, 1)
        configs[variant.name, 8] = config.model_copy(update={"model": reproduction.sized(config.model, 8)})
    grid = Grid(sizes=(8,), lengths=(5, 9), tokens=20, sentences=2, steps=1, rounds=2)
    told: list[str] = []
    found = measure_speeds(configs, grid, tmp_path / "speeds", told.append)
    assert [(one.kind, one.length) for one in found] == [(k, n) for n in (5, 9) for k in ("LSTM", "Transformer")]
    assert all(len(one.training) == len(one.decoding) == 2 for one in found)
    assert all(min(one.training + one.decoding) > 0 for one in found)
    assert measure_speeds(configs, grid, tmp_path / "speeds", told.append) == found
    assert [line.endswith("there already") for line in told] == [False, False, True, True]


def test_the_documents_speak_of_what_there_is():
    page, readme = (
        (ROOT / name).read_text(encoding="utf-8") for name in (Path("docs") / "reproductions.md", Path("README.md"))
    )
    for text in (page, readme):
        assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) >= set(REPRODUCTIONS)
        assert set(re.findall(r"reproduce\.py ([a-z]+(?:-[a-z]+)*)", text)) <= set(REPRODUCTIONS)
    command = re.search(r"reproduce\.py (bahdanau-length --also .*?)\n```", page, re.DOTALL)
    assert command is not None
    overrides = [word for word in command[1].split() if "=" in word]
    large = load_config(ROOT / "configs" / "reproductions" / "toy.yaml", overrides)
    toy = load_config(ROOT / "configs" / "toy.yaml")
    assert (large.model, large.training) == (toy.model, toy.training)
