"""Compiled and on a GPU: the same numbers as on the CPU, one operation at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from compare_compiled import distance
from specs import NAMES, SPECS

HERE = Path(__file__).parent
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def compiled_on(device: str) -> dict[str, float]:
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, HERE / "compare_compiled.py", device],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is no g++")
def test_every_mechanism_compiles_whole_to_the_numbers_of_eager():
    """In one graph: nothing asks for a number while it runs, which would stop a GPU, too."""
    found = compiled_on("cpu")
    assert set(found) == set(NAMES)
    assert {name: far for name, far in found.items() if not far < 1e-5} == {}


@pytest.mark.gpu
@needs_cuda
def test_every_mechanism_compiles_on_a_gpu():
    assert {name: far for name, far in compiled_on("cuda").items() if not far < 1e-4} == {}


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", SPECS)
def test_cuda_gives_the_numbers_of_the_cpu(name):
    assert distance(name, "cuda", compiled=False) < 1e-4
