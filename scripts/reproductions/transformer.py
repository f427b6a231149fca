"""What the Transformer bought: quality, and speed as sentences and models grow. Vaswani et al. (2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seq2seq_attn.config.schema import ModelConfig

from .claims import Claim, Finding, Verdict, all_of
from .corpora import Corpus
from .noise import better
from .outcome import BLEU, PERPLEXITY
from .pictures import draw_lines
from .reproduction import Reproduction, Variant
from .results import Results
from .speeds import Grid, SpeedPoint
from .tables import Table, row, score_table

LSTM, TRANSFORMER = "LSTM", "Transformer"
LAYERS = 2
SETTINGS = (
    "model.architecture=transformer",
    "model.embedding_size=128",
    "model.dropout=0.1",
    f"model.transformer={{encoder_layers: {LAYERS}, decoder_layers: {LAYERS}, heads: 4, feed_forward_size: 256}}",
    "training.optimizer.learning_rate=0.003",
    "training.schedule.warmup_steps=300",
)
"""About as many parameters as the LSTM has on the toy corpus; it learns with a longer warm-up."""


def _sized(model: ModelConfig, size: int) -> ModelConfig:
    """Give the states of a network ``size`` features."""
    sizes = {
        "transformer": model.transformer.model_copy(update={"feed_forward_size": 2 * size}),
        "encoder": model.encoder.model_copy(update={"hidden_size": size // 2}),
        "decoder": model.decoder.model_copy(update={"hidden_size": size}),
    }
    return model.model_copy(update={"embedding_size": size, **sizes})


def pairs_of(results: Results) -> list[tuple[SpeedPoint, SpeedPoint]]:
    """Return what was measured at each size and length, the LSTM first."""
    found = {(one.kind, one.size, one.length): one for one in results.speeds}
    return [(found[LSTM, size, length], one) for (kind, size, length), one in found.items() if kind == TRANSFORMER]


def ratios(lstm: SpeedPoint, transformer: SpeedPoint) -> list[float]:
    """Return how many times as fast the Transformer trains, round by round."""
    return [ours / theirs for theirs, ours in zip(lstm.training, transformer.training, strict=True)]


def faster_everywhere(results: Results) -> Verdict:
    """Look whether the Transformer trains faster at every size and length, in every round."""
    verdicts = []
    for lstm, transformer in pairs_of(results):
        found = ratios(lstm, transformer)
        finding = Finding.HELD if min(found) > 1 else Finding.NOT_HELD if max(found) < 1 else Finding.NOT_DECIDED
        where = f"size {lstm.size}, length {lstm.length}"
        verdicts.append(Verdict(finding, f"{where}: {min(found):.2f} to {max(found):.2f} times"))
    return all_of(verdicts)


def gains_with_length(results: Results) -> Verdict:
    """Look whether the Transformer's advantage is larger with the longest sentences than with the shortest."""
    verdicts = []
    for size in dict.fromkeys(point.size for point in results.speeds):
        pairs = sorted((pair for pair in pairs_of(results) if pair[0].size == size), key=lambda pair: pair[0].length)
        short, long = ratios(*pairs[0]), ratios(*pairs[-1])
        finding = Finding.NOT_DECIDED
        if min(long) > max(short) or max(long) < min(short):
            finding = Finding.HELD if min(long) > max(short) else Finding.NOT_HELD
        ranges = [f"{min(found):.2f} to {max(found):.2f}" for found in (short, long)]
        lengths = [pair[0].length for pair in (pairs[0], pairs[-1])]
        verdicts.append(
            Verdict(
                finding, f"size {size}: {ranges[0]} times at {lengths[0]}, {ranges[1]} times at {lengths[1]} tokens"
            )
        )
    return all_of(verdicts)


def _claims(corpus: Corpus) -> Sequence[Claim]:
    del corpus
    return [
        better(
            "The Transformer translates better than the recurrent model",
            "Vaswani et al. 2017, table 2, English to German: base model 27.3, GNMT with RL 24.6 BLEU",
            TRANSFORMER,
            [LSTM],
        ),
        Claim(
            "The Transformer trains faster than the recurrent model, at every size and length",
            "Vaswani et al. 2017, table 2 (training cost) and section 4",
            faster_everywhere,
        ),
        Claim(
            "The longer the sentences, the larger its advantage in training: no position waits for another",
            "Vaswani et al. 2017, table 1 (sequential operations)",
            gains_with_length,
        ),
    ]


def _table(results: Results) -> Table:
    quality = score_table(results, [BLEU, PERPLEXITY])
    head = ["size", "length", *(f"{kind}: {what}" for what in ("training", "decoding") for kind in (LSTM, TRANSFORMER))]
    lines = [row([*head, "parameters"]), row(["---:"] * (len(head) + 1))]
    for pair in pairs_of(results):
        cells = [f"{one.training_speed:,.0f}" for one in pair] + [f"{one.decoding_speed:,.1f}" for one in pair]
        parameters = " and ".join(f"{one.parameters:,}" for one in pair)
        lines.append(row([f"{pair[0].size}", f"{pair[0].length}", *cells, parameters]))
    machines = "; ".join(sorted({point.machine for point in results.speeds}))
    speeds = (
        "Speeds were measured on this machine, and hold for it alone "
        f"({machines}): target tokens per second in training, sentences per second in greedy decoding, medians over "
        "rounds in which both took turns.\n\n" + "\n".join(lines)
    )
    return Table(quality.head, quality.rows, "\n\n".join(part for part in (quality.note, speeds) if part))


def _draw(results: Results, output: Path) -> None:
    kinds: dict[str, Callable[[SpeedPoint], float]] = {
        "training: target tokens / second": lambda point: point.training_speed,
        "decoding: sentences / second": lambda point: point.decoding_speed,
    }
    names = list(dict.fromkeys((point.kind, point.size) for point in results.speeds))
    panels = {
        title: {
            f"{kind}, {size}": [
                (point.length, speed(point)) for point in results.speeds if (point.kind, point.size) == (kind, size)
            ]
            for kind, size in names
        }
        for title, speed in kinds.items()
    }
    draw_lines(panels, output, title="Speed on this machine", across="tokens in a sentence")


TRANSFORMER_BOUGHT = Reproduction(
    name="transformer",
    paper="Vaswani et al. (2017), Attention Is All You Need",
    claim="better translations than recurrent models, for less training: no step waits for the one before it",
    variants=(Variant(LSTM), Variant(TRANSFORMER, SETTINGS)),
    claims=_claims,
    table=_table,
    draw=_draw,
    departs=(
        f"{LAYERS} layers in encoder and decoder, not 6, with layers normalized before instead of behind their parts.",
        "The recurrent model is a single LSTM layer with attention; the paper compares with stacks of eight layers.",
        "The paper trained on eight GPUs, where parallel work is nearly free; on a CPU every product takes its time, "
        "parallel or not.",
    ),
    grid={
        "toy": Grid(sizes=(64, 128, 256), lengths=(10, 20, 40, 80)),
        "multi30k": Grid(),
        "tatoeba": Grid(),
    },
    sized=_sized,
)
