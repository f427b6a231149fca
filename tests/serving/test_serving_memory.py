"""A server keeps less of what torch keeps for every shape of a batch than torch would by itself."""

from __future__ import annotations

import os

import pytest

from seq2seq_attn.serving.memory import KEPT, VARIABLES, bound_caches


def test_caches_are_bounded_where_the_user_has_not_done_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = VARIABLES
    monkeypatch.setenv(ours, "")  # so that what is set below is undone
    monkeypatch.delenv(ours)
    monkeypatch.setenv(theirs, "7")
    bound_caches()
    assert 0 < int(os.environ[ours]) == KEPT < 1024  # 1,024 is what oneDNN keeps
    assert os.environ[theirs] == "7"
