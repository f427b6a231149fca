"""Confidence and correctness of a real model, against asking it token by token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import trained_run, write_config

from seq2seq_attn import Translator
from seq2seq_attn.config import load_config
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.tokenizers import BOS, EOS, Tokenizers
from seq2seq_attn.data.tokenizers.word import WordTokenizer
from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.evaluation.calibration import calibration
from seq2seq_attn.experiment import calibrate as module
from seq2seq_attn.experiment.calibrate import calibrate
from seq2seq_attn.models.build import build_model

PAIRS = [
    SentencePair("one two three", "três dois um"),
    SentencePair("", "um"),
    SentencePair("seven", "sete"),
    SentencePair("four", " "),
    SentencePair("zero five nine eight two", "dois oito nove"),
    SentencePair("one unknown two", "dois unknown um zero"),
]


def token_by_token(translator: Translator, pairs: list[SentencePair]) -> tuple[list[float], list[bool]]:
    """One sentence and one step of search at a time."""
    confidences, correct = [], []
    for pair in pairs:
        source = translator.tokenizers.source.encode(pair.source)
        target = translator.tokenizers.target.encode(pair.target)
        if not pair.source.strip() or not pair.target.strip():
            continue
        with torch.inference_mode():
            state = translator.model.start(torch.tensor([[*source, EOS]]), torch.tensor([len(source) + 1]))
            for read, wanted in zip([BOS, *target], [*target, EOS], strict=True):
                step = translator.model.step(torch.tensor([read]), state)
                state = step.state
                probabilities = step.log_probs[0].exp().tolist()
                confidences.append(max(probabilities))
                correct.append(probabilities.index(max(probabilities)) == wanted)
    return confidences, correct


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """A model that copies, with parameters as they begin."""
    changes = {"tokenizer.shared": True, "model.copying": True}
    config = load_config(write_config(tmp_path_factory.mktemp("copying"), changes))
    words = " ".join(f"{pair.source} {pair.target}" for pair in PAIRS)
    tokenizer = WordTokenizer.train([words], vocabulary_size=101)
    torch.manual_seed(3)
    model = build_model(
        config.model, source_vocabulary=len(tokenizer), target_vocabulary=len(tokenizer), padding=0
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    return Translator(model, Tokenizers(tokenizer, tokenizer), config.decoding)


def assert_as_token_by_token(translator: Translator) -> None:
    sure, correct = token_by_token(translator, PAIRS)
    found = calibrate(translator, PAIRS, bins=7)
    expected = calibration(np.array(sure), np.array(correct), bins=7)
    assert found.count == expected.count == 4 + 2 + 4 + 5
    assert found.accuracy == expected.accuracy
    assert found.confidence == pytest.approx(expected.confidence, abs=1e-5)
    assert found.expected_error == pytest.approx(expected.expected_error, abs=1e-5)
    assert [one.count for one in found.bins] == [one.count for one in expected.bins]


def test_a_trained_model() -> None:
    translator = Translator.load(trained_run(), device="cpu")
    assert_as_token_by_token(translator)
    assert calibrate(translator, PAIRS).accuracy > 0.6


def test_a_model_that_copies(copying: Translator) -> None:
    assert_as_token_by_token(copying)


def test_however_many_pairs_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    translator = Translator.load(trained_run(), device="cpu")
    whole = calibrate(translator, PAIRS)
    monkeypatch.setattr(module, "CHUNK", 2)
    assert calibrate(translator, PAIRS).to_dict()["accuracy"] == whole.accuracy
    assert calibrate(translator, PAIRS).expected_error == pytest.approx(whole.expected_error, abs=1e-6)


def test_nothing_to_predict() -> None:
    translator = Translator.load(trained_run(), device="cpu")
    with pytest.raises(UserError, match="no prediction to calibrate"):
        calibrate(translator, [SentencePair("", "um")])


def test_an_ensemble_is_refused() -> None:
    run: Path = trained_run()
    with pytest.raises(ConfigError, match="2 models at once"):
        calibrate(Translator.load([run, run], device="cpu"), PAIRS)
