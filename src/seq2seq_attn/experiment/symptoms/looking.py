"""Symptoms of attention: it looks everywhere, or always at the same place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.evaluation.diagnostics import diagnose
from seq2seq_attn.experiment.symptoms.finding import Finding, fine, grade, unchecked

UNIFORM_WARNING = 0.8
"""Entropy of the weights over that of equal weights; models that translate well stay below a half."""

UNIFORM_PROBLEM = 0.95
"""Hardly to be told from the mean of all source states."""

END_WARNING = 0.5
"""Weight on the end-of-sentence token: where attention rests when it needs nothing."""

END_PROBLEM = 0.9
"""It rests nearly always."""

ONE_PLACE_WARNING = 0.6
"""Weight of the source token that gets most of a whole sentence's; of n tokens each should get about 1/n."""

ONE_PLACE_PROBLEM = 0.9
"""Nearly all of it."""

FEWEST_TOKENS = 4  # of a source, end of sentence included; in shorter ones every place is looked at often


def check_attention(weights: Sequence[NDArray[np.floating]]) -> list[Finding]:
    """Does the model look where it should?

    Args:
        weights: per sentence, shape (target tokens, source tokens), the last column that of the
            end-of-sentence token; zeros for a model without attention.
    """
    judged = [one for one in weights if len(one) and one.shape[1] >= FEWEST_TOKENS]
    if not judged or not any(one.any() for one in judged):
        why = "no sentence is long enough" if weights and not judged else "the model has no attention"
        return [unchecked("attention", why)]
    mend = (
        "train longer; then another mechanism (model.attention: luong-general or bahdanau), "
        "or teach it with training.guided_alignment: 0.5 where there are alignments"
    )
    found = [diagnose(one) for one in judged]
    uniform = float(np.mean([one.normalized_entropy for one in found]))
    end = float(np.mean([one.end_share for one in found]))
    place = float(np.mean([one[:, :-1].mean(axis=0).max() for one in judged]))
    cases = (
        ("spread attention", "attention looks everywhere alike, so it chooses nothing", uniform,
         f"entropy is {uniform:.2f} of what equal weights have", UNIFORM_WARNING, UNIFORM_PROBLEM),
        ("attention on the end", "attention rests on the end-of-sentence token", end,
         f"it gets {end:.2f} of the weight", END_WARNING, END_PROBLEM),
        ("attention in one place", "attention stays on one token for the whole sentence", place,
         f"the token that is looked at most gets {place:.2f} of a sentence's weight",
         ONE_PLACE_WARNING, ONE_PLACE_PROBLEM),
    )  # fmt: skip
    findings = []
    for symptom, message, value, evidence, warning, problem in cases:
        severity = grade(value, warning, problem)
        if severity is None:
            findings.append(fine(symptom, evidence, value=value))
        else:
            findings.append(Finding(severity, symptom, message, evidence, mend, {"value": value}))
    return findings
