"""Parts of a mechanism: what goes together, and what is refused with the key and the mend."""

from __future__ import annotations

import pytest
from building import Sizes, attention_from, message_of_config_error
from specs import given

from seq2seq_attn.attention import AttentionParts, build_attention
from seq2seq_attn.attention.multi_head import MultiHeadAttention
from seq2seq_attn.attention.parts import PLAIN
from seq2seq_attn.attention.scored import ScoredAttention

SIZES = {"query_size": 8, "value_size": 12, "hidden_size": 4}


def refusal(name: str) -> str:
    return message_of_config_error(lambda: build_attention(name.split("+")[0], given(name), **SIZES))


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("luong-general+monotonic=hard+normalize=sparsemax", "normalize", "sigmoid at each position"),
        ("luong-general+monotonic=hard+window=local-m", "window", "places itself"),
        ("luong-general+monotonic=mocha+temperature=2", "temperature", "remove one of the two"),
        ("hard-monotonic+normalize=entmax-1.5", "normalize", "remove one of the two"),
        ("luong-general+window_size=3", "window_size", "the window is global; set window to local-m or local-p"),
        ("luong-local-m+window=global+window_size=3", "window_size", "the window is global"),
        ("luong-general+chunk_size=3", "chunk_size", "belongs to monotonic: mocha"),
        ("luong-general+monotonic=hard+chunk_size=3", "chunk_size", "belongs to monotonic: mocha"),
        ("luong-location+coverage=sum", "coverage", "'luong-location' reads none; use another score"),
        ("luong-location+location_sensitive=true", "location_sensitive", "through the keys"),
        ("none+normalize=sparsemax", "normalize", "'none' is not put together from parts"),
        ("none+coverage=sum", "coverage", "takes none"),
        ("multi-head+heads=5", "heads", "5 heads do not divide the hidden size, 4"),
        ("bahdanau+heads=3", "heads", "3 heads do not divide the hidden size, 4"),
        ("bahdanau+normalize=sparsmax", "normalize", "did you mean 'sparsemax'"),
        ("bahdanau+window=local", "window", "did you mean 'local-"),
        ("bahdanau+coverage=summ", "coverage", "did you mean 'sum'"),
        ("bahdanau+monotonic=moca", "monotonic", "did you mean 'mocha'"),
    ],
)
def test_what_does_not_go_together_is_refused_by_key(name, key, words):
    message = refusal(name)
    assert message.startswith(f"model.attention.{key}: ")
    assert words in message


def test_heads_must_divide_the_encoder_states_too():
    message = message_of_config_error(
        lambda: build_attention("bahdanau", AttentionParts(heads=4), query_size=8, value_size=10, hidden_size=4)
    )
    assert message == "model.attention.heads: 4 heads do not divide the size of encoder states, 10"


@pytest.mark.parametrize("name", ["none", "bahdanau", "luong-general"])
def test_parts_written_out_as_they_are_anyway_change_nothing(name):
    """A dumped configuration may say every part; `softmax` and `global` are no choice."""
    built = build_attention(name, PLAIN, **SIZES)
    assert repr(built) == repr(build_attention(name, **SIZES))


def test_a_part_that_is_given_wins_over_that_of_the_name():
    local = build_attention("luong-local-p", AttentionParts(window_size=3), **SIZES)
    assert isinstance(local, ScoredAttention)
    assert local.window is not None
    plain = build_attention("luong-local-p", AttentionParts(window="global"), **SIZES)
    assert isinstance(plain, ScoredAttention)
    assert plain.window is None
    more = build_attention("multi-head", AttentionParts(heads=2), query_size=8, value_size=8, hidden_size=8)
    assert isinstance(more, MultiHeadAttention)
    assert more.heads == 2


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("additive", "bahdanau"),
        ("dot", "luong-dot"),
        ("scaled-dot", "luong-scaled-dot"),
        ("general", "luong-general"),
        ("concat", "luong-concat"),
        ("location", "luong-location"),
    ],
)
def test_scores_have_the_short_names_of_the_papers_too(short, long):
    sizes = {"query_size": 6, "value_size": 6, "hidden_size": 6}
    assert repr(build_attention(short, **sizes)) == repr(build_attention(long, **sizes))


def test_one_head_is_no_multi_head():
    assert isinstance(attention_from("multi-head+heads=1", Sizes(8, 8, 8)), ScoredAttention)
