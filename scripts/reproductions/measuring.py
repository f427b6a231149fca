"""What a trained model is measured by: translations, perplexity, where it looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from seq2seq_attn import Config, Translator
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.links import AlignedPair, read_linked
from seq2seq_attn.evaluation.diagnostics import diagnose, mean_diagnostics
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.experiment.evaluate import evaluate
from seq2seq_attn.experiment.forcing import force, log_probs_of

from .outcome import BLEU, ENTROPY, ERROR_RATE, NONZERO, PERPLEXITY

CHUNK = 1024
"""Pairs that are read at once, so that those of like length can be put together."""


class Measured(NamedTuple):
    """The numbers of one model."""

    scores: dict[str, dict[str, float]]
    hypotheses: dict[str, list[str]]
    signature: str


def measure(translator: Translator, config: Config, *, decoding: DecodingConfig | None = None) -> Measured:
    """Translate every test set, and make the model write its references.

    Args:
        translator: of a trained model.
        config: whose test sets.
        decoding: how to search; as the model is configured if None.
    """
    scores: dict[str, dict[str, float]] = {}
    hypotheses: dict[str, list[str]] = {}
    signature = ""
    for name, corpus in config.data.test.items():
        aligned = list(read_linked([corpus]))
        done = evaluate(translator, [one.pair for one in aligned], split=name, decoding=decoding)
        hypotheses[name] = done.hypotheses
        signature = done.scores["bleu"].signature
        found = {BLEU: done.scores["bleu"].score, **_forced(translator, aligned)}
        if translator.attends and corpus.alignments is not None:
            found[ERROR_RATE] = 100 * score_alignments(translator, aligned).error_rate
        for what, number in found.items():
            scores.setdefault(what, {})[name] = number
    return Measured(scores, hypotheses, signature)


@torch.inference_mode()
def _forced(translator: Translator, aligned: Sequence[AlignedPair]) -> dict[str, float]:
    """Return the perplexity of the references, and how sharply the model looked while it wrote them."""
    model = translator.trained("perplexity")
    total, tokens, looks, diagnostics = 0.0, 0, [0, 0], []
    for begin in range(0, len(aligned), CHUNK):
        for batch, forced in force(translator, [one.pair for one in aligned[begin : begin + CHUNK]]):
            sizes = zip(batch.source_lengths.tolist(), batch.target_lengths.tolist(), strict=True)
            for row, (source_len, target_len) in enumerate(sizes):
                log_probs = log_probs_of(model, batch, forced, row, target_len)
                right = batch.target_out[row, :target_len].unsqueeze(-1)
                total -= float(log_probs.gather(-1, right).double().sum())
                tokens += target_len
                weights = forced.weights[row, :target_len, :source_len].float().cpu().numpy()
                if translator.attends:
                    diagnostics.append(diagnose(weights))
                    looks[0] += int((weights > 0).sum())
                    looks[1] += weights.size
    found = {PERPLEXITY: math.exp(min(total / tokens, 700.0))} if tokens else {}
    mean = mean_diagnostics(diagnostics).mean
    if mean is not None:
        found |= {ENTROPY: mean.entropy, NONZERO: 100 * looks[0] / looks[1]}
    return found
