"""What the Python package has of JavaScript is what the sources give."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def test_the_bundles_are_those_of_the_sources(node: str) -> None:
    found = subprocess.run([node, str(WEB / "build.mjs"), "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert "node_modules/onnxruntime-web" in packages
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)
