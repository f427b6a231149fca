"""What the Python package has of JavaScript is what the sources give."""

from __future__ import annotations

import base64
import json
import lzma
import re
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
DEMO = WEB.parent / "docs" / "demo" / "toy.html"


def test_the_bundles_are_those_of_the_sources(node: str) -> None:
    found = subprocess.run([node, str(WEB / "build.mjs"), "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert "node_modules/onnxruntime-web" in packages
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_the_demo_is_the_page_that_the_sources_give(node: str, tmp_path: Path) -> None:
    """It is not built anew when a source changes: `python scripts/build_demo.py --refresh docs/demo/toy.html`."""
    subprocess.run([node, str(WEB / "build.mjs"), "--demo", str(tmp_path)], check=True)
    page = DEMO.read_text(encoding="utf-8")
    style, script, worker = ((tmp_path / name).read_text("utf-8") for name in ("page.css", "page.js", "worker.js"))
    assert f"<style>{style}</style>" in page
    assert f"<script>{script}</script>" in page
    packed = re.search(r'data-file="worker">([^<]*)<', page)
    assert packed is not None
    assert lzma.decompress(base64.b64decode(packed[1])).decode("utf-8") == worker
