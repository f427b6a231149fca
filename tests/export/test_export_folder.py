"""The exported folder: what is in it, what it translates, what becomes of a damaged one; and no torch to use it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_server import Done, shared_commands
from tiny import trained_run, write_config

from seq2seq_attn import Translator, load_checkpoint
from seq2seq_attn.errors import CheckpointError
from seq2seq_attn.exported import is_exported, open_exported, read_manifest

SENTENCES = ["one two three", "", "nine", "four four nine zero one", "a word nobody knows"]


def command(*arguments: object) -> Done:
    return shared_commands()(*arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The export that all tests read and none may change."""
    path = tmp_path_factory.mktemp("exported") / "model"
    done = command("export", trained_run(), "--format", "onnx", "--output", path)
    assert (done.status, done.out) == (0, f"{path}\n"), done.err
    return path


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_exported(path)
    return str(caught.value)


def test_the_manifest_says_what_the_folder_holds(folder):
    manifest = read_manifest(folder)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest.files) | {"manifest.json"} == names
    assert {"encoder.onnx", "step.onnx", "config.yaml", "tokenizer/source/vocabulary.txt"} <= names
    for name, facts in manifest.files.items():
        assert facts["bytes"] == (folder / name).stat().st_size
    loaded = load_checkpoint(trained_run())
    assert manifest.checkpoint["name"] == loaded.folder.name
    assert manifest.parameters == loaded.model.num_parameters
    assert manifest.vocabulary == {"source": len(loaded.tokenizer.source), "target": len(loaded.tokenizer.target)}
    assert manifest.special == {"pad": 0, "unk": 1, "bos": 2, "eos": 3}
    assert (manifest.architecture, manifest.attention, manifest.precision) == ("rnn", "luong-general", "float32")
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["format"] == "seq2seq_attn onnx 1"
    assert is_exported(folder)
    assert not is_exported(trained_run())


def test_it_opens_with_the_configuration_and_the_tokenizers_of_the_run(folder):
    opened, loaded = open_exported(folder), load_checkpoint(trained_run())
    assert opened.config == loaded.config
    assert opened.model.attends
    for text in SENTENCES:
        assert opened.tokenizers.source.encode_batch([text]) == loaded.tokenizer.source.encode_batch([text])


@pytest.mark.parametrize("beam_size", [1, 5])
def test_it_translates_as_the_run_does(folder, beam_size):
    ours = Translator.load(trained_run()).translate(SENTENCES, beam_size=beam_size)
    theirs = Translator.load(folder).translate(SENTENCES, beam_size=beam_size)
    for one, other in zip(ours, theirs, strict=True):
        assert one.tokens == other.tokens
        assert one.score == pytest.approx(other.score, abs=1e-4)
        np.testing.assert_allclose(np.asarray(one.attention), np.asarray(other.attention), atol=1e-4)


def test_a_translation_with_it_loads_no_torch(folder):
    code = (
        "import sys; from seq2seq_attn import Translator; "
        f"print(Translator.load({str(folder)!r}).translate(['one two'], beam_size=3)[0].text); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Translator.load(trained_run()).translate(["one two"], beam_size=3)[0].text


def test_int8_is_a_quarter_of_the_size_and_an_earlier_export_is_replaced(folder, tmp_path):
    """With matrices large enough to be worth it; the others stay as they are."""
    larger = {"model.embedding_size": 96, "model.encoder": {"hidden_size": 64}, "model.decoder": {"hidden_size": 96}}
    run, output = tmp_path / "run", tmp_path / "model"
    done = command("train", write_config(tmp_path, {**larger, "training.max_epochs": 1}), "--output", run)
    assert done.status == 0, done.err
    sizes = []
    for options in ((), ("--int8",)):
        done = command("export", run, "--format", "onnx", "--output", output, *options)
        assert done.status == 0, done.err
        sizes.append(sum(path.stat().st_size for path in output.glob("*.onnx")))
        assert read_manifest(output).precision == ("int8" if options else "float32")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".aside")] == []
    assert sizes[1] < 0.3 * sizes[0]
    source, lengths = np.array([[4, 5, 6, 3], [7, 3, 0, 0]]), np.array([4, 2])
    whole = open_exported(output).model
    together = whole.step(np.array([2, 2]), whole.start(source, lengths))
    alone = whole.step(np.array([2]), whole.start(source[1:, :2], lengths[1:]))
    np.testing.assert_allclose(together.log_probs[1:], alone.log_probs, atol=1e-5)
    assert np.exp(together.log_probs).sum(1) == pytest.approx([1, 1], abs=1e-5)


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    done = command("export", trained_run(), "--format", "onnx", "--output", tmp_path)
    assert done.status == 2
    assert "holds other files (letter.txt)" in done.err
    assert "--output" in done.err
    done = command("export", trained_run(), "--format", "onnx", "--output", tmp_path / "letter.txt")
    assert done.status == 2
    assert "is a file" in done.err
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "dear"


@pytest.mark.parametrize("names", [["manifest.json", "app.js"], ["manifest.json"], ["tokenizer", "step.onnx"]])
def test_a_folder_with_names_like_those_of_an_export_is_not_replaced(names, tmp_path):
    """Standing for: a web application, which has a manifest.json too, deleted with all its files."""
    for name in names:
        (tmp_path / name).write_text('{"name": "an application"}', encoding="utf-8")
    done = command("export", trained_run(), "--format", "onnx", "--output", tmp_path)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert "choose another folder with --output" in done.err
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_an_export_is_not_exported_again_and_a_run_not_opened_as_one(folder, tmp_path):
    done = command("export", folder, "--format", "onnx", "--output", tmp_path / "again")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert f"`seq2seq-attn export {trained_run()} --format onnx" in refusal(trained_run())
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "no exported model (manifest.json is missing)" in refusal(tmp_path)


def test_damage_is_named_with_the_file_and_the_mend(copied):
    manifest = copied / "manifest.json"
    whole = manifest.read_text(encoding="utf-8")

    def with_change(**changes: Any) -> str:
        manifest.write_text(json.dumps({**json.loads(whole), **changes}), encoding="utf-8")
        return refusal(copied)

    manifest.write_text(whole[:100], encoding="utf-8")
    assert f"{manifest}: damaged: not JSON" in refusal(copied)
    assert "install a later release" in with_change(format="seq2seq_attn onnx 2")
    assert "not the manifest of an exported model" in with_change(format="another 1")
    assert "memory is 'all'; export the run again" in with_change(memory="all")
    assert "outside the folder" in with_change(files={**json.loads(whole)["files"], "../secret": {"sha256": ""}})
    assert "no checksum of config.yaml" in with_change(files={"encoder.onnx": {}, "step.onnx": {}})
    assert "but" in with_change(vocabulary={"source": 5, "target": 5})
    manifest.write_text(whole, encoding="utf-8")
    step = copied / "step.onnx"
    numbers = step.read_bytes()
    step.write_bytes(numbers[:-9])
    assert f"{step}: its content does not match its checksum" in refusal(copied)
    step.unlink()
    assert f"{step}: missing" in refusal(copied)


def test_a_graph_that_onnxruntime_cannot_read_is_an_error_of_one_line(copied):
    import hashlib

    (copied / "step.onnx").write_bytes(b"no graph")
    manifest = json.loads((copied / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["step.onnx"]["sha256"] = hashlib.sha256(b"no graph").hexdigest()
    (copied / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    message = refusal(copied)
    assert message.startswith(f"{copied / 'step.onnx'}: onnxruntime")
    assert "\n" not in message
