"""Scores of translations, each with the signature that makes it comparable.

A number without its signature is not a result: two BLEU scores differ by several points with
the tokenizer alone. The scores are sacreBLEU's (Post 2018, https://aclanthology.org/W18-6319),
and COMET's where its package is installed.
"""

from seq2seq_attn.evaluation.metrics.choices import (
    METRICS,
    TOKENIZATIONS,
    MetricOptions,
    check_metrics,
    higher_is_better,
)
from seq2seq_attn.evaluation.metrics.corpus import score_corpus, score_sentences
from seq2seq_attn.evaluation.metrics.score import Interval, MetricScore

__all__ = [
    "METRICS",
    "TOKENIZATIONS",
    "Interval",
    "MetricOptions",
    "MetricScore",
    "check_metrics",
    "higher_is_better",
    "score_corpus",
    "score_sentences",
]
