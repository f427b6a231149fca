"""One thing after the other: Luong, Pham and Manning (2015), table 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from .claims import Claim
from .corpora import Corpus
from .luong_attention import WINDOW_SIZE
from .noise import better
from .outcome import BLEU, PERPLEXITY
from .pictures import draw_bars
from .reproduction import Reproduction, Variant
from .results import Results
from .tables import Table, score_table

BACKWARD = ("model.encoder.direction=backward",)
DROPOUT = ("model.dropout=0.2",)
LOCATION = ("model.attention=luong-location",)
LOCAL = (f"model.attention={{score: luong-general, window: local-p, window_size: {WINDOW_SIZE}}}",)
FEEDING = ("model.decoder.input_feeding=true",)

LADDER = (
    Variant("base"),
    Variant("+ reverse", BACKWARD),
    Variant("+ dropout", BACKWARD + DROPOUT),
    Variant("+ global attention (location)", BACKWARD + DROPOUT + LOCATION),
    Variant("+ input feeding", BACKWARD + DROPOUT + LOCATION + FEEDING),
    Variant("+ local-p attention (general)", BACKWARD + DROPOUT + LOCAL + FEEDING),
    Variant("+ unknown words replaced", trained_as="+ local-p attention (general)", replaces_unknown=True),
)

_NUMBERS = (("10.6", "11.3"), ("9.9", "12.6"), ("8.1", "14.0"), ("7.3", "16.8"), ("6.4", "18.1"), ("5.9", "19.0"),
            ("5.9", "20.9"))  # fmt: skip
PUBLISHED = {
    variant.name: {"perplexity": perplexity, "BLEU": bleu}
    for variant, (perplexity, bleu) in zip(LADDER, _NUMBERS, strict=True)
}
"""Table 1, English to German; its last row, an ensemble of eight models, is left out."""


def _claims(corpus: Corpus) -> Sequence[Claim]:
    del corpus
    return [
        better(f"{above.name}: better than without", _step(below.name, above.name), above.name, [below.name])
        for below, above in pairwise(LADDER)
    ]


def _step(below: str, above: str) -> str:
    numbers = [PUBLISHED[name]["BLEU"] for name in (below, above)]
    return f"Luong et al. 2015, table 1: from {numbers[0]} to {numbers[1]} BLEU"


def _table(results: Results) -> Table:
    return score_table(results, [PERPLEXITY, BLEU], PUBLISHED)


def _draw(results: Results, output: Path) -> None:
    draw_bars(results, [BLEU, PERPLEXITY], output, "One thing after the other")


LUONG_ABLATION = Reproduction(
    name="luong-ablation",
    paper="Luong, Pham and Manning (2015), Effective Approaches to Attention-based Neural Machine Translation",
    claim="reversing, dropout, attention, input feeding, local attention and replaced unknown words each add (table 1)",
    variants=LADDER,
    claims=_claims,
    table=_table,
    draw=_draw,
    departs=(
        "One layer of LSTMs in place of four with 1,000 cells each.",
        "The search forbids the unknown token until unknown words are replaced; the paper's systems write it, and have "
        "it counted as wrong.",
        "Unknown words are looked up in a lexicon made of what the model looked at in its training text; the paper "
        "has a lexicon from a word aligner.",
        f"Local windows reach {WINDOW_SIZE} positions to either side, not 10.",
        "The last row is the model of the row above it, searched in another way; it learned nothing more.",
    ),
    settings=(
        "tokenizer.kind=word",
        "tokenizer.shared=false",
        "model.encoder.bidirectional=false",
        "model.bridge=last",
        "model.attention=none",
        "model.dropout=0",
        "model.decoder.input_feeding=false",
    ),
    # so that there are unknown words at all
    corpus_settings={
        "toy": ("tokenizer.minimum_frequency=40",),
        "multi30k": ("tokenizer.minimum_frequency=3", "tokenizer.vocabulary_size=8000"),
        "tatoeba": ("tokenizer.minimum_frequency=3", "tokenizer.vocabulary_size=10000"),
    },
)
