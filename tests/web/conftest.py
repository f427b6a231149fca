"""The JavaScript package, compiled, and Node to run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"

RunScript = Callable[[str, dict[str, Any]], list[Any]]


@pytest.fixture(scope="session")
def node() -> str:
    """Path of Node; tests that need it, or what npm has to install for it, skip when it is not there."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    if not (WEB / "node_modules").is_dir():
        pytest.skip('what the JavaScript package needs is not installed: "npm ci --prefix web"')
    return found


@pytest.fixture(scope="session")
def package(node: str) -> Path:
    """Folder of the compiled JavaScript package."""
    folder = WEB / "build" / os.environ.get("PYTEST_XDIST_WORKER", "main")  # each process compiles its own
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    subprocess.run([node, str(compiler), "--outDir", str(folder)], cwd=WEB, check=True)
    return folder


@pytest.fixture(scope="session")
def run_script(node: str, package: Path) -> RunScript:
    """Run a script of this folder with the compiled package; give back the lines of JSON that it writes."""

    def run(script: str, request: dict[str, Any]) -> list[Any]:
        found = subprocess.run(
            [node, str(HERE / script)],
            input=json.dumps({"package": str(package), **request}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        assert found.returncode == 0, found.stderr
        return [json.loads(line) for line in found.stdout.split("\n") if line]

    return run
