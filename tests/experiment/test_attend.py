"""What is written of the sentences that were looked at: whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attention_documents import panel

from seq2seq_attn.errors import UserError
from seq2seq_attn.experiment.attend import write_document


def test_a_long_sentence_is_a_short_title(tmp_path: Path) -> None:
    panels, text = [panel(), panel(seed=2)], " ".join(f"word{number}" for number in range(60))
    write_document(panels, text, tmp_path / "a.json")
    written = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert written["panels"] == panels
    assert written["title"].startswith("word0 word1 ")
    assert len(written["title"]) <= 80
    write_document(panels, "猫" * 200, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["title"] == "猫" * 79 + "…"


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*nowhere"):
        write_document([panel()], "a sentence", tmp_path / "nowhere" / "a.html")
