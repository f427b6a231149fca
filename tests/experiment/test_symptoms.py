"""Each symptom: seen where it is, with its number and its mend, and not seen where it is not."""

from __future__ import annotations

import ast
import math
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from seq2seq_attn.config.schema import Config, DecodingConfig, DropoutConfig, TokenizerConfig, TrainingConfig
from seq2seq_attn.experiment import symptoms
from seq2seq_attn.experiment.symptoms.facts import Side, Split
from seq2seq_attn.experiment.symptoms.finding import SEVERITIES, Finding, grade, percent
from seq2seq_attn.experiment.symptoms.hypotheses import Outcome, check_hypotheses, check_scores, find_loop
from seq2seq_attn.experiment.symptoms.learning import check_learning
from seq2seq_attn.experiment.symptoms.lengths import check_cut, check_dropped, check_lengths, check_reach
from seq2seq_attn.experiment.symptoms.looking import check_attention
from seq2seq_attn.experiment.symptoms.splits import (
    Shared,
    check_file_names,
    check_leak,
    check_swapped,
    check_untranslated,
)
from seq2seq_attn.experiment.symptoms.vocabulary import check_overlap, check_size, check_unknown

VOCABULARY = 23
ENGLISH = ["the small house is near the old church", "a woman reads this long letter", "where do they live now"]
GERMAN = ["das kleine Haus steht bei der alten Kirche", "eine Frau liest diesen langen Brief", "wo wohnen sie jetzt"]


def side_of(*sentences: Sequence[int]) -> Side:
    return Side.of(sentences, VOCABULARY)


def split_of(name: str, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]] | None = None) -> Split:
    return Split(name, side_of(*source), side_of(*(source if target is None else target)), [])


def text_of(name: str, pairs: Sequence[tuple[str, str]]) -> Split:
    return Split(name, side_of(), side_of(), pairs)


def one(findings: Sequence[Finding], symptom: str) -> Finding:
    (found,) = [finding for finding in findings if finding.symptom == symptom]
    return found


def config_of(**decoding: object) -> Config:
    files = {"source": "a.en", "target": "a.de"}
    data = {"source_language": "en", "target_language": "de", "train": files, "validation": files}
    return Config.model_validate({"data": data, "decoding": decoding})


def test_a_finding_is_plain() -> None:
    found = Finding("warning", "leak", "message", "evidence", "mend", {"share": 0.5})
    assert found.to_dict() == {
        "severity": "warning",
        "symptom": "leak",
        "message": "message",
        "evidence": "evidence",
        "mend": "mend",
        "numbers": {"share": 0.5},
    }
    assert [grade(value, 0.1, 0.2) for value in (0.0, 0.1, 0.2)] == [None, "warning", "problem"]
    assert [percent(share) for share in (0, 0.0012, 0.05, 0.1, 1)] == ["0 %", "0.12 %", "5 %", "10 %", "100 %"]
    assert SEVERITIES[0] == "problem"


# --- the vocabulary


@pytest.mark.parametrize(("unknown", "severity"), [(0, "fine"), (1, "fine"), (3, "warning"), (5, "problem")])
def test_unknown_tokens_are_counted(unknown: int, severity: str) -> None:
    known = [4 + number % 19 for number in range(100 - unknown)]
    found = check_unknown([split_of("validation", [known, [1] * unknown], [known])], TokenizerConfig(kind="word"))
    assert [finding.severity for finding in found] == [severity]
    assert found[0].numbers == {"validation.source": unknown / 100, "validation.target": 0.0}
    if severity != "fine":
        assert f"{unknown} % of the source tokens" in found[0].evidence
        assert "tokenizer.kind: sentencepiece (now word)" in found[0].mend
        assert "tokenizer.vocabulary_size: 16000 (now 8000)" in found[0].mend


def test_the_mend_of_unknown_tokens_fits_the_tokenizer() -> None:
    split = split_of("test", [[1, 4]])
    rare = TokenizerConfig(kind="word", minimum_frequency=3)
    assert "tokenizer.minimum_frequency: 1 (now 3)" in check_unknown([split], rare)[0].mend
    covered = TokenizerConfig(character_coverage=0.99)
    assert check_unknown([split], covered)[0].mend == "tokenizer.character_coverage: 1.0 (now 0.99)"
    assert "another encoding" in check_unknown([split], TokenizerConfig())[0].mend


def test_a_vocabulary_that_training_cannot_teach() -> None:
    often = [token for token in range(4, VOCABULARY) for _ in range(5)]
    seldom = list(range(4, VOCABULARY))
    fifteen = [token for token in range(4, 19) for _ in range(5)]
    separate, word = TokenizerConfig(shared=False), TokenizerConfig(kind="word", shared=False)
    healthy, sparse, unused = (split_of("train", [tokens]) for tokens in (often, seldom, fifteen))
    assert {found.severity for found in check_size(healthy, separate)} == {"fine"}
    assert {found.severity for found in check_size(sparse, separate)} == {"warning"}
    # with words it is Zipf's law, and no more than a note
    assert {found.severity for found in check_size(sparse, word)} == {"note"}
    found = check_size(unused, separate)[0]
    assert found.severity == "warning"
    assert found.numbers["unseen"] == 4 / 19
    assert "tokenizer.vocabulary_size: 100 (now 8000)" in found.mend
    # together, both sides teach a shared one
    half = split_of("train", [[t for t in often if t < 12]], [[t for t in often if t >= 12]])
    assert [found.severity for found in check_size(half, TokenizerConfig())] == ["fine"]
    assert {found.severity for found in check_size(half, separate)} == {"warning"}


def test_text_of_another_kind() -> None:
    train = split_of("train", [[4] * 50 + [5] * 50 + [6]])
    alike, other = [[4, 5] * 40 + [6]], [[4] * 80 + [6, 7] * 10]
    assert check_overlap(train, split_of("validation", alike)).severity == "fine"
    found = check_overlap(train, split_of("validation", other))
    assert found.severity == "warning"
    assert found.numbers["validation.source"] == 0.2
    assert check_overlap(train, split_of("test", other)).severity == "note"


# --- lengths


@pytest.mark.parametrize(
    ("too_long", "empty", "severities"),
    [(0, 0, ["fine"]), (9, 0, ["fine"]), (10, 0, ["warning"]), (200, 100, ["problem", "problem"])],
)
def test_dropped_pairs(too_long: int, empty: int, severities: list[str]) -> None:
    counts = {"kept": 1000 - too_long - empty, "too_long": too_long, "empty": empty}
    found = check_dropped(counts, 100, [])
    assert [finding.severity for finding in found] == severities
    if severities[0] != "fine":
        assert f"{too_long} of 1,000 pairs" in found[0].evidence
        assert "data.max_length: 200 (now 100)" in found[0].mend


def test_without_a_record_nobody_knows_what_was_dropped() -> None:
    assert check_dropped(None, 100, [])[0].severity == "unchecked"


def test_sentences_longer_than_training_has_shown() -> None:
    train = split_of("train", [[4] * length for length in range(1, 101)])
    same = split_of("validation", [[4] * length for length in range(1, 101, 7)])
    longer = split_of("validation", [[4] * length for length in range(60, 140)])
    assert check_lengths(train, same).severity == "fine"
    found = check_lengths(train, longer)
    assert found.severity == "warning"
    assert found.numbers["validation.beyond"] == 40 / 80
    assert check_lengths(train, Split("test_long", longer.source, longer.target, [])).severity == "note"


def test_sources_that_are_cut() -> None:
    splits = [split_of("train", [[4] * 30]), split_of("test", [[4] * 9, [4] * 10])]
    assert [found.severity for found in check_cut(splits, 11)] == ["fine"]
    found = check_cut(splits, 10)
    assert [finding.severity for finding in found] == ["warning"]
    assert "1 of 2 sources" in found[0].evidence


def test_references_that_search_may_not_write() -> None:
    """A source of 4 tokens may become 2 * 5 + 10 tokens, its end included: 19 words, not 20."""
    train = split_of("train", [[4] * 4], [[4] * 90])
    within, beyond = (split_of("test", [[4] * 4] * 20, [[4] * length] * 20) for length in (19, 20))
    assert [found.severity for found in check_reach([train, within], config_of())] == ["fine"]
    found = check_reach([train, beyond], config_of())
    assert [finding.severity for finding in found] == ["problem"]
    assert found[0].mend == "decoding.max_length_ratio: 2.3 (now 2.0)"
    assert check_reach([beyond], config_of(max_length_ratio=2.3))[0].severity == "fine"
    found = check_reach([within], config_of(max_length=15))
    assert found[0].severity == "problem"
    assert "decoding.max_length: null (now 15)" in found[0].mend


# --- splits


@pytest.mark.parametrize(
    ("pairs", "sources", "severity"),
    [(0, 0, "fine"), (1, 9, "fine"), (0, 20, "note"), (3, 3, "warning"), (40, 40, "problem")],
)
def test_leaks(pairs: int, sources: int, severity: str) -> None:
    found = check_leak(Shared("test", 200, pairs, sources))
    assert found.severity == severity
    assert f"{pairs} of 200 pairs of test" in (found.evidence or found.message)


def test_swapped_languages() -> None:
    right = list(zip(ENGLISH, GERMAN, strict=True)) * 10
    wrong = [(target, source) for source, target in right]
    train = text_of("train", right)
    mixed = right + wrong[:6]
    found = check_swapped(train, [train, text_of("validation", wrong), text_of("test", mixed)])
    assert [finding.severity for finding in found] == ["fine", "problem", "warning"]
    # sentences shorter than 20 characters are not judged
    judged = [pair for pair in mixed if min(map(len, pair)) >= 20]
    assert found[2].numbers["test.swapped"] == sum(pair in wrong for pair in judged) / len(judged)
    assert "data.validation" in found[1].mend
    assert "data.test.test" in found[2].mend
    assert check_swapped(train, [text_of("test", [("oh", "ach")])])[0].severity == "unchecked"
    # one language on both sides is another fault
    for texts in (ENGLISH, GERMAN):
        assert check_swapped(train, [text_of("test", [(texts[0], texts[1])])])[0].severity == "fine"


def test_two_texts_of_one_language_are_not_swapped() -> None:
    chance = random.Random(3)
    words = " ".join(ENGLISH).split()
    pairs = [tuple(" ".join(chance.choices(words, k=9)) for _ in range(2)) for _ in range(200)]
    split = text_of("train", [(source, target) for source, target in pairs])
    assert check_swapped(split, [split])[0].severity == "fine"


@pytest.mark.parametrize(
    ("source", "target", "severity"),
    [
        ("x/train.de", "x/train.en", "warning"),
        ("x/train.en", "x/train.de", "fine"),
        ("x/train.de.gz", "x/train.en.gz", "warning"),
        ("x/a.txt", "x/b.txt", "fine"),
        ("x/de-en.en", "x/de-en.de", "fine"),
        ("x/train.en-de.de", "x/train.en-de.en", "warning"),
    ],
)
def test_files_named_after_the_other_language(source: str, target: str, severity: str) -> None:
    config = config_of()
    data = config.data.model_dump() | {"train": {"source": source, "target": target}}
    found = check_file_names(type(config.data).model_validate(data))
    assert found.severity == severity


def test_pairs_that_teach_copying() -> None:
    pairs = list(zip(ENGLISH, GERMAN, strict=True)) * 33
    assert check_untranslated(text_of("train", pairs)).severity == "fine"
    found = check_untranslated(text_of("train", [*pairs, ("OK", "OK")]))
    assert (found.severity, found.numbers) == ("warning", {"untranslated": 0.01})
    assert check_untranslated(text_of("train", [("a", "a "), ("b", "c")])).severity == "problem"


# --- the log of a training


def log_of(
    losses: Sequence[float], validations: Sequence[tuple[float, float]] = ((1.2, 20.0), (1.1, 22.0)), norm: float = 0.5
) -> list[dict[str, object]]:
    train = [
        {"kind": "train", "step": 50 * number + 50, "loss": loss, "gradient_norm": norm}
        for number, loss in enumerate(losses)
    ]
    judged = [{"kind": "validation", "step": 0, "loss": loss, "bleu": bleu} for loss, bleu in validations]
    return [*train, *judged]


FALLING = [6.0 * 0.9**number + 1.0 for number in range(40)]


def test_a_healthy_training() -> None:
    found = check_learning(log_of(FALLING, [(1.5, 20.0), (1.2, 24.0), (1.15, 24.2)]), TrainingConfig())
    assert {finding.symptom: finding.severity for finding in found} == {
        "learning rate": "fine",
        "gradient norm": "fine",
        "overfitting": "fine",
        "end of training": "fine",
    }


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([6.0] * 40, "learns nothing"),
        ([6.0 - 0.01 * number for number in range(40)], "learns nothing"),
        ([*FALLING, *[3.5] * 12], "diverged"),
        ([*FALLING, *[math.nan] * 3], "diverged"),
    ],
)
def test_learning_rates_that_do_not_work(losses: list[float], message: str) -> None:
    found = one(check_learning(log_of(losses), TrainingConfig()), "learning rate")
    assert found.severity == "problem"
    assert message in found.message
    assert "training.optimizer.learning_rate: " in found.mend
    assert "(now 0.0015)" in found.mend


def test_a_long_training_that_falls_slowly_is_healthy() -> None:
    losses = [6.0, 4.0, 3.0, *(2.0 - 0.001 * number for number in range(200))]
    assert one(check_learning(log_of(losses), TrainingConfig()), "learning rate").severity == "fine"


def test_overfitting_by_a_gap_and_by_a_rise() -> None:
    low = [*FALLING, *[0.2] * 9]
    apart = one(check_learning(log_of(low, [(0.9, 20.0), (0.8, 20.1)]), TrainingConfig()), "overfitting")
    assert apart.mend.startswith("model.dropout.output: 0.5 (now 0.4), and other places likewise; a smaller")
    weak = TrainingConfig(label_smoothing=0.0), DropoutConfig(output=0.05)
    found = one(check_learning(log_of(low, [(0.9, 20.0), (0.8, 20.1)]), *weak), "overfitting")
    assert found.mend.startswith("model.dropout.output: 0.3 (now 0.05), and")
    assert "training.label_smoothing: 0.1 (now 0)" in found.mend
    assert apart.severity == "warning"
    assert apart.numbers == {"validation": 0.8, "lowest": 0.8, "train": 0.2}
    rising = one(check_learning(log_of(FALLING, [(1.1, 20.0), (1.3, 20.1)]), TrainingConfig()), "overfitting")
    assert rising.severity == "warning"
    assert "1.10 at its lowest" in rising.evidence


def test_the_end_of_training() -> None:
    settings = TrainingConfig(max_epochs=20)

    def ending(bleus: Sequence[float], training: TrainingConfig = settings) -> Finding:
        return one(check_learning(log_of(FALLING, [(1.1, bleu) for bleu in bleus]), training), "end of training")

    growing = ending([10, 12, 14])
    assert (growing.severity, growing.numbers["gain"]) == ("note", 2.0)
    assert growing.mend.startswith("training.max_epochs: 30 (now 20)")
    assert ending([10, 14, 14.4]).severity == "fine"
    stuck = ending([10, 20, 19, 19.9, 19, 18])
    assert stuck.severity == "warning"
    assert "schedule.kind" in stuck.mend
    assert ending([10, 12, 14, 20, 19, 18]).severity == "fine"
    by_loss = TrainingConfig(validation_metric="loss", max_epochs=None, max_steps=1000)
    found = one(check_learning(log_of(FALLING, [(1.5, 0), (1.0, 0)]), by_loss), "end of training")
    assert found.severity == "note"
    assert "training.max_steps: 1500 (now 1000)" in found.mend
    held_off = TrainingConfig(validation_metric="loss", max_epochs=10, min_steps=1000)
    found = one(check_learning(log_of(FALLING, [(1.5, 0), (1.0, 0)]), held_off), "end of training")
    assert "training.max_epochs: 15 (now 10) and training.min_steps: 1500 (now 1000)" in found.mend


def test_gradients_that_are_always_cut() -> None:
    found = one(check_learning(log_of(FALLING, norm=12.0), TrainingConfig()), "gradient norm")
    assert (found.severity, found.numbers["median"]) == ("warning", 12.0)
    free = TrainingConfig(clip_norm=None)
    assert one(check_learning(log_of(FALLING, norm=12.0), free), "gradient norm").severity == "unchecked"


def test_too_little_log_says_so() -> None:
    assert [found.severity for found in check_learning([], TrainingConfig())] == ["unchecked"]
    found = check_learning(log_of([5.0, 4.0], [(1.0, 2.0)]), TrainingConfig())
    assert {finding.symptom for finding in found if finding.severity == "unchecked"} == {
        "learning rate",
        "overfitting",
        "end of training",
    }


# --- what the model writes


def outcomes_of(hypotheses: Sequence[str], finished: bool = True) -> list[Outcome]:
    return [
        Outcome(f"source number {number} here", f"Ziel Nummer {number} ist hier", text, finished)
        for number, text in enumerate(hypotheses)
    ]


HEALTHY = [f"Ziel Nummer {number} war hier" for number in range(20)]


def test_healthy_translations() -> None:
    assert {found.severity for found in check_hypotheses(outcomes_of(HEALTHY), DecodingConfig())} == {"fine"}


@pytest.mark.parametrize(
    ("change", "symptom", "severity"),
    [
        (lambda n: f"source number {n} here" if n < 1 else HEALTHY[n], "copied output", "warning"),
        (lambda n: f"source number {n} here" if n < 5 else HEALTHY[n], "copied output", "problem"),
        (lambda n: "ein Haus ein Haus ein Haus" if n < 1 else HEALTHY[n], "repeated output", "warning"),
        (lambda n: f"ja {n} ja ja ja" if n < 3 else HEALTHY[n], "repeated output", "problem"),
        (lambda n: HEALTHY[n][4:], "length ratio", "warning"),
        (lambda n: HEALTHY[n][: len(HEALTHY[n]) // 2], "length ratio", "problem"),
        (lambda n: HEALTHY[n] + " und dann auch", "length ratio", "problem"),
        (lambda n: " " if n < 1 else HEALTHY[n], "empty output", "problem"),
        (lambda n: HEALTHY[n % 15], "output alike", "warning"),
        (lambda n: HEALTHY[0], "output alike", "problem"),
    ],
)
def test_faults_of_the_text(change: object, symptom: str, severity: str) -> None:
    hypotheses = [change(number) for number in range(20)]  # type: ignore[operator]
    found = one(check_hypotheses(outcomes_of(hypotheses), DecodingConfig()), symptom)
    assert found.severity == severity
    assert found.mend


def test_translations_without_an_end() -> None:
    outcomes = [*outcomes_of(HEALTHY[:19]), *outcomes_of(HEALTHY[:1], finished=False)]
    found = one(check_hypotheses(outcomes, DecodingConfig()), "unfinished output")
    assert (found.severity, found.numbers) == ("warning", {"unfinished": 0.05})
    assert "decoding.max_length_ratio: 3 (now 2)" in found.mend


def test_what_the_reference_does_too_is_no_fault() -> None:
    """Names stay as they are; a song repeats itself; a blank line is blank."""
    same = [Outcome("New York", "New York", "New York", True), Outcome("", "", "", True)]
    song = [Outcome("yes yes yes", "ja ja ja", "ja ja ja", True)]
    assert {found.severity for found in check_hypotheses([*same, *song], DecodingConfig())} == {"fine"}


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("a b a b a b", "a b"),
        ("very very good", None),
        ("very very very good", "very"),
        ("a b c a b c a b", None),
        ("x a b c a b c a b c", "a b c"),
        ("a a b b a a", None),
        ("", None),
    ],
)
def test_loops(text: str, loop: str | None) -> None:
    assert find_loop(text) == loop


def test_scores_that_do_not_go_together() -> None:
    def severities(**changes: object) -> dict[str, str]:
        values = {"greedy": 30.0, "beam": 31.0, "beam_size": 5, "logged": 30.2, "perplexity": 4.0, "whole": True}
        return {found.symptom: found.severity for found in check_scores(**{**values, **changes})}  # type: ignore[arg-type]

    fine = {"validation again": "fine", "search": "fine", "forced against free": "fine"}
    assert severities() == fine
    assert severities(logged=None, perplexity=None) == {"search": "fine"}
    assert severities(beam=28.5) == {**fine, "search": "warning"}
    assert severities(logged=33.0) == {**fine, "validation again": "warning"}
    assert severities(logged=60.0) == {**fine, "validation again": "problem"}
    # a sample may be somewhat harder than the whole
    assert severities(logged=40.0, whole=False) == fine
    assert severities(logged=60.0, whole=False) == {**fine, "validation again": "problem"}
    assert severities(greedy=8.0, beam=8.0, logged=8.0, perplexity=2.0) == {**fine, "forced against free": "warning"}


# --- attention


def attention_of(kind: str, size: int = 9) -> np.ndarray:
    weights = np.full((size, size), 1e-3)
    if kind == "uniform":
        weights[:] = 1.0
    elif kind == "end":
        weights[:, -1] = 1.0
    elif kind == "one place":
        weights[:, 2] = 1.0
    else:
        np.fill_diagonal(weights, 1.0)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("kind", "symptom"),
    [
        ("uniform", "spread attention"),
        ("end", "attention on the end"),
        ("one place", "attention in one place"),
        ("diagonal", None),
    ],
)
def test_attention_that_does_not_attend(kind: str, symptom: str | None) -> None:
    found = check_attention([attention_of(kind), attention_of(kind, 5)])
    wrong = {finding.symptom: finding.severity for finding in found if finding.severity != "fine"}
    assert wrong == ({symptom: "problem"} if symptom else {})


def test_no_attention_is_not_judged() -> None:
    assert check_attention([np.zeros((3, 5))])[0].message == "the model has no attention"
    assert check_attention([attention_of("uniform", 3)])[0].message == "no sentence is long enough"
    assert [found.severity for found in check_attention([])] == ["unchecked"]


# --- mends


def test_every_key_that_a_mend_names_is_one() -> None:
    """Standing for: a mend that sends people after a key which the configuration refuses."""
    texts = []
    for path in Path(symptoms.__file__).parent.glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    keys = set(re.findall(r"\b(?:data|tokenizer|model|training|decoding)(?:\.[a-z_]+)+", "\n".join(texts)))
    assert len(keys) >= 20
    for key in keys:
        section: object = Config
        for name in key.split("."):
            fields = getattr(section, "model_fields", {})
            assert name in fields, f"{key} is no key of the configuration"
            section = fields[name].annotation
