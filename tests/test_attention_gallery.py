"""The comparison of ``scripts/attention_gallery.py``, on a corpus that is learned in a second."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from seq2seq_attn import Translator

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from benchmarking.exhibits import Example, Exhibit  # noqa: E402
from benchmarking.gallery import main  # noqa: E402
from benchmarking.showing import fill_document, markdown_table  # noqa: E402

SPARSE = "luong-general+normalize=sparsemax"
SENTENCE, REFERENCE = "one two three", "três dois um"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> tuple[Path, Path]:
    """Configuration and output folder of a gallery of two mechanisms."""
    folder = tmp_path_factory.mktemp("gallery")
    config = tiny.write_config(folder, {"training.max_epochs": 1})
    lines = (folder / "test.en").read_text(encoding="utf-8").splitlines()
    sizes = [len(line.split()) for line in lines]
    gold = [" ".join(f"{size - 1 - word}-{word}" for word in range(size)) for size in sizes]
    (folder / "test.align").write_text("".join(f"{line}\n" for line in gold), encoding="utf-8")
    for name in (SPARSE, "none"):
        assert run(config, folder / "out", "--attention", name) == 0
    return config, folder / "out"


def run(config: Path, output: Path, *arguments: str) -> int:
    example = ["--sentence", SENTENCE, "--reference", REFERENCE]
    return main(["--config", str(config), "--output", str(output), *example, *arguments])


def test_collecting_shows_what_each_mechanism_left(gallery, capsys):
    config, output = gallery
    assert run(config, output, "--collect") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["attention", "BLEU", "test", "AER", "test", "minutes"]
    assert [row.split()[0] for row in rows[:2]] == ["none", SPARSE]
    assert rows[0].split()[2] == "-"  # no attention, no alignments
    found = json.loads((output / "gallery.json").read_text(encoding="utf-8"))
    sparse, nothing = found[SPARSE], found["none"]
    assert rows[1].split()[1:3] == [f"{sparse['bleu']['test']:.1f}", f"{100 * sparse['alignment_errors']['test']:.1f}"]
    assert 0 < sparse["alignment_errors"]["test"] <= 1
    assert 0 < sparse["minutes"] < 5
    assert (nothing["weights"], nothing["alignment_errors"]) == ([], {})
    assert (output / "attention-gallery.png").exists()
    assert (output / f"{SPARSE}.png").exists()
    assert not (output / "none.png").exists()


def test_weights_are_those_of_the_reference(gallery):
    """A row for each word of the reference, so that pictures of different models have the same rows."""
    _, output = gallery
    found = json.loads((output / SPARSE / "exhibit.json").read_text(encoding="utf-8"))
    assert found["source_tokens"] == [*SENTENCE.split(), "</s>"]
    assert found["target_tokens"] == [*REFERENCE.split(), "</s>"]
    weights = np.array(found["weights"])
    assert weights.shape == (4, 4)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-3)
    shown = Translator.load(output / SPARSE).attention_maps(SENTENCE, REFERENCE)[0].weights
    np.testing.assert_allclose(weights, shown, atol=1e-5)


def test_what_is_finished_is_not_trained_again(gallery, capsys):
    config, output = gallery
    before = (output / SPARSE / "exhibit.json").stat().st_mtime_ns
    assert run(config, output, "--attention", SPARSE) == 0
    assert "there already" in capsys.readouterr().err
    assert (output / SPARSE / "exhibit.json").stat().st_mtime_ns == before
    assert run(config, output, "--attention", SPARSE, "model.embedding_size=12") == 2  # another model
    assert "cannot be resumed with another configuration" in capsys.readouterr().err


def test_without_a_sentence_one_of_the_first_test_set_is_shown(gallery):
    config, output = gallery
    assert main(["--config", str(config), "--output", str(output / "other"), "--attention", "luong-dot",
                 "model.decoder.hidden_size=14"]) == 0  # fmt: skip
    found = json.loads((output / "other" / "luong-dot" / "exhibit.json").read_text(encoding="utf-8"))
    first = [(config.parent / f"test.{suffix}").read_text(encoding="utf-8").splitlines()[0] for suffix in ("en", "pt")]
    assert found["example"] == first  # none has as many as nine words, so it is the first


def test_the_table_of_a_document_is_replaced_and_nothing_else(gallery, tmp_path, capsys):
    config, output = gallery
    document, costs = tmp_path / "a.md", tmp_path / "costs.json"
    document.write_text("# Title\n\n<!-- measured -->\nold\n<!-- end of measured -->\n\nThe end.\n", encoding="utf-8")
    costs.write_text(json.dumps({"mechanisms": [{"name": "none", "ratio": 0.8765}]}), encoding="utf-8")
    wanted = [
        "--collect",
        "--document",
        str(document),
        "--costs",
        str(costs),
        "--picture",
        str(tmp_path / "pictures" / "a.svg"),
    ]
    assert run(config, output, *wanted) == 0
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n<!-- measured -->\n")
    assert text.endswith("\n<!-- end of measured -->\n\nThe end.\n")
    assert "old" not in text
    assert "looked while it wrote the same sentence](pictures/a.svg)" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == ["| attention", "wiring", "cost", "BLEU `test`", "AER `test`, %", "minutes |"]
    assert rows[2][:3] == ["| `none`", "luong", "0.88"]
    assert rows[3][:3] == [f"| `{SPARSE}`", "luong", "-"]
    assert {len(row) for row in rows} == {6}
    assert (tmp_path / "pictures" / "a.svg").exists()
    assert run(config, output, *wanted) == 0
    assert document.read_text(encoding="utf-8") == text
    document.write_text("no markers", encoding="utf-8")
    assert run(config, output, *wanted) == 2
    assert "needs the lines <!-- measured --> and <!-- end of measured -->" in capsys.readouterr().err


def test_several_machines_are_all_named(tmp_path):
    def exhibit(name: str, machine: str) -> Exhibit:
        return Exhibit(
            name=name, title=name, wiring="luong", configuration="", parameters=1, minutes=2.0, machine=machine,
            bleu={"test": 50.0}, signature="nrefs:1", alignment_errors={}, example=Example("a", "b"),
            source_tokens=[], target_tokens=[], weights=[],
        )  # fmt: skip

    table = markdown_table([exhibit("a", "one CPU"), exhibit("b", "another"), exhibit("c", "one CPU")], {})
    assert "(`nrefs:1`; another; one CPU)" in table
    assert "cost" not in table
    with pytest.raises(Exception, match="no such file"):
        fill_document(tmp_path / "none.md", table, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--collect"], "holds no finished mechanism"),
        (["--attention", "bahdanau", "--attention", "bahdanu"], "did you mean 'bahdanau'?"),
        (["--sentence", "one"], "--sentence and --reference go together"),
        (["--attention", "bahdanau", "model.x=1"], "unknown key"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(arguments, message, tmp_path, capsys):
    config = tiny.write_config(tmp_path)
    assert main(["--config", str(config), "--output", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_and_costs_of_something_else_are_named(gallery, tmp_path, capsys):
    config, output = gallery
    (tmp_path / "costs.json").write_text("[1]", encoding="utf-8")
    assert run(config, output, "--collect", "--costs", str(tmp_path / "costs.json")) == 2
    assert "is not what benchmark.py attention --json prints" in capsys.readouterr().err
    broken = tmp_path / "out" / "bahdanau"
    broken.mkdir(parents=True)
    (broken / "exhibit.json").write_text('{"name": 1}', encoding="utf-8")
    assert run(config, tmp_path / "out", "--collect") == 2
    assert "exhibit.json: is damaged or of another release" in capsys.readouterr().err
