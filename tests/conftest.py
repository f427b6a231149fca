"""What all tests share: shapes are checked while they run, and real corpora are found or missed out loud."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from zlib import crc32

# Two processes that each start as many threads as there are cores slow each other down tenfold,
# and the order in which threads add up changes the last digit. torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control lets what it starts in the background ignore Ctrl-C; tests that send it mean it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jaxtyping
import pytest
import shape_checks

# The annotations of the package, shapes included, can be executed while tests run (in which of them is chosen
# below). This has to stand before the first import of the package: no import of it may move above this line.
jaxtyping.jaxtyped = shape_checks.jaxtyped
jaxtyping.install_import_hook("seq2seq_attn", "shape_checks.check")

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive",
        action="store_true",
        help="interrupt trainings, and execute annotations, wherever it is possible, not here and there",
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


CHECKED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests that execute annotations: of each function the first case, and one in ten.

    Executed annotations cost more than what they annotate, and the cases of a function give the same arguments
    in other sizes. Many functions have the same list of cases; each begins to count at another of them, so that every
    case has its turn in some. ``--exhaustive`` and the marker ``checked_shapes`` check all; ``unchecked_shapes`` none,
    for tests that call many thousand times what others call under check; of both, that nearer to the test.
    """
    cases: dict[str, int] = defaultdict(int)
    for item in items:
        function = item.nodeid.partition("[")[0]
        turn = (cases[function] - crc32(function.encode())) % 10 == 0
        asked = next((mark.name for mark in item.iter_markers() if mark.name.endswith("checked_shapes")), None)
        everything = config.getoption("--exhaustive") or asked == "checked_shapes"
        item.stash[CHECKED] = bool(cases[function] == 0 or turn or everything) and asked != "unchecked_shapes"
        cases[function] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    jaxtyping.config.update("jaxtyping_disable", not item.stash[CHECKED])
    return (yield)
