"""The folder that translates in the browser: what it needs, and what it does not write over."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from tiny import exported_run

from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.export import web
from seq2seq_attn.export.web import find_runtime, write_web

FACTS = json.loads(files("seq2seq_attn.export").joinpath("assets", "runtime.json").read_bytes())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, far from the sources of this package."""
    monkeypatch.setattr(web, "_SOURCES", tmp_path / "no sources")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_runtime(folder: Path, content: bytes) -> Path:
    path = folder / "node_modules" / FACTS["name"] / "dist" / FACTS["file"]
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_without_the_runtime_it_names_what_to_install(elsewhere: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_web(elsewhere / "run", elsewhere / "page")
    message = str(caught.value)
    assert f'run "npm install --no-save onnxruntime-web@{FACTS["version"]}" in {elsewhere}' in message
    assert "\n" not in message
    assert list(elsewhere.iterdir()) == []


def test_beside_the_sources_it_names_their_command(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "web").mkdir()
    (elsewhere / "web" / "package.json").write_text("{}")
    monkeypatch.setattr(web, "_SOURCES", elsewhere / "web")
    with pytest.raises(UserError, match="npm ci --prefix"):
        find_runtime()


def test_another_version_is_refused(elsewhere: Path) -> None:
    path = put_runtime(elsewhere, b"another")
    with pytest.raises(UserError) as caught:
        find_runtime()
    assert str(caught.value).startswith(f"{path}: is not that of onnxruntime-web@{FACTS['version']}")


def test_the_one_of_the_working_directory_will_do(elsewhere: Path) -> None:
    installed = Path(__file__).parents[2] / "web" / "node_modules" / FACTS["name"] / "dist" / FACTS["file"]
    if not installed.is_file():
        pytest.skip('onnxruntime-web is not installed: "npm ci --prefix web"')
    path = put_runtime(elsewhere, installed.read_bytes())
    assert find_runtime() == path
    assert path.stat().st_size == FACTS["bytes"]


def test_other_files_are_left_alone(elsewhere: Path) -> None:
    (elsewhere / "page").mkdir()
    (elsewhere / "page" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds other files \(thesis.txt\) than an export"):
        write_web(elsewhere / "run", elsewhere / "page")
    assert (elsewhere / "page" / "thesis.txt").read_text() == "mine"


def test_a_site_around_an_exported_model_is_left_alone(elsewhere: Path) -> None:
    shutil.copytree(exported_run(), elsewhere / "site" / "model")
    (elsewhere / "site" / "style.css").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds other files \(style.css\) than an export"):
        write_web(elsewhere / "run", elsewhere / "site")
    assert (elsewhere / "site" / "style.css").read_text() == "mine"
