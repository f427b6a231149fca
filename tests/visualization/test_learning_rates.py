"""The plot of a range test, read back as SVG."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from seq2seq_attn.errors import UserError
from seq2seq_attn.visualization.learning_rates import plot_learning_rates

RATES = [10.0**power for power in range(-5, 1)]
LOSSES = [6.0, 5.9, 4.0, 2.0, 3.0, 90.0]


def texts(path: Path) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))]


def test_labels_marks_and_title_are_readable_text(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "rates.svg"
    marks = {"suggested": 0.001, "steepest": 0.00049}
    plot_learning_rates(RATES, LOSSES, LOSSES, output, marks=marks, title="a <b> $x$")
    found = texts(output)
    assert {"0.0001", "0.001", "0.01", "0.1"} <= set(found)
    assert {"suggested: 0.001", "steepest: 0.00049", "a <b> $x$"} <= set(found)
    assert not any("mathdefault" in text for text in found)
    numbers = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in found if re.fullmatch(r"[-\N{MINUS SIGN}]?\d+", text)
    ]
    assert max(numbers) < 20  # the end, where the loss explodes, does not flatten all the rest
    before = output.read_bytes()
    plot_learning_rates(RATES, LOSSES, LOSSES, output, marks=marks, title="a <b> $x$")
    assert output.read_bytes() == before


def test_another_file_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a picture is written as \.png or \.svg"):
        plot_learning_rates(RATES, LOSSES, LOSSES, tmp_path / "rates.pdf", marks={})
