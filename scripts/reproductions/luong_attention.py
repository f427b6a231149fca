"""Scores and windows: Luong, Pham and Manning (2015), tables 4 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .claims import Claim
from .corpora import Corpus
from .noise import better
from .outcome import BLEU, ERROR_RATE, PERPLEXITY
from .pictures import draw_bars
from .reproduction import Reproduction, Variant
from .results import Results
from .tables import Table, score_table

WINDOW_SIZE = 4
LOCATION, DOT, GENERAL = "global (location)", "global (dot)", "global (general)"
M_DOT, M_GENERAL = "local-m (dot)", "local-m (general)"
P_DOT, P_GENERAL = "local-p (dot)", "local-p (general)"

PUBLISHED = {
    LOCATION: {"perplexity": "6.4", "BLEU": "18.1", "AER": "0.39"},
    DOT: {"perplexity": "6.1", "BLEU": "18.6"},
    GENERAL: {"perplexity": "6.1", "BLEU": "17.3"},
    M_DOT: {"perplexity": "> 7.0"},
    M_GENERAL: {"perplexity": "6.2", "BLEU": "18.6", "AER": "0.34"},
    P_DOT: {"perplexity": "6.6", "BLEU": "18.0"},
    P_GENERAL: {"perplexity": "5.9", "BLEU": "19", "AER": "0.36"},
}
"""Table 4 (BLEU before unknown words are replaced) and table 6."""


def _variants() -> tuple[Variant, ...]:
    found = []
    for name in PUBLISHED:
        window, _, score = name.rstrip(")").partition(" (")
        size = "" if window == "global" else f", window_size: {WINDOW_SIZE}"
        found.append(Variant(name, (f"model.attention={{score: luong-{score}, window: {window}{size}}}",)))
    return tuple(found)


def _claims(corpus: Corpus) -> Sequence[Claim]:
    table = "Luong et al. 2015, table 4"
    others = [name for name in PUBLISHED if name != P_GENERAL]
    found = [
        better("local-p with general has the best BLEU of all", table, P_GENERAL, [n for n in others if n != M_DOT]),
        better("local-p with general has the best perplexity of all", table, P_GENERAL, others, PERPLEXITY),
        better("Global attention is better with dot than with general", table, DOT, [GENERAL]),
        better("Local attention is better with general than with dot", table, P_GENERAL, [P_DOT]),
        better("Looking at content (dot) beats location alone", table, DOT, [LOCATION]),
    ]
    if corpus.has_gold:
        table = "Luong et al. 2015, table 6"
        text = "Local attention aligns better than global attention by location"
        found += [better(f"{text}: {name}", table, name, [LOCATION], ERROR_RATE) for name in (M_GENERAL, P_GENERAL)]
    return found


def _table(results: Results) -> Table:
    published = PUBLISHED
    if not results.corpus.has_gold:
        published = {name: {k: v for k, v in cells.items() if k != "AER"} for name, cells in PUBLISHED.items()}
    return score_table(results, [PERPLEXITY, BLEU, ERROR_RATE], published)


def _draw(results: Results, output: Path) -> None:
    draw_bars(results, [PERPLEXITY, BLEU, ERROR_RATE], output, "Scores and windows")


LUONG_ATTENTION = Reproduction(
    name="luong-attention",
    paper="Luong, Pham and Manning (2015), Effective Approaches to Attention-based Neural Machine Translation",
    claim="local attention that predicts where to look, with general, is best; global attention with dot (table 4)",
    variants=_variants(),
    claims=_claims,
    table=_table,
    draw=_draw,
    aligns=True,
    departs=(
        "One layer of LSTMs in place of four with 1,000 cells each; the encoder reads the source from its end, as the "
        "paper's does, and input feeding and dropout are on.",
        f"Local windows reach {WINDOW_SIZE} positions to either side, not 10, since sentences are shorter; they move "
        "over the source in its own order.",
        "The paper trained two models of local-m with dot and gives no BLEU of them. Its columns here are without the "
        "replacement of unknown words; table 6 is of word-aligned sentences of its own (RWTH), as a share.",
    ),
    settings=(
        "model.encoder.bidirectional=false",
        "model.encoder.direction=backward",
        "model.bridge=last",
        "model.decoder.input_feeding=true",
    ),
    # the dot product compares states of encoder and decoder as they are, so these have to be of one size
    corpus_settings={
        "toy": ("model.encoder.hidden_size=192",),
        "multi30k": ("model.encoder.hidden_size=256",),
        "tatoeba": ("model.encoder.hidden_size=256",),
    },
)
