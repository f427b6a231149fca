"""The `decoding` section: what goes together, and values changed after the file was read."""

from __future__ import annotations

import pytest

from seq2seq_attn.config import change_decoding, dump_config, load_config, parse_config
from seq2seq_attn.config.schema import DecodingConfig, MinimumRiskConfig, SamplingConfig
from seq2seq_attn.errors import ConfigError


def test_a_file_that_knows_nothing_of_search_searches_as_before(write):
    """Standing for: runs of the first release, whose files have these four keys."""
    old = "decoding: {beam_size: 5, length_penalty: 1.0, max_length_ratio: 2.0, batch_sentences: 64}\n"
    decoding = load_config(write(old)).decoding
    assert decoding == DecodingConfig()
    assert decoding.length_normalization == "average"
    assert decoding.sampling is decoding.minimum_risk is decoding.max_length is decoding.lexicon is None
    assert (decoding.min_length, decoding.no_repeat_ngram, decoding.repetition_penalty) == (0, 0, 1.0)
    assert (decoding.coverage_penalty, decoding.diverse_groups, decoding.forbidden) == (0.0, 1, ())


def test_every_key_survives_being_written_and_read(write):
    text = """
        decoding:
          beam_size: 6
          length_normalization: gnmt
          coverage_penalty: 0.2
          min_length: 1
          max_length: 50
          forbidden: [no, "a: b", ⁇]
          diverse_groups: 3
          sampling: {temperature: 0.5}
          minimum_risk: {utility: bleu}
          replace_unknown: true
          lexicon: words.tsv
          precision: int8
    """
    config = load_config(write(text))
    assert config.decoding.forbidden == ("no", "a: b", "⁇")
    assert config.decoding.sampling == SamplingConfig(temperature=0.5)
    assert config.decoding.minimum_risk == MinimumRiskConfig(utility="bleu")
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("written", "phrases"), [("[]", ()), ("", ()), ("null", ()), ("tomato", ("tomato",)), ("[a b, c]", ("a b", "c"))]
)
def test_phrases_are_one_or_many_or_none(write, written, phrases):
    config = load_config(write(f"decoding:\n  forbidden: {written}\n"))
    assert config.decoding.forbidden == phrases
    assert parse_config(dump_config(config)) == config


CONFLICTS = [
    ("min_length: 9\n  max_length: 9", "min_length: is 9, but max_length is 9"),
    ("min_length_ratio: 2.5", "min_length_ratio: is 2.5, but max_length_ratio is 2"),
    ("beam_size: 6\n  diverse_groups: 4", "diverse_groups: a beam of 6 cannot be divided into 4 groups of one size"),
    ("lexicon: words.tsv", "lexicon: is read for unknown words only"),
    ("minimum_risk: {of: n-best}", "minimum_risk.candidates: a beam of 5 gives 5 candidates at most, not 32"),
    (
        "minimum_risk: {of: n-best, candidates: 2}\n  sampling: {top_k: 3}",
        "minimum_risk.of: candidates of the beam are not drawn",
    ),
    ("repetition_penalty: 0.5", "repetition_penalty: expected at least 1, got the number 0.5"),
    ("sampling: {top_p: 0}", "sampling.top_p: expected a number above 0, got the number 0"),
    ("forbidden: [yes, 3]", "forbidden[1]: expected text, got the number 3; put it in quotes"),
    ("forbidden: {a: b}", "forbidden: expected a phrase or a list of phrases"),
]


@pytest.mark.parametrize(("written", "message"), CONFLICTS)
def test_what_does_not_go_together(complaint, written, message):
    (title, line) = complaint(f"decoding:\n  {written}\n")
    assert title == "exp.yaml has 1 error"
    place, _, said = line.partition(": ")
    assert place in ("line 7", "line 8")
    assert said.startswith(f"decoding.{message}")


def test_unknown_words_need_attention(complaint):
    (_, line) = complaint("model: {attention: none}\ndecoding: {replace_unknown: true}\n")
    assert line.startswith("line 7: decoding.replace_unknown: attention says which word an unknown one stands for")


def test_values_are_changed_one_by_one():
    decoding = DecodingConfig(beam_size=4, forbidden=("a",), sampling=SamplingConfig(top_k=3))
    changed = change_decoding(decoding, {"length_penalty": 0.5, "sampling.seed": 7, "minimum_risk.utility": "bleu"})
    assert changed == DecodingConfig(
        beam_size=4,
        forbidden=("a",),
        length_penalty=0.5,
        sampling=SamplingConfig(top_k=3, seed=7),
        minimum_risk=MinimumRiskConfig(utility="bleu"),
    )
    assert change_decoding(decoding, {}) is decoding


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam_size": 0}, "beam_size: expected at least 1, got the number 0"),
        ({"sampling.temperature": -1.0}, "sampling.temperature: expected a number above 0, got the number -1.0"),
        (
            {"minimum_risk.utility": "blue"},
            "minimum_risk.utility: expected chrf or bleu, got the text 'blue'; did you mean 'bleu'?",
        ),
        ({"beam_size": 0, "min_length": -1}, "beam_size: .*; min_length: expected at least 0"),
        ({"diverse_groups": 2}, "diverse_groups: a beam of 5 cannot be divided into 2 groups"),
        ({"beem_size": 2}, "beem_size: unknown key; did you mean 'beam_size'"),
        ({"samplng.top_k": 2}, "samplng: unknown key; did you mean 'sampling'"),
        ({"beam_size.x": 1}, "beam_size.x: beam_size is 5, no section, so it has no key 'x'"),
    ],
)
def test_changed_values_are_checked_like_written_ones(changes, message):
    with pytest.raises(ConfigError, match=message):
        change_decoding(DecodingConfig(), changes)


def test_greedy_keeps_limits_and_rules_only():
    decoding = DecodingConfig(
        beam_size=4,
        diverse_groups=2,
        sampling=SamplingConfig(),
        minimum_risk=MinimumRiskConfig(),
        max_length=9,
        forbidden=("a",),
        no_repeat_ngram=3,
    )
    assert decoding.greedy() == DecodingConfig(beam_size=1, max_length=9, forbidden=("a",), no_repeat_ngram=3)
