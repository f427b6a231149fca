"""What translations must have: asked of a translator, and read from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import trained_run
from translators import TRANSFORMER, small_seq2seq, small_translator, some_sentences

from seq2seq_attn import Translator
from seq2seq_attn.config.schema import DecodingConfig, MinimumRiskConfig, SamplingConfig
from seq2seq_attn.data.tokenizers import CharacterTokenizer, Tokenizers
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.errors import ConfigError, DataError, UserError
from seq2seq_attn.translation import Constraint, read_constraints

TEXTS = some_sentences(6)


def holds(words: list[str], phrase: str) -> bool:
    wanted = phrase.split()
    return any(words[begin : begin + len(wanted)] == wanted for begin in range(len(words)))


@pytest.mark.parametrize("name", ["luong-general", TRANSFORMER])
@pytest.mark.parametrize("beam_size", [1, 4])
def test_what_is_asked_for_is_there(name: str, beam_size: int) -> None:
    translator = small_translator(name, beam_size=beam_size, max_length=12)
    asked = [
        Constraint("t4 t5"),
        Constraint(required=("t6", "t7 t8")),
        Constraint(" t9 ", ("t10 t11 t12",)),
        Constraint(),
        Constraint("t4", ("t4",)),
        Constraint(required=("t6 t7", "t7 t6")),
    ]
    free = translator.translate(TEXTS)
    found = translator.translate(TEXTS, constraints=asked)
    for constraint, one in zip(asked, found, strict=True):
        words = one.text.split()
        assert words[: len(constraint.prefix.split())] == constraint.prefix.split()
        assert all(holds(words, phrase) for phrase in constraint.required)
    assert found[3].tokens == free[3].tokens, "nothing is asked of this one"
    assert not all(holds(one.text.split(), "t6") for one in free)


@pytest.mark.parametrize(
    "decoding",
    [
        {"sampling": SamplingConfig(seed=2)},
        {"minimum_risk": MinimumRiskConfig(candidates=4)},
        {"beam_size": 4, "diverse_groups": 2},
        {"no_repeat_ngram": 1},
    ],
    ids=str,
)
def test_a_beginning_is_kept_by_every_search(decoding: dict) -> None:
    translator = small_translator("luong-general", **decoding)
    for one in translator.translate(TEXTS, constraints=[Constraint("t5 t9")] * len(TEXTS)):
        assert one.text.split()[:2] == ["t5", "t9"]


def test_a_blank_line_stays_blank_whatever_is_asked() -> None:
    translator = small_translator("luong-general")
    found = translator.translate(["", "s4"], constraints=[Constraint("t4", ("t5",))] * 2)
    assert found[0].text == ""
    assert found[1].text.startswith("t4")


def character_translator(**decoding: object) -> Translator:
    source, target = CharacterTokenizer(list("abcdefghijklm")), CharacterTokenizer([*" abcdefghijklm", "."])
    model = small_seq2seq("luong-general", seed=1)
    return Translator(model, Tokenizers(source, target), DecodingConfig(max_length=14, **decoding))


@pytest.mark.parametrize("seed", range(3))
def test_words_of_constraints_are_whole_ones(seed: int) -> None:
    """Characters are the hardest case: any letter could go on with a word."""
    translator = character_translator(sampling=SamplingConfig(temperature=3.0, seed=seed))
    texts = ["abc", "def ghi", "klm", "abcdefg"]
    found = translator.n_best(texts, count=5, constraints=[Constraint("cab")] * 4)
    for text in (one.text for several in found for one in several):
        assert text.replace(".", " ").split()[0] == "cab"
    assert any(len(one.text) > 6 for several in found for one in several)
    translator = character_translator(beam_size=3, length_normalization="reward", length_penalty=2.0)
    for one in translator.translate(texts, constraints=[Constraint(required=("bad",))] * 4):
        assert "bad" in one.text.replace(".", " ").split(), one.text


def test_subwords_do_not_go_on_with_a_prefix() -> None:
    text = ["low lower lowest slow slower slowest new newer newest"] * 20
    target = SentencePieceTokenizer.train(text, algorithm="bpe", vocabulary_size=19)
    source = CharacterTokenizer(list("abcdefghijklm"))
    model = small_seq2seq("luong-general", seed=1)
    decoding = DecodingConfig(max_length=14, sampling=SamplingConfig(temperature=4.0))
    translator = Translator(model, Tokenizers(source, target), decoding)
    found = translator.n_best(["abc", "def"], count=20, constraints=[Constraint("lower")] * 2)
    words = [one.text.split() for several in found for one in several]
    assert all(one[0] == "lower" for one in words)
    assert any(len(one) > 1 for one in words)


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (
            Constraint("t4 word"),
            "constraint: 't4 word' cannot be written with the target vocabulary, which has no 'word'",
        ),
        (Constraint(required=("t4", "Ä")), "constraint: 'Ä' cannot be written with the target vocabulary"),
        (Constraint(required=("t4", " "), place="here"), "here: a phrase that must appear is empty"),
        (
            Constraint("t4 t4 t4", ("t5 t6", "t7 t8"), place="file:3"),
            "file:3: needs 8 tokens with the end of the sentence, but its translation may have 7 at most",
        ),
        (Constraint("t4 t5 t6 t4 t4 t4 t4"), "needs 8 tokens"),
        (Constraint("t9 t13"), "constraint has the forbidden phrase 't13' in it"),
    ],
)
def test_what_cannot_be_asked_for(constraint: Constraint, message: str) -> None:
    translator = small_translator("luong-general", forbidden=("t13",))
    with pytest.raises(UserError, match=message):
        translator.translate(["s4 s5", "s6"], constraints=[Constraint(), constraint])


def test_of_equal_constraints_the_one_that_fails_is_named() -> None:
    translator = small_translator("luong-general", max_length=None, max_length_ratio=2.0)
    asked = [Constraint(" ".join(["t4"] * 14), place=f"file:{number}") for number in (1, 2, 3)]
    with pytest.raises(UserError, match=r"file:2: needs 15 tokens .* may have 14 at most"):
        translator.translate(["s4 s5 s6 s7", "s4", "s4 s5 s6"], constraints=asked)


def test_the_longest_that_fits() -> None:
    translator = small_translator("luong-general")
    (found,) = translator.translate(["s4"], constraints=[Constraint("t4 t5 t6 t4 t4 t4", ("t5 t6",))])
    assert found.tokens == ("t4", "t5", "t6", "t4", "t4", "t4", "</s>")


def test_what_does_not_go_together() -> None:
    translator = small_translator("luong-general", sampling=SamplingConfig())
    with pytest.raises(ConfigError, match="sampling cannot promise that a phrase appears"):
        translator.translate(["s4"], constraints=[Constraint(required=("t4",))])
    translator = small_translator("luong-general", beam_size=4, diverse_groups=2)
    with pytest.raises(ConfigError, match="diverse_groups and phrases that must appear exclude one another"):
        translator.translate([""], constraints=[Constraint(required=("t4",))])
    with pytest.raises(UserError, match="there are 2 constraints for 1 sentences"):
        translator.translate(["s4"], constraints=[Constraint()] * 2)


def test_a_file_of_constraints(tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('{"prefix": "um dois"}\n{}\n{"require": ["três", "a b"], "prefix": ""}\n', encoding="utf-8")
    found = list(read_constraints(path))
    assert found == [Constraint("um dois"), Constraint(), Constraint("", ("três", "a b"))]
    assert [constraint.place for constraint in found] == [f"{path}:{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prefix: um", "this is not JSON"),
        ("", "this is not JSON .*, {} where nothing is asked"),
        ("[" * 100_000, "this is not JSON"),
        ("[]", "expected a JSON object with the keys 'prefix' and 'require'"),
        ('{"required": []}', "unknown key 'required'; did you mean 'require'"),
        ('{"prefix": ["um"]}', "'prefix' must be text"),
        ('{"prefix": null}', "'prefix' must be text, got null"),
        ('{"require": "um"}', "'require' must be a list of texts, got \"um\""),
        ('{"require": [1]}', "'require' must be a list of texts"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text(f"{{}}\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        list(read_constraints(path))
    assert str(caught.value).startswith(f"{path}:2: ")


def test_a_trained_model_makes_sense_of_them() -> None:
    translator = Translator.load(trained_run(), device="cpu")
    (found,) = translator.translate(["one two three"], constraints=[Constraint("três")])
    assert found.text == "três dois um"
