from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter

import pytest

from seq2seq_attn.errors import DataError, UserError
from seq2seq_attn.evaluation.metrics import METRICS, MetricOptions, check_metrics, score_corpus

REFERENCES = [
    "The cat sat on the mat.",
    "There is a red car in front of the old house.",
    "Two dogs run through the snow, and a child watches.",
    "He said that he would come back on Monday.",
    "A man in a Blue shirt is standing on a ladder.",
]
HYPOTHESES = [
    "The cat sat on a mat.",
    "There is a red car before the old house.",
    "Two dogs are running through snow, and a child watches.",
    "He said he will be back on monday.",
    "A man in a blue shirt is standing on a ladder.",
]
SECOND_REFERENCES = [
    "A cat was sitting on the mat.",
    "A red car stands before the old house.",
    "Two dogs are running through the snow while a child watches.",
    "He said he would be back on Monday.",
    "A man with a blue shirt stands on a ladder.",
]

STRINGS = [name for name in METRICS if name != "comet"]  # what needs no model


def plain_bleu(hypotheses: list[list[str]], references: list[list[str]]) -> float:
    """Corpus BLEU of Papineni et al. (2002), one reference, every n-gram order present, no smoothing."""
    matches, totals = [0] * 4, [0] * 4
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for order in range(1, 5):
            found = Counter(tuple(hypothesis[i : i + order]) for i in range(len(hypothesis) - order + 1))
            wanted = Counter(tuple(reference[i : i + order]) for i in range(len(reference) - order + 1))
            matches[order - 1] += sum((found & wanted).values())
            totals[order - 1] += sum(found.values())
    lengths = sum(map(len, hypotheses)), sum(map(len, references))
    brevity = min(1.0, math.exp(1 - lengths[1] / lengths[0]))
    mean = sum(math.log(match / total) for match, total in zip(matches, totals, strict=True)) / 4
    return 100 * brevity * math.exp(mean)


def test_bleu_is_papinenis_formula():
    score = score_corpus(HYPOTHESES, REFERENCES, options=MetricOptions(tokenize="none"))["bleu"].score
    expected = plain_bleu([line.split() for line in HYPOTHESES], [line.split() for line in REFERENCES])
    assert score == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        ("bleu", ["-m", "bleu"]),
        ("chrf", ["-m", "chrf"]),
        ("chrf++", ["-m", "chrf", "--chrf-word-order", "2"]),
        ("ter", ["-m", "ter"]),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_scores_and_signatures_equal_the_sacrebleu_command(metric, options, number, tmp_path):
    sets = [REFERENCES, SECOND_REFERENCES][:number]
    paths = []
    for index, lines in enumerate([HYPOTHESES, *sets]):
        paths.append(tmp_path / f"{index}.txt")
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", *map(str, paths[1:]), "-i", str(paths[0]), *options, "-w", "9"]
    theirs = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    ours = score_corpus(HYPOTHESES, sets, [metric])[metric]
    assert ours.name == theirs["name"]
    assert ours.score == pytest.approx(theirs["score"], abs=1e-8)
    assert ours.signature == theirs["signature"]
    assert f"nrefs:{number}" in ours.signature


def test_the_metrics_come_in_the_order_asked_for_and_print_themselves():
    scores = score_corpus(HYPOTHESES, REFERENCES, ["ter", "chrf++", "bleu", "chrf"])
    assert list(scores) == ["ter", "chrf++", "bleu", "chrf"]
    assert [score.name for score in scores.values()] == ["TER", "chrF2++", "BLEU", "chrF2"]
    for score in scores.values():
        assert score.text.startswith(f"{score.name}|{score.signature} = {score.score:.2f}")
        assert "version:" in score.signature


def test_one_list_of_references_and_a_list_of_one_list_are_the_same():
    assert score_corpus(HYPOTHESES, REFERENCES) == score_corpus(HYPOTHESES, [REFERENCES])
    assert score_corpus(HYPOTHESES, tuple(REFERENCES)) == score_corpus(tuple(HYPOTHESES), (tuple(REFERENCES),))


def test_perfect_translations_score_100_and_ter_0():
    scores = score_corpus(REFERENCES, REFERENCES, STRINGS)
    assert {name: round(score.score, 9) for name, score in scores.items()} == {
        "bleu": 100.0,
        "chrf": 100.0,
        "chrf++": 100.0,
        "ter": 0.0,
    }


@pytest.mark.parametrize("metric", ["bleu", "chrf", "chrf++"])
def test_lowercase_forgives_case_and_says_so(metric):
    shouted = [line.upper() for line in REFERENCES]
    cased = score_corpus(shouted, REFERENCES, [metric])[metric]
    lowered = score_corpus(shouted, REFERENCES, [metric], options=MetricOptions(lowercase=True))[metric]
    assert cased.score < 50
    assert lowered.score == pytest.approx(100)
    assert "case:mixed" in cased.signature
    assert "case:lc" in lowered.signature


def test_the_tokenization_is_in_the_signature():
    assert "tok:13a" in score_corpus(HYPOTHESES, REFERENCES)["bleu"].signature
    assert "tok:none" in score_corpus(HYPOTHESES, REFERENCES, options=MetricOptions(tokenize="none"))["bleu"].signature


def test_a_score_becomes_json():
    score = score_corpus(HYPOTHESES, REFERENCES)["bleu"]
    assert json.loads(json.dumps(score.to_dict())) == {
        "name": "BLEU",
        "score": score.score,
        "signature": score.signature,
        "text": score.text,
        "interval": None,
    }


def test_empty_hypotheses_of_an_untrained_model_score_0():
    # a model in its first epoch often emits EOS at once; validation must survive that
    scores = score_corpus([""] * len(REFERENCES), REFERENCES, STRINGS)
    assert scores["bleu"].score == 0
    assert scores["chrf"].score == 0
    assert scores["ter"].score == 100


def test_a_hundred_lines_with_a_spaced_full_stop_raise_no_alarm(caplog, capsys):
    # sacreBLEU's guess that text is tokenized would be printed at every validation
    lines = ["a b c d ."] * 101
    score_corpus(lines, lines)
    assert caplog.records == []
    assert capsys.readouterr().err == ""


def test_an_unknown_metric_names_the_nearest_and_all():
    with pytest.raises(UserError, match=r"^unknown metric 'blue'; did you mean 'bleu'\? \(known: bleu, chrf, "):
        score_corpus(HYPOTHESES, REFERENCES, ["blue"])
    with pytest.raises(UserError, match=r"unknown metric 'chrf\+'; did you mean 'chrf\+\+'\?, 'x1' \(known"):
        check_metrics(["bleu", "chrf+", "x1"])


def test_an_unknown_tokenization_names_all():
    with pytest.raises(UserError, match=r"unknown BLEU tokenization 'non'; did you mean 'none'\? \(known: 13a, "):
        score_corpus(HYPOTHESES, REFERENCES, options=MetricOptions(tokenize="non"))


def test_different_line_counts_name_both():
    with pytest.raises(DataError, match="there are 5 hypotheses, but the references have 3 lines"):
        score_corpus(HYPOTHESES, REFERENCES[:3])
    with pytest.raises(DataError, match="there are 5 hypotheses, but reference set 2 has 2 lines"):
        score_corpus(HYPOTHESES, [REFERENCES, REFERENCES[:2]])
    with pytest.raises(DataError, match="there are 5 hypotheses, but the references have 0 lines"):
        score_corpus(HYPOTHESES, [])


@pytest.mark.parametrize("references", [[], [[]], [[], []]])
def test_nothing_to_score(references):
    with pytest.raises(DataError, match="nothing to score"):
        score_corpus([], references)


def test_importing_the_metrics_does_not_import_sacrebleu():
    code = "import sys, seq2seq_attn.evaluation.metrics; print([m for m in ('sacrebleu', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_an_interval_of_translations_that_hardly_match() -> None:
    """Samples without the one sentence that matches score 0, and sacreBLEU averages no such mixture."""
    hypotheses, references = ["a b c d", *[""] * 9], ["a b c d", *["x y z"] * 9]
    found = score_corpus(hypotheses, references, ("bleu",), options=MetricOptions(resamples=200))["bleu"]
    assert found.interval is not None
    assert found.score == score_corpus(hypotheses, references, ("bleu",))["bleu"].score
    assert 0 < found.interval.mean < 100
    assert 0 < found.interval.margin < 100
