"""The graphs compute what the model does: every mechanism, every wiring, every cell, with axes of any size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from on_graphs import MODELS

HERE = Path(__file__).parent


def _work(folder: Path) -> None:
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, HERE / "on_graphs.py", folder],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "def forward" not in done.stderr, "torch shows users the program that it could not trace"


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Any]:
    """How far the graphs of each model are from it, and what is said of models that there are none of.

    The processes in which tests run share the work: each does a part of it, and then waits for the others'.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "graphs"
    folder.mkdir(exist_ok=True)
    _work(folder)
    end = time.monotonic() + 300
    while len(list(folder.glob("*.json"))) < len(list(folder.glob("*.begun"))):
        assert time.monotonic() < end, "another process began with a model and did not end"
        time.sleep(0.1)
    found: dict[str, Any] = {}
    for path in folder.glob("*.json"):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_graphs_give_the_numbers_of_the_model(name, differences):
    assert {case: far for case, far in differences[name].items() if not far < 1e-5} == {}


def test_what_no_graph_can_be_made_of_is_refused_by_name(differences):
    refusals = differences["refusals"]
    assert "cannot be written down" in refusals["asking"]
    assert "no translation to ONNX of special_i0" in refusals["exotic"]
    assert all("\n" not in message for message in refusals.values())
