"""What all tests share: shapes are checked while they run, and real corpora are found or missed out loud."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Two processes that each start as many threads as there are cores slow each other down tenfold,
# and the order in which threads add up changes the last digit. torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control lets what it starts in the background ignore Ctrl-C; tests that send it mean it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jaxtyping
import pytest

# Every annotation of the package, shapes included, is executed while tests run. This has to stand
# before the first import of the package: no import of it may move above this line.
jaxtyping.install_import_hook("seq2seq_attn", "shape_checks.check")

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive", action="store_true", help="interrupt trainings wherever it is possible, not here and there"
    )


@pytest.fixture(scope="session")
def exhaustive(pytestconfig: pytest.Config) -> bool:
    """Whether tests that go through every case are to do so, where a part of them is enough for a normal run."""
    return bool(pytestconfig.getoption("--exhaustive"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora: ``$SEQ2SEQ_ATTN_DATA``, or ``shared/data`` beside the repository."""
    folder = Path(os.environ.get("SEQ2SEQ_ATTN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real corpora: {folder} is missing; set SEQ2SEQ_ATTN_DATA to the folder that holds multi30k/")
    return folder


def _unchecked() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Annotations are not executed: for tests that call many thousand times what others call under check."""
    yield from _unchecked()


@pytest.fixture(scope="module")
def unchecked_shapes_of_module() -> Iterator[None]:
    """The same, for examples that hypothesis makes up: it refuses fixtures that are made anew for a test."""
    yield from _unchecked()
