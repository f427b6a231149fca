"""What a run says of its model."""

from __future__ import annotations

import pytest

from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.config.schema import ModelConfig


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ({}, "luong-general"),
        ({"attention": "mocha"}, "mocha"),
        ({"attention": {"score": "bahdanau", "coverage": True, "heads": 4}}, "bahdanau, coverage sum, heads 4"),
        ({"architecture": "transformer", "transformer": {"heads": 8}}, "multi-head, heads 8"),
    ],
)
def test_the_mechanism_in_one_line(model, line):
    """A Transformer must not be said to attend as the recurrent default does."""
    assert describe_attention(ModelConfig.model_validate(model)) == line
