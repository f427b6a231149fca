"""What evaluations tell of a model beyond scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import trained_run

from seq2seq_attn import Translator
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.diagnostics import diagnose
from seq2seq_attn.experiment.behavior import diagnose_translations


def test_each_translation_in_its_place() -> None:
    texts = ["one two three four", "", "seven"]
    translations = Translator.load(trained_run(), device="cpu").translate(texts)
    found = diagnose_translations(translations)
    assert found == [diagnose(translations[0].attention), None, diagnose(translations[2].attention)]
    # digits are said backwards, and the model has learned it
    assert found[0] is not None
    assert found[0].kendall_tau < 0


def test_a_model_without_attention() -> None:
    translation = Translator.load(trained_run(), device="cpu").translate(["one two"])[0]
    blind = replace(translation, attention=np.zeros_like(translation.attention))
    with pytest.raises(ConfigError, match="no attention"):
        diagnose_translations([blind, blind])
    assert diagnose_translations([blind, translation])[1] is not None
    assert diagnose_translations([]) == []
