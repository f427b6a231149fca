"""The example of a package with a mechanism of its own: installed as a stranger would, then used as built-in ones are.

Nothing here needs a network: the package is built with what the development environment has, from a copy, so
that no build leaves anything in the repository.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import write_config

from seq2seq_attn.attention import attention_names

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "cosine_attention"
NAME = "cosine"

# What the guide tells its readers to type; all of it is run here.
GUIDE = EXAMPLE.parents[1] / "own-attention.md"
INSTALL = "pip install ./cosine_attention"
CHECK = "python -m seq2seq_attn.testing cosine"
LIST = "seq2seq-attn attentions"
TRAIN = "seq2seq-attn train config.yaml model.attention=cosine"


def python(*arguments: object, packages: Path | None = None, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which finds the packages in one more folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


def command(*arguments: object, packages: Path | None = None, folder: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "seq2seq_attn", *arguments, packages=packages, folder=folder)


def typed(line: str, *more: object, packages: Path | None = None, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as it is typed into a terminal, with the Python and the packages of this test."""
    program, *arguments = shlex.split(line)
    module = {"pip": ["-m", "pip"], "seq2seq-attn": ["-m", "seq2seq_attn"], "python": []}[program]
    return python(*module, *arguments, *more, packages=packages, folder=folder)


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source") / EXAMPLE.name
    shutil.copytree(EXAMPLE, folder)
    return folder


@pytest.fixture(scope="module")
def installed(copied) -> Path:
    """A folder of packages with the example in it."""
    target = copied.parent / "packages"
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--disable-pip-version-check")
    done = typed(INSTALL, *options, "--target", target, folder=copied.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory) -> Path:
    """A run trained with the installed mechanism."""
    folder = tmp_path_factory.mktemp("trained")
    write_config(folder, {"training.max_epochs": 1}, name="config.yaml")
    done = typed(TRAIN, packages=installed, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "tiny"


def test_the_example_holds_its_sources_and_nothing_that_was_built():
    found = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*") if path.is_file()}
    found = {path for path in found if "__pycache__" not in path}
    assert found == {"README.md", "pyproject.toml", "src/cosine_attention/__init__.py", "tests/test_cosine.py"}


def test_the_guide_tells_what_is_run_here():
    (block,) = re.findall(r"^```console\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert block.splitlines() == [f"$ {line}" for line in (INSTALL, CHECK, LIST, TRAIN)]


def test_it_is_listed_with_its_paper(installed, tmp_path):
    done = typed(LIST, packages=installed, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    line = next(line for line in done.stdout.splitlines() if line.startswith(f"{NAME} "))
    assert "cosine of state and position" in line
    assert "Graves et al. 2014, eq. 5 and 6" in line
    assert NAME not in attention_names()


def test_its_own_tests_pass(installed, copied):
    options = ("-q", "-W", "error", "-p", "no:cacheprovider")
    done = python("-m", "pytest", *options, copied / "tests", packages=installed, folder=copied)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_kit_runs_on_it_by_name(installed, tmp_path):
    done = typed(CHECK, packages=installed, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("cosine (query_size 11, value_size 5, hidden_size 3): ")
    assert "kept     compile " in done.stdout
    assert "broken" not in done.stdout


def test_it_is_trained_and_loaded_by_its_name(run, installed, tmp_path):
    (tmp_path / "sentences").write_text("one two\n\nthree\n", encoding="utf-8")
    arguments = (run, "--source", tmp_path / "sentences", "--alignments", tmp_path / "alignments")
    done = command("translate", *arguments, packages=installed, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3
    assert len((tmp_path / "alignments").read_text(encoding="utf-8").splitlines()) == 3


def test_it_is_exported_and_translates_without_torch_and_without_the_package(run, installed, tmp_path):
    """What is exported is a graph, which needs nobody who knows how to make it."""
    exported, sentences = tmp_path / "exported", tmp_path / "sentences"
    sentences.write_text("one two\nthree four five\n", encoding="utf-8")
    arguments = (run, "--format", "onnx", "--output", exported)
    done = command("export", *arguments, packages=installed, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{exported}\n"), done.stderr
    ours = command("translate", run, "--source", sentences, packages=installed, folder=tmp_path)
    theirs = command("translate", exported, "--source", sentences, folder=tmp_path)
    assert (theirs.returncode, theirs.stderr) == (0, "")
    assert theirs.stdout == ours.stdout


def test_without_the_package_its_checkpoint_gives_one_clear_error(run, tmp_path):
    done = command("translate", run, "--source", os.devnull, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"no mechanism '{NAME}'" in done.stderr


def test_an_entry_point_that_fails_to_import_is_one_line(tmp_path):
    packages = tmp_path / "packages"
    information = packages / "broken_attention-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-attention\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[seq2seq_attn.attention]\nbroken = broken_attention:Broken\n")
    (packages / "broken_attention.py").write_text("import a_library_that_nobody_has\n")
    config = write_config(tmp_path)
    done = command(
        "train", config, "model.attention=broken", "--output", tmp_path / "run", packages=packages, folder=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if "broken" in line]
    assert line.endswith("which fails to import: No module named 'a_library_that_nobody_has'")
    assert "'broken' is offered by broken_attention:Broken" in line
    assert "Traceback" not in done.stderr
    listed = command("attentions", packages=packages, folder=tmp_path)
    assert listed.returncode == 0
    assert "luong-general" in listed.stdout, "one package that does not import must not hide the others"
    (line,) = listed.stderr.splitlines()
    assert line.endswith("which fails to import: No module named 'a_library_that_nobody_has'")
