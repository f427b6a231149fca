"""Symptoms of what the model writes: copies, loops, nothing, the same for every sentence, worse than it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.experiment.symptoms.finding import Finding, Severity, fine, grade

COPIED_WARNING = 0.02
"""Translations equal to their source, where the reference is not: names and numbers alone hardly do that."""

COPIED_PROBLEM = 0.20
"""One in five."""

LOOP_REPEATS = 3
"""Times that the same words must stand one behind the other; "very very" is speech."""

LONGEST_LOOP = 6
"""Words of the longest phrase that is looked at."""

LOOP_WARNING = 0.02
"""One in fifty translations."""

LOOP_PROBLEM = 0.10
"""One in ten."""

RATIO_WARNING = 1.10
"""Hypotheses longer (or shorter) than the references by a tenth: BLEU's brevity penalty alone takes 10 %."""

RATIO_PROBLEM = 1.30
"""By three tenths: the penalty takes a third."""

EMPTY_WARNING = 0.001
"""Hardly any: a sentence with words has a translation with words."""

EMPTY_PROBLEM = 0.05
"""One in twenty."""

UNFINISHED_WARNING = 0.02
"""Translations that the length limit ended: one in fifty."""

UNFINISHED_PROBLEM = 0.10
"""One in ten."""

SAME_WARNING = 0.2
"""Different sources that get a translation another one has, too."""

SAME_PROBLEM = 0.5
"""Half of them: the decoder hardly reads the source."""

BEAM_LOSS = 1.0
"""BLEU by which beam search may be behind greedy search; chance gives less on a few hundred sentences."""

SAME_BLEU = 0.5
"""BLEU by which a checkpoint may differ from its own validation on the same sentences (other hardware, precision)."""

SAMPLE_SHARE = 0.6
"""The same for a sample of them, as a share of the score: samples of a hundred differ by a few points."""

WELL_FORCED = 3.0
"""Perplexity below which the model gives the right token a third of its trust or more."""

BADLY_FREE = 20.0
"""BLEU that any model so good at forced decoding should reach when it is free."""


@dataclass(frozen=True)
class Outcome:
    """A sentence of the validation split and what the model made of it.

    Attributes:
        source: the sentence.
        reference: its reference translation.
        hypothesis: the translation by the search of the configuration.
        finished: whether it ended by itself.
    """

    source: str
    reference: str
    hypothesis: str
    finished: bool


def check_hypotheses(outcomes: Sequence[Outcome], decoding: DecodingConfig) -> list[Finding]:
    """Look for the faults that can be seen in the text alone. There must be at least one outcome."""
    return [
        _copied(outcomes),
        _looping(outcomes),
        _ratio(outcomes, decoding),
        _empty(outcomes),
        _unfinished(outcomes, decoding),
        _alike(outcomes),
    ]


def find_loop(text: str) -> str | None:
    """Return words that stand in ``text`` three times or more, one behind the other."""
    words = text.split()
    for size in range(1, LONGEST_LOOP + 1):
        run = 0
        for place in range(size, len(words)):
            run = run + 1 if words[place] == words[place - size] else 0
            if run >= size * (LOOP_REPEATS - 1):
                return " ".join(words[place + 1 - size : place + 1])
    return None


def _copied(outcomes: Sequence[Outcome]) -> Finding:
    copies = [
        one
        for one in outcomes
        if one.hypothesis.strip() == one.source.strip() and one.reference.strip() != one.source.strip()
    ]
    share = len(copies) / len(outcomes)
    evidence = f"{len(copies)} of {len(outcomes)} translations repeat their source"
    severity = grade(share, COPIED_WARNING, COPIED_PROBLEM)
    if severity is None:
        return fine("copied output", evidence, copied=share)
    mend = (
        "remove pairs with equal sides from data.train and look for text in the wrong language; "
        "with model.copying, more training"
    )
    message = "the model copies instead of translating"
    return Finding(severity, "copied output", message, _with_example(evidence, copies), mend, {"copied": share})


def _looping(outcomes: Sequence[Outcome]) -> Finding:
    loops = [one for one in outcomes if find_loop(one.hypothesis) and not find_loop(one.reference)]
    share = len(loops) / len(outcomes)
    evidence = f"{len(loops)} of {len(outcomes)} translations say the same words {LOOP_REPEATS} times or more in a row"
    severity = grade(share, LOOP_WARNING, LOOP_PROBLEM)
    if severity is None:
        return fine("repeated output", evidence, repeated=share)
    mend = (
        "decoding.no_repeat_ngram: 4 for now; then longer training, or attention that remembers where it has been: "
        "model.attention: {score: bahdanau, coverage: true} with training.coverage_loss: 0.1"
    )
    message = "the model repeats itself"
    return Finding(severity, "repeated output", message, _with_example(evidence, loops), mend, {"repeated": share})


def _ratio(outcomes: Sequence[Outcome], decoding: DecodingConfig) -> Finding:
    # characters, because not every language has spaces
    written = sum(len(one.hypothesis) for one in outcomes)
    wanted = max(sum(len(one.reference) for one in outcomes), 1)
    ratio = written / wanted
    numbers = {"ratio": ratio, "hypothesis_characters": float(written), "reference_characters": float(wanted)}
    evidence = f"hypotheses have {ratio:.2f} times as many characters as the references"
    severity = grade(max(ratio, 1 / max(ratio, 1e-9)), RATIO_WARNING, RATIO_PROBLEM)
    if severity is None:
        return fine("length ratio", evidence, **numbers)
    exponent = decoding.length_penalty
    if ratio < 1:
        message = "translations are too short"
        mend = (
            f"decoding.length_penalty: {exponent + 0.2:.1f} (now {exponent:g}); train more if greedy search does it too"
        )
    else:
        message = "translations are too long"
        mend = f"decoding.length_penalty: {max(exponent - 0.2, 0):.1f} (now {exponent:g}); look for repeated output"
    return Finding(severity, "length ratio", message, evidence, mend, numbers)


def _empty(outcomes: Sequence[Outcome]) -> Finding:
    full = [one for one in outcomes if one.source.strip() and one.reference.strip()]
    empty = [one for one in full if not one.hypothesis.strip()]
    share = len(empty) / max(len(full), 1)
    evidence = f"{len(empty)} of {len(full)} translations are empty"
    severity = grade(share, EMPTY_WARNING, EMPTY_PROBLEM)
    if severity is None:
        return fine("empty output", evidence, empty=share)
    mend = (
        "decoding.min_length: 1; look for empty targets in data.train, "
        "and set decoding.length_penalty to 1.0: without it short translations win"
    )
    message = "the model writes nothing for sentences that have words"
    return Finding(severity, "empty output", message, _with_example(evidence, empty), mend, {"empty": share})


def _unfinished(outcomes: Sequence[Outcome], decoding: DecodingConfig) -> Finding:
    cut = [one for one in outcomes if not one.finished]
    share = len(cut) / len(outcomes)
    evidence = f"the length limit ended {len(cut)} of {len(outcomes)} translations"
    severity = grade(share, UNFINISHED_WARNING, UNFINISHED_PROBLEM)
    if severity is None:
        return fine("unfinished output", evidence, unfinished=share)
    mend = (
        f"where they repeat themselves see there; else decoding.max_length_ratio: "
        f"{1.5 * decoding.max_length_ratio:g} (now {decoding.max_length_ratio:g})"
    )
    message = "the model does not find an end"
    return Finding(severity, "unfinished output", message, _with_example(evidence, cut), mend, {"unfinished": share})


def _alike(outcomes: Sequence[Outcome]) -> Finding:
    texts = {one.source: one for one in outcomes}
    wanted = len({one.reference for one in texts.values()})
    found = len({one.hypothesis for one in texts.values()})
    share = max(0.0, 1 - found / max(wanted, 1))
    evidence = f"{wanted} different references, {found} different translations"
    severity = grade(share, SAME_WARNING, SAME_PROBLEM) if wanted >= 10 else None
    if severity is None:
        return fine("output alike", evidence, alike=share)
    return Finding(
        severity,
        "output alike",
        "different sentences get the same translation: the decoder hardly reads the source",
        evidence,
        "look whether line i of the target translates line i of the source; then train longer, or choose an attention "
        "(model.attention: luong-general) if there is none",
        {"alike": share},
    )


def check_scores(
    *, greedy: float, beam: float, beam_size: int, logged: float | None, perplexity: float | None, whole: bool
) -> list[Finding]:
    """Is BLEU what other numbers let expect?

    Args:
        greedy: BLEU of greedy search on the sample.
        beam: BLEU of the search of the configuration on the same sentences.
        beam_size: of that search.
        logged: BLEU of greedy search at this checkpoint's validation.
        perplexity: of that validation.
        whole: whether the sample is the whole validation split.
    """
    numbers = {"greedy": greedy, "beam": beam}
    findings = []
    if logged is not None:
        findings.append(_reproduced(greedy, logged, whole))
    evidence = f"BLEU {beam:.1f} with beam {beam_size}, {greedy:.1f} with greedy search"
    if beam < greedy - BEAM_LOSS:
        message = "beam search makes the translations worse"
        mend = f"decoding.length_penalty: 1.0, and decoding.beam_size: 5 or less (now {beam_size})"
        findings.append(Finding("warning", "search", message, evidence, mend, numbers))
    else:
        findings.append(fine("search", evidence, **numbers))
    if perplexity is None:
        return findings
    evidence = f"perplexity {perplexity:.2f} when it reads the references, BLEU {greedy:.1f} when it reads itself"
    numbers = {"perplexity": perplexity, "greedy": greedy}
    if perplexity < WELL_FORCED and greedy < BADLY_FREE:
        message = "the model knows the next token, but does not find its way alone"
        mend = (
            "judge by BLEU (training.validation_metric: bleu), train longer with higher model.dropout, "
            "and look at repeated and unfinished output"
        )
        findings.append(Finding("warning", "forced against free", message, evidence, mend, numbers))
    else:
        findings.append(fine("forced against free", evidence, **numbers))
    return findings


def _reproduced(greedy: float, logged: float, whole: bool) -> Finding:
    evidence = f"BLEU of greedy search {greedy:.1f}, {logged:.1f} in the log"
    severity: Severity | None = None
    if whole and abs(greedy - logged) > SAME_BLEU:
        severity = "warning" if greedy > SAMPLE_SHARE * logged else "problem"
    elif not whole and greedy < SAMPLE_SHARE * logged:
        severity = "problem"
    numbers = {"now": greedy, "logged": logged}
    if severity is None:
        return fine("validation again", evidence, **numbers)
    return Finding(
        severity,
        "validation again",
        "the checkpoint does not give what its validation gave",
        evidence,
        "the tokenizer, the validation files or decoding.max_length_ratio changed since; train again, or put them back",
        numbers,
    )


def _with_example(evidence: str, cases: Sequence[Outcome]) -> str:
    one = cases[0]
    return f"{evidence}; for {one.source[:60]!r} it writes {one.hypothesis[:80]!r}"
