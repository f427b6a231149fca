"""``align``: formats, two directions, what is refused; and what ``evaluate`` tells of attention and confidence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_server import Commands
from tiny import LEARNED, write_config, write_corpus

from seq2seq_attn import Translator, load_checkpoint
from seq2seq_attn.alignment import flip, parse_naacl, parse_pharaoh
from seq2seq_attn.evaluation.alignment_error import alignment_errors
from seq2seq_attn.evaluation.diagnostics import diagnose, mean_diagnostics
from seq2seq_attn.evaluation.symmetrize import METHODS, symmetrize
from seq2seq_attn.experiment.splits import read_split


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of the trained run: ``test.en``, ``test.pt``, ``test.align``."""
    folder = tmp_path_factory.mktemp("aligning")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def backward(commands: Commands, data: Path) -> Path:
    """A run in the other direction."""
    changes = {**LEARNED, "data.source_language": "pt", "data.target_language": "en", "data.test": {}}
    for split in ("train", "validation"):
        changes[f"data.{split}"] = {"source": str(data / f"{split}.pt"), "target": str(data / f"{split}.en")}
    config = write_config(data, {**changes, "training.max_epochs": 4}, name="backward.yaml")
    done = commands("train", config, "--output", data / "backward")
    assert done.status == 0, done.err
    return data / "backward"


@pytest.fixture(scope="module")
def blind(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without attention."""
    folder = tmp_path_factory.mktemp("blind")
    changes = {"model.attention": "none", "training.max_epochs": 1}
    done = commands("train", write_config(folder, changes), "--output", folder / "none")
    assert done.status == 0, done.err
    return folder / "none"


def files(data: Path, source: str = "en", target: str = "pt") -> list[object]:
    return ["--source", data / f"test.{source}", "--target", data / f"test.{target}"]


def links_of(out: str) -> list[list[tuple[int, int]]]:
    return [parse_pharaoh(line).sure for line in out.splitlines()]


def gold(data: Path) -> list:
    return [parse_pharaoh(line) for line in (data / "test.align").read_text(encoding="utf-8").splitlines()]


def test_naacl_has_the_links_of_pharaoh(commands: Commands, trained: Path, data: Path) -> None:
    found = links_of(commands("align", trained, *files(data)).out)
    done = commands("align", trained, *files(data), "--format", "naacl")
    assert done.status == 0, done.err
    lines = [parse_naacl(line) for line in done.out.splitlines()]
    again: list[list[tuple[int, int]]] = [[] for _ in found]
    for line in lines:
        again[line.sentence - 1].append((line.source - 1, line.target - 1))
    assert again == found
    assert sum(map(len, found)) > 20


def test_the_reference_may_be_in_any_format(commands: Commands, trained: Path, data: Path) -> None:
    (data / "test.naacl").write_text(
        "".join(
            f"{number:04} {source + 1} {target + 1} S\n"
            for number, reference in enumerate(gold(data), start=1)
            for source, target in reference.sure
        ),
        encoding="utf-8",
    )
    plain = commands("align", trained, *files(data), "--reference", data / "test.align")
    other = commands("align", trained, *files(data), "--reference", data / "test.naacl")
    assert plain.status == other.status == 0
    assert (plain.out, plain.err) == (other.out, other.err)
    assert alignment_errors(links_of(plain.out), gold(data)).describe() in plain.err


def test_words_from_one(commands: Commands, trained: Path, data: Path) -> None:
    plain = commands("align", trained, *files(data), "--reference", data / "test.align")
    one = "".join(
        " ".join(f"{source + 1}-{target + 1}" for source, target in reference.sure) + "\n" for reference in gold(data)
    )
    (data / "test.one").write_text(one, encoding="utf-8")
    done = commands("align", trained, *files(data), "--reference", data / "test.one", "--one-based")
    assert done.status == 0, done.err
    assert done.err == plain.err
    assert [[(s - 1, t - 1) for s, t in links] for links in links_of(done.out)] == links_of(plain.out)
    refused = commands("align", trained, *files(data), "--reference", data / "test.one")
    assert refused.status == 2
    assert "--one-based" in refused.err
    assert refused.out == ""  # said before anything was aligned


def test_json_lines(commands: Commands, trained: Path, data: Path) -> None:
    plain = commands("align", trained, *files(data), "--reference", data / "test.align")
    done = commands("align", trained, *files(data), "--reference", data / "test.align", "--json")
    assert done.err == plain.err
    *records, last = map(json.loads, done.out.splitlines())
    assert [[tuple(link) for link in record["links"]] for record in records] == links_of(plain.out)
    assert last["total"] == alignment_errors(links_of(plain.out), gold(data)).to_dict()
    for name in ("found", "sure", "found_sure", "found_possible"):
        assert sum(record[name] for record in records) == last["total"][name]
    unjudged = commands("align", trained, *files(data), "--json")
    assert [json.loads(line).keys() for line in unjudged.out.splitlines()] == [{"links"}] * len(records)


@pytest.mark.parametrize("method", METHODS)
def test_two_models_are_put_together(
    commands: Commands, trained: Path, backward: Path, data: Path, method: str
) -> None:
    forward = links_of(commands("align", trained, *files(data)).out)
    other = links_of(commands("align", backward, *files(data, "pt", "en")).out)
    done = commands("align", trained, *files(data), "--reverse", backward, "--symmetrize", method)
    assert done.status == 0, done.err
    expected = [symmetrize(one, flip(two), method) for one, two in zip(forward, other, strict=True)]
    assert links_of(done.out) == expected
    assert expected != forward  # the other direction says something of its own


def test_two_models_grow_if_nothing_is_said(commands: Commands, trained: Path, backward: Path, data: Path) -> None:
    named = commands("align", trained, *files(data), "--reverse", backward, "--symmetrize", "grow-diag")
    assert commands("align", trained, *files(data), "--reverse", backward).out == named.out


def test_one_model_read_both_ways(commands: Commands, trained: Path, data: Path) -> None:
    """More links than one for a target word, and none for a word that one direction alone cannot link."""
    forward = links_of(commands("align", trained, *files(data)).out)
    sets = {
        method: links_of(commands("align", trained, *files(data), "--symmetrize", method).out)
        for method in ("intersection", "grow-diag", "union")
    }
    for some, grown, every, plain in zip(*sets.values(), forward, strict=True):
        assert set(some) <= set(grown) <= set(every)
        assert set(some) <= set(plain) <= set(every)
    assert sets["intersection"] != forward != sets["union"]


def test_blank_lines_keep_their_place(commands: Commands, trained: Path, backward: Path, tmp_path: Path) -> None:
    (tmp_path / "en").write_text("one two\n\nthree\nfour\n", encoding="utf-8")
    (tmp_path / "pt").write_text("dois um\num\n\nquatro\n", encoding="utf-8")
    call = ["--source", tmp_path / "en", "--target", tmp_path / "pt", "--reverse", backward, "--symmetrize", "union"]
    links = commands("align", trained, *call).out.split("\n")
    assert (links[1], links[2], links[3], len(links)) == ("", "", "0-0", 5)


def test_whitespace_is_no_word(commands: Commands, trained: Path, tmp_path: Path) -> None:
    """It may be a token: behind the last word, or alone."""
    (tmp_path / "en").write_text("one two  \n   \nthree\n four\t\n", encoding="utf-8")
    (tmp_path / "pt").write_text(" dois um \num\n  \nquatro   \n", encoding="utf-8")
    done = commands("align", trained, "--source", tmp_path / "en", "--target", tmp_path / "pt", "--symmetrize", "union")
    lines = done.out.split("\n")
    assert lines[1:] == ["", "", "0-0", ""]
    assert {link for line in links_of(lines[0] + "\n") for link in line} <= {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_pipe_is_read_once(commands: Commands, trained: Path, data: Path, tmp_path: Path) -> None:
    done = commands("align", trained, "--source", "/dev/stdin", *files(data)[2:], stdin=str(data / "test.en"))
    assert done.status == 0, done.err
    assert done.out == commands("align", trained, *files(data)).out


class TestRefusals:
    def refused(self, commands: Commands, *arguments: object) -> str:
        done = commands("align", *arguments)
        assert done.status == 2, done.err
        assert done.out == ""
        assert "Traceback" not in done.err
        return done.err

    def test_the_same_direction_twice(self, commands: Commands, trained: Path, data: Path) -> None:
        said = self.refused(commands, trained, *files(data), "--reverse", trained)
        assert "translates from en to pt" in said
        assert "--reverse needs a run from pt to en" in said

    def test_unknown_names(self, commands: Commands, trained: Path, data: Path) -> None:
        said = self.refused(commands, trained, *files(data), "--symmetrize", "grow_diag")
        assert "'grow_diag'; did you mean 'grow-diag'?" in said
        assert "did you mean 'naacl'?" in self.refused(commands, trained, *files(data), "--format", "nacl")

    def test_a_model_without_attention(self, commands: Commands, blind: Path, data: Path) -> None:
        assert "none: this model has no attention" in self.refused(commands, blind, *files(data))

    def test_an_ensemble(self, commands: Commands, trained: Path, data: Path) -> None:
        assert "no such run folder" in self.refused(commands, f"{trained},{trained}", *files(data))

    def test_files_that_do_not_fit(self, commands: Commands, trained: Path, data: Path, tmp_path: Path) -> None:
        short = tmp_path / "short"
        short.write_text("0-0\n\n", encoding="utf-8")
        said = self.refused(commands, trained, *files(data), "--reference", short)
        assert f"{short} has 2 lines but {data / 'test.en'} has 17 sentence pairs" in said
        short.write_text("1 1 1\n18 1 1\n", encoding="utf-8")
        said = self.refused(commands, trained, *files(data), "--reference", short)
        assert f"{short}:2: a link of sentence 18, but {data / 'test.en'} has 17 sentence pairs" in said
        short.write_text("um\n", encoding="utf-8")
        said = self.refused(commands, trained, *files(data)[:2], "--target", short)
        assert "has 17 lines but" in said
        assert "no such file" in self.refused(commands, trained, *files(data), "--reference", tmp_path / "nowhere")


class TestEvaluate:
    """What ``evaluate`` says beyond scores."""

    def test_diagnostics_and_calibration(self, commands: Commands, trained: Path) -> None:
        checkpoint = trained / "checkpoints" / "best"  # nothing is written for it
        call = ["evaluate", checkpoint, "--split", "test", "--beam-size", 1, "--diagnostics", "--calibration"]
        done = commands(*call, "--json")
        assert done.status == 0, done.err
        (found,) = json.loads(done.out)
        translator = Translator.load(checkpoint, device="cpu")
        pairs = read_split(load_checkpoint(checkpoint).config, "test")
        translations = translator.translate([pair.source for pair in pairs], beam_size=1)
        expected = [diagnose(one.attention) for one in translations]
        assert len(found["diagnostics"]["by_sentence"]) == len(expected) == 17
        for one, other in zip(found["diagnostics"]["by_sentence"], expected, strict=True):
            assert one == pytest.approx(other.to_dict(), abs=1e-5)
        assert found["diagnostics"]["mean"] == pytest.approx(mean_diagnostics(expected).to_dict(), abs=1e-5)
        assert found["calibration"]["count"] == sum(len(pair.target.split()) + 1 for pair in pairs)
        text = commands(*call).out
        assert re.search(rf"entropy \(nats\) +{found['diagnostics']['mean']['entropy']:.4f}\n", text)
        assert f"expected calibration error {found['calibration']['expected_calibration_error']:.4f}" in text
        plain = commands(*call[:-2]).out
        assert "entropy" not in plain
        assert "calibration" not in plain
        assert plain.splitlines()[0] == text.splitlines()[0]

    @pytest.mark.parametrize("option", ["--diagnostics", "--calibration"])
    def test_a_file_has_neither(self, commands: Commands, data: Path, option: str) -> None:
        call = ["--hypothesis", data / "test.pt", "--reference", data / "test.pt"]
        done = commands("evaluate", *call, option)
        assert (done.status, done.out) == (2, "")
        assert "a file of translations says nothing of attention and confidence" in done.err

    def test_an_ensemble_is_not_calibrated(self, commands: Commands, trained: Path) -> None:
        done = commands("evaluate", f"{trained},{trained}", "--split", "test", "--calibration")
        assert (done.status, done.out) == (2, "")
        assert "--calibration is of one model" in done.err

    def test_a_model_without_attention(self, commands: Commands, blind: Path) -> None:
        done = commands("evaluate", blind / "checkpoints" / "best", "--split", "test", "--diagnostics")
        assert (done.status, done.out) == (2, "")
        assert "no attention" in done.err
