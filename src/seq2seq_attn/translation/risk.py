"""Of several translations of a sentence the one that is most like all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seq2seq_attn.config.schema import MinimumRiskConfig
from seq2seq_attn.decoding import Hypothesis
from seq2seq_attn.evaluation.minimum_risk import minimum_bayes_risk


def least_risk(
    hypotheses: Sequence[Hypothesis], texts: Sequence[str], config: MinimumRiskConfig, *, count: int
) -> list[tuple[int, float]]:
    """Return the best candidates by expected utility: their places, and the utilities, best first.

    Candidates of one text are one. Samples count equally, as they are drawn as often as they are probable; those of
    an n-best list by their probabilities (Kumar and Byrne 2004, section 2).

    Args:
        hypotheses: the candidates.
        texts: how each is written.
        config: how they are compared.
        count: the most to return.
    """
    weights = None
    if config.of == "n-best":
        most = max(found.log_prob for found in hypotheses)
        weights = [math.exp(found.log_prob - most) if math.isfinite(most) else 1.0 for found in hypotheses]
    utilities = minimum_bayes_risk(texts, utility=config.utility, weights=weights)
    first = list({text: place for place, text in reversed(list(enumerate(texts)))}.values())
    ranked = sorted(first, key=lambda place: (-utilities[place], place))
    return [(place, utilities[place]) for place in ranked[:count]]
