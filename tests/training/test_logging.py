"""What is written about a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_attn.training.logging import JsonLines, Screen, TensorBoard


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_json_object_per_line_readable_at_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    sink = JsonLines(path)
    sink.write({"kind": "train", "step": 3, "loss": 1.5})
    assert read(path) == [{"kind": "train", "step": 3, "loss": 1.5}], "a watcher need not wait for the end"
    sink.write({"kind": "validation", "step": 3, "note": "é"})
    sink.close()
    assert len(read(path)) == 2


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    """And a line that was cut off when the machine died."""
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"kind": "train", "step": step}) for step in (3, 6, 9)]
    path.write_text("\n".join(lines) + '\n{"kind": "tra', encoding="utf-8")
    sink = JsonLines(path, resume_step=6)
    sink.write({"kind": "train", "step": 7})
    sink.close()
    assert [record["step"] for record in read(path)] == [3, 6, 7]


@pytest.mark.parametrize(("validated", "kinds"), [(True, ["train", "validation"]), (False, ["train"])])
def test_a_validation_that_will_be_made_again_is_forgotten(tmp_path: Path, validated: bool, kinds: list[str]) -> None:
    """Standing for: the same validation in two lines, when a kill came between its line and its checkpoint."""
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"kind": kind, "step": 3}) + "\n" for kind in ("train", "validation")]
    path.write_text("".join(lines), encoding="utf-8")
    JsonLines(path, resume_step=3, validated=validated).close()
    assert [record["kind"] for record in read(path)] == kinds


def test_a_new_run_does_not_go_on_in_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "train", "step": 3}\n', encoding="utf-8")
    JsonLines(path).close()
    assert read(path) == []


def test_the_screen_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.start_epoch(1, total=5, done=0)
    screen.advance(1)
    screen.write({"kind": "train", "step": 1, "loss": 0.5, "tokens_per_second": 10.0, "minutes_left": None})
    screen.write({"kind": "validation", "step": 1, "epoch": 1, "loss": 1.23456, "bleu": 2.0})
    screen.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "step 1  epoch 1  validation  loss 1.235  bleu 2" in err
    Screen(quiet=True).write({"kind": "validation", "step": 1, "epoch": 1, "loss": 1.0})
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sink = TensorBoard(tmp_path)
    sink.write({"kind": "train", "step": 3, "loss": 1.5, "minutes_left": None})
    sink.write({"kind": "validation", "step": 5, "bleu": 20.0})
    sink.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert found == {"train/loss": [(3, 1.5)], "validation/bleu": [(5, 20.0)]}
