"""Dense and sparse attention: softmax, entmax-1.5, sparsemax."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .claims import Claim
from .corpora import Corpus
from .noise import better, less
from .outcome import BLEU, ENTROPY, ERROR_RATE, NONZERO, PERPLEXITY
from .pictures import draw_bars
from .reproduction import Reproduction, Variant
from .results import Results
from .tables import Table, score_table

SOFTMAX, ENTMAX, SPARSEMAX = "softmax", "entmax-1.5", "sparsemax"


def _claims(corpus: Corpus) -> Sequence[Claim]:
    del corpus
    family = "Peters et al. 2019, on alpha-entmax: alpha 1 is softmax, 2 is sparsemax"
    order = (SOFTMAX, ENTMAX, SPARSEMAX)
    return [
        better(
            "entmax-1.5 translates better than softmax", "Peters et al. 2019, on machine translation", ENTMAX, [SOFTMAX]
        ),
        less("The larger alpha, the sharper the weights (entropy)", family, order, ENTROPY),
        less("The larger alpha, the fewer source tokens are looked at", family, order, NONZERO),
    ]


def _table(results: Results) -> Table:
    return score_table(results, [BLEU, PERPLEXITY, ENTROPY, NONZERO, ERROR_RATE])


def _draw(results: Results, output: Path) -> None:
    draw_bars(results, [BLEU, ENTROPY, ERROR_RATE], output, "From energies to weights")


NORMALIZERS = Reproduction(
    name="normalizers",
    paper="Martins and Astudillo (2016), From Softmax to Sparsemax; Peters, Niculae and Martins (2019), Sparse "
    "Sequence-to-Sequence Models",
    claim="sparse weights look at few words and cost nothing in quality; entmax-1.5 gains",
    variants=tuple(
        Variant(name, (f"model.attention={{score: luong-general, normalize: {name}}}",))
        for name in (SOFTMAX, ENTMAX, SPARSEMAX)
    ),
    claims=_claims,
    table=_table,
    draw=_draw,
    aligns=True,
    departs=(
        "The paper of 2016 tried sparse attention on natural language inference, not on translation.",
        "The attention alone is sparse; in the paper of 2019 the output layer and its loss can be, too.",
        "Entropy, and the share of weights above 0, are those of the weights while a model is made to write the "
        "references.",
    ),
)
