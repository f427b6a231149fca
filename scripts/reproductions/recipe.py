"""What is recommended for little text, each thing alone, on validation text: how the recipes here were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from .claims import Claim
from .corpora import Corpus
from .noise import better, standard_error
from .outcome import BLEU, PERPLEXITY
from .pictures import draw_bars
from .reproduction import Reproduction, Variant
from .results import Results
from .tables import Table, score_table

BASE = "base"


class Candidate(NamedTuple):
    """Something that may make a better model."""

    name: str
    settings: tuple[str, ...]
    paper: str
    """Who recommends it, or what it asks where nobody does."""


SENNRICH = "Sennrich and Zhang 2019, on low-resource translation"

CANDIDATES = (
    Candidate("vocabulary 2,500", ("tokenizer.vocabulary_size=2500",), SENNRICH),
    Candidate("vocabulary 8,000", ("tokenizer.vocabulary_size=8000",), "as large as is common on more text"),
    Candidate("subword sampling 0.1", ("tokenizer.sampling=0.1",), "Provilkov et al. 2020, BPE-dropout"),
    Candidate("tied target embeddings", ("model.tie_embeddings=target",), "Press and Wolf 2017"),
    Candidate("dropout 0.5", ("model.dropout=0.5",), SENNRICH),
    Candidate("recurrent dropout 0.3", ("model.dropout.recurrent=0.3",), "Merity et al. 2018"),
    Candidate("variational dropout", ("model.dropout.variational=true",), "Gal and Ghahramani 2016"),
    Candidate("word dropout 0.1", ("training.word_dropout=0.1",), SENNRICH),
    Candidate("no label smoothing", ("training.label_smoothing=0",), "the likelihood itself"),
    Candidate("R-drop 5", ("training.r_drop=5",), "Liang et al. 2021"),
    Candidate("moving average", ("training.ema=0.999",), "Polyak and Juditsky 1992"),
    Candidate("half the batch", ("training.batch_sentences=32",), SENNRICH),
    Candidate("twice the batch", ("training.batch_sentences=128",), "fewer, steadier steps"),
    Candidate("half the rate", ("training.optimizer.learning_rate=0.001",), "smaller steps"),
    Candidate("twice the rate", ("training.optimizer.learning_rate=0.004",), "larger steps"),
    Candidate(
        "two layers, residual",
        (
            "model.encoder.layers=2",
            "model.encoder.residual=true",
            "model.decoder.layers=2",
            "model.decoder.residual=true",
        ),
        "Wu et al. 2016, on deep stacks",
    ),
    Candidate("layer normalization", ("model.encoder.layer_norm=true", "model.decoder.layer_norm=true"), SENNRICH),
    Candidate("no input feeding", ("model.decoder.input_feeding=false",), "the whole target at once"),
    Candidate("Bahdanau's attention", ("model.attention=bahdanau",), "Bahdanau et al. 2015"),
    Candidate(
        "twice as wide",
        ("model.embedding_size=256", "model.encoder.hidden_size=256", "model.decoder.hidden_size=512"),
        "more parameters",
    ),
)
"""Each is tried alone."""


def _claims(corpus: Corpus) -> Sequence[Claim]:
    del corpus
    return [better(f"It helps: {one.name}", one.paper, one.name, [BASE]) for one in CANDIDATES]


def gain(results: Results, name: str) -> str:
    """Write the gain in BLEU over the base as a cell: the mean over seeds, and its standard error."""
    ours, base = results.values(name, BLEU), results.values(BASE, BLEU)
    gains = [one - other for one, other in zip(ours, base, strict=True)]
    error = f" ± {standard_error(gains):.1f}" if len(gains) > 1 else ""
    return "-" if name == BASE else f"{mean(gains):+.1f}{error}"


def _minutes(results: Results, name: str) -> float:
    return mean(results.outcomes[name, seed].minutes for seed in results.seeds)


def _table(results: Results) -> Table:
    scores = score_table(results, [BLEU, PERPLEXITY])
    base = _minutes(results, BASE)
    rows = [
        [*cells, gain(results, name), f"{_minutes(results, name) / base:.2f}"]
        for name, cells in zip(results.variants, scores.rows, strict=True)
    ]
    note = (
        "Gains are in BLEU, means over seeds and their standard errors. Time is that of training, the base's 1, and "
        "says little where other programs ran beside it. Perplexities compare where the vocabulary is the same."
    )
    return Table([*scores.head, "gain", "time"], rows, note)


def _draw(results: Results, output: Path) -> None:
    draw_bars(results, [BLEU, PERPLEXITY], output, "Each thing alone, on validation text")


RECIPE = Reproduction(
    name="recipe",
    paper="Sennrich and Zhang (2019), Revisiting Low-Resource Neural Machine Translation, and others",
    claim="with little text the right settings are worth many BLEU, each a few",
    variants=(Variant(BASE), *(Variant(one.name, one.settings) for one in CANDIDATES)),
    claims=_claims,
    table=_table,
    draw=_draw,
    departs=(
        "All is judged on the validation text, so that test sets stay untouched until a recipe is chosen.",
        "Every model has the same number of epochs, few of them (on Tatoeba of steps, so that half the batch reads "
        "half the text there). What keeps a model from learning by heart needs more "
        "of them to show what it is worth.",
    ),
    candidates=True,
    corpora=("multi30k", "tatoeba"),
)
