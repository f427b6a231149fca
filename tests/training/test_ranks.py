"""What processes tell one another, and a step that they make together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_server import shared_commands


def found(folder: Path, case: str, processes: int) -> list[dict[str, Any]]:
    """Run a case of ``process_cases`` in so many processes; return what each has written."""
    done = shared_commands()(folder, call=f"process_cases:{case}", processes=processes)
    assert set(done.statuses) == {0}, done.err
    return [json.loads((folder / f"{number}.json").read_text(encoding="utf-8")) for number in range(processes)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_all_come_to_the_same_answers(tmp_path: Path, size: int) -> None:
    for number, answers in enumerate(found(tmp_path, "talk", size)):
        total = sum(range(size))
        assert answers["sum"] == [total, total + size, total + 2 * size]
        assert answers["copy"] == [0, 0]
        assert answers["add"] == [size, total]
        assert answers["largest"] == 10
        assert answers["any"] == [size > 1, False]
        assert answers["gather"] == [str(other) for other in range(size)]
        assert answers["first"] == 0
        assert answers["together"] == number
        assert answers["first fails"] == ["Seq2SeqError" if number == 0 else "Elsewhere", "wrong in the first", 1]
        kind, message, status = answers["last fails"]
        assert (message, status) == ("wrong here", 1)
        assert kind == ("Seq2SeqError" if size == 1 else "Elsewhere")


@pytest.mark.parametrize("size", [2, 3])
def test_a_step_together_is_the_step_of_one(tmp_path: Path, size: int) -> None:
    """Skipped by all or by none; split where memory is short; ended together where one pair is too large."""
    (alone,) = found(tmp_path, "steps", 1)
    for answers in found(tmp_path, "steps", size):
        assert answers.keys() == alone.keys()
        for case, step in answers.items():
            if "error" in step:
                assert step == alone[case], "the message names the sentence pair"
                continue
            assert step["skipped"] == alone[case]["skipped"] == case.startswith("nan")
            assert step["splits"] >= 1 if case.startswith("split") else step["splits"] == 0
            exact = ("tokens", "finite", "finite without a word")
            assert not step["finite without a word"], "also where another process has the sentence"
            assert {name: step[name] for name in exact} == {name: alone[case][name] for name in exact}
            if not step["skipped"]:
                assert step["norm"] == pytest.approx(alone[case]["norm"], rel=1e-9)
                assert step["likelihood"] == pytest.approx(alone[case]["likelihood"], rel=1e-6)
            assert step["parameters"] == pytest.approx(alone[case]["parameters"], rel=1e-9)
        assert answers["memory 1"]["error"].startswith("NoMemory: no memory for sentence pair 2 ")
