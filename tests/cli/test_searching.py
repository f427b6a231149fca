"""Options of search on the command line, beside what ``--decoding`` says."""

from __future__ import annotations

from typing import Any

import pytest

from seq2seq_attn.cli.searching import decoding_of
from seq2seq_attn.config.schema import DecodingConfig, SamplingConfig
from seq2seq_attn.errors import ConfigError

PLAIN = DecodingConfig(forbidden=("a",))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"sample": True}, {"sampling": SamplingConfig()}),
        ({"sample": True, "decoding": ["sampling.top_k=5"]}, {"sampling": SamplingConfig(top_k=5)}),
        (
            {"sample": True, "seed": 3, "decoding": ["sampling={temperature: 0.5}"]},
            {"sampling": SamplingConfig(temperature=0.5, seed=3)},
        ),
        ({"top_p": 0.5, "decoding": ["sampling.top_k=5"]}, {"sampling": SamplingConfig(top_k=5, top_p=0.5)}),
        ({"sample": True, "decoding": ["sampling=null"]}, {"sampling": SamplingConfig()}),
        ({"forbid": ["b"]}, {"forbidden": ("a", "b")}),
        ({"forbid": ["b"], "decoding": ["forbidden=[c]"]}, {"forbidden": ("c", "b")}),
    ],
)
def test_they_add_to_it(options: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert decoding_of(PLAIN, options) == PLAIN.model_copy(update=wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_p": 0.5}, "--top-p is for translations that are drawn; add --sample"),
        ({"sample": False, "seed": 3}, "--no-sample draws nothing; leave out --seed"),
        ({"forbid": ["b"], "decoding": ["forbidden=3"]}, "forbidden: "),
        ({"decoding": ["decoding.beam_size=3"]}, "keys are those inside of the decoding section; write beam_size=3"),
    ],
)
def test_what_does_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decoding_of(PLAIN, options)
