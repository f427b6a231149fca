"""BLEU by source length, without attention and with: Bahdanau, Cho and Bengio (2015), figure 2."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from seq2seq_attn.evaluation.by_length import LengthBucket, score_by_length
from seq2seq_attn.evaluation.metrics import MetricOptions, score_corpus
from seq2seq_attn.evaluation.metrics.choices import RESAMPLES
from seq2seq_attn.visualization.by_length import plot_by_length

from .claims import Claim, Verdict, decide
from .corpora import Corpus
from .noise import LEAST, better, noise_over_seeds
from .reproduction import Reproduction, Variant
from .results import Results, shown
from .tables import Table

WITHOUT, WITH = "none", "bahdanau"


def buckets(results: Results, variant: str, seed: int) -> list[LengthBucket]:
    """Score the translations of all test sets together, by source length."""
    tests = results.corpus.tests
    return score_by_length(results.sources(tests), results.hypotheses(variant, seed, tests), results.references(tests))


def length_table(results: Results) -> Table:
    """Show BLEU by source length, and over each test set."""
    splits = results.corpus.tests
    first = buckets(results, results.variants[0], results.seeds[0])
    head = ["BLEU", *(f"`{split}`" for split in splits)]
    head += [f"{bucket.label} words (n = {bucket.sentences})" for bucket in first]
    rows = []
    for variant in results.variants:
        by_seed = [buckets(results, variant, seed) for seed in results.seeds]
        cells = [results.shown(variant, "bleu", split) for split in splits]
        cells += [shown([found.scores["bleu"].score for found in column]) for column in zip(*by_seed, strict=True)]
        rows.append([f"`{variant}`", *cells])
    return Table(head, rows, "By source length: all test sets together.")


def draw(results: Results, output: Path) -> None:
    """Draw a line for each variant; of several seeds the first."""
    seed = results.seeds[0]
    series = {variant: buckets(results, variant, seed) for variant in results.variants}
    plot_by_length(series, output, title=f"BLEU by source length (seed {seed})")


def long_range(corpus: Corpus) -> Claim:
    """Claim that attention keeps a larger share of its BLEU on long sentences than the fixed vector does.

    A share, because a model that does badly on short sentences has few points to lose.
    """
    limit = corpus.long_from

    def check(results: Results) -> Verdict:
        kept: dict[str, list[float]] = {}
        # of the same sentences for every seed, so they do not become less with more of them
        margins = []
        for variant in (WITHOUT, WITH):
            found = [_kept(*_short_and_long(results, variant, seed, limit)) for seed in results.seeds]
            kept[variant] = [share for share, _ in found]
            margins.append(mean(margin for _, margin in found))
        differences = [more - less for more, less in zip(kept[WITH], kept[WITHOUT], strict=True)]
        noise = max(math.hypot(*margins), noise_over_seeds(differences))
        shares = [f"{variant} {mean(kept[variant]):.0%}" for variant in (WITHOUT, WITH)]
        text = (
            f"BLEU on long sentences, of that on short ones: {', '.join(shares)} (noise of the difference {noise:.0%})"
        )
        return decide(mean(differences), noise, text)

    return Claim(
        f"On long sentences ({limit} words and more) the fixed vector loses more of its BLEU than attention does",
        "Bahdanau et al. 2015, figure 2 and section 5.1",
        check,
    )


def _kept(short: tuple[float, float], long: tuple[float, float]) -> tuple[float, float]:
    """Return long over short, and half its 95 % interval, as if the two were independent; they are not: be careful."""
    if short[0] < LEAST:
        return math.nan, math.nan
    share = long[0] / short[0]
    return share, math.hypot(long[1], share * short[1]) / short[0]


def _short_and_long(results: Results, variant: str, seed: int, limit: int) -> list[tuple[float, float]]:
    """Return BLEU and half its interval, of short and of long sentences."""
    tests = results.corpus.tests
    lines = list(
        zip(results.sources(tests), results.hypotheses(variant, seed, tests), results.references(tests), strict=True)
    )
    parts: list[list[tuple[str, str]]] = [[], []]
    for source, hypothesis, reference in lines:
        parts[len(source.split()) >= limit].append((hypothesis, reference))
    return [_bleu(tuple(part)) if part else (math.nan, math.nan) for part in parts]


@functools.lru_cache(maxsize=64)
def _bleu(pairs: tuple[tuple[str, str], ...]) -> tuple[float, float]:
    hypotheses, references = zip(*pairs, strict=True)
    found = score_corpus(list(hypotheses), list(references), options=MetricOptions(resamples=RESAMPLES))["bleu"]
    return found.score, found.interval.margin if found.interval is not None else 0.0


def claims(corpus: Corpus) -> Sequence[Claim]:
    """Return what the paper says of the two."""
    overall = better(
        "Attention translates better than the fixed vector",
        "Bahdanau et al. 2015, table 1 (all sentences): RNNsearch-50 26.75, RNNencdec-50 17.82 BLEU",
        WITH,
        [WITHOUT],
    )
    return [overall, long_range(corpus)]


BAHDANAU_LENGTH = Reproduction(
    name="bahdanau-length",
    paper="Bahdanau, Cho and Bengio (2015), Neural Machine Translation by Jointly Learning to Align and Translate",
    claim="without attention BLEU falls as sentences get longer, with it it holds (figure 2)",
    variants=tuple(Variant(name, (f"model.attention={name}",)) for name in (WITHOUT, WITH)),
    claims=claims,
    table=length_table,
    draw=draw,
    departs=(
        "Cells are LSTMs, not the gated units of the paper; states have a quarter of its size or less.",
        "The fixed-vector model has the same encoder, which reads from both ends, and is told of the source once, "
        "before the first word; the paper's reads one way and is told at every step.",
        "The paper trains each model twice, on sentences up to 30 and up to 50 words; here there is one training text.",
    ),
    takes_more=True,
)
