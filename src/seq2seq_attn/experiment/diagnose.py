"""What a model's attention was like while it translated."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.diagnostics import Diagnostics, diagnose
from seq2seq_attn.translation import Translation


def diagnose_translations(translations: Sequence[Translation]) -> list[Diagnostics | None]:
    """Return the diagnostics of each translation; None for a blank sentence.

    Raises:
        ConfigError: if there are weights, and all are zero: the model has no attention.
    """
    weights = [found.attention for found in translations]
    if any(one.size for one in weights) and not any(one.any() for one in weights):
        raise ConfigError("this model has no attention (all weights are zero), so there is nothing to diagnose")
    return [diagnose(one) if one.size else None for one in weights]
