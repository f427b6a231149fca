"""How fast a trained run translates, in each precision, and how near that is to what the machine can do.

All ways are measured in one process, in turns on the same sentences: a machine that others use, too, changes its
speed from one second to the next. The *arithmetic limit* is the time that the matrix products alone would take:
every product of the search is counted, and each matrix is timed by itself, in the same precision, after every round.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from seq2seq_attn.checkpoint import Checkpoint, load_checkpoint
from seq2seq_attn.data.batching import collate_source
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.data.tokenizers import BOS, EOS, PAD, UNK, Tokenizers
from seq2seq_attn.decoding import BeamSearch, GreedySearch, LengthLimit, Scoring, Search, StepModel
from seq2seq_attn.errors import ConfigError, DataError
from seq2seq_attn.evaluation.metrics import score_corpus
from seq2seq_attn.exported import open_exported
from seq2seq_attn.inference import PreparedModel
from seq2seq_attn.runtime import Precision

from .against import run_other
from .counting import ProductCounter
from .machine import describe_machine

MODEL = "model"
"""The model as it was trained, without preparation: what the others are compared with."""

PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        run: a trained run.
        source: sentences, one per line.
        reference: their translations, for BLEU; None: none.
        beam_sizes: 1 is greedy search.
        precisions: of the prepared model; ``model`` is the model without preparation; None: all that this CPU has.
        exported: folders of the same model, exported to ONNX.
        batch_sentences: translated at once.
        rounds: that are timed, after one that is not.
        threads: of the CPU; None: as torch chooses.
        against: another program that translates the same sentences.
    """

    run: Path
    source: Path
    reference: Path | None = None
    beam_sizes: Sequence[int] = (1, 5)
    precisions: Sequence[str] | None = None
    exported: Sequence[Path] = ()
    batch_sentences: int = 64
    rounds: int = 3
    threads: int | None = 1
    against: str | None = None


@dataclass
class Way:
    """One way to translate, and what was measured of it."""

    name: str
    beam_size: int
    translate: Callable[[Sequence[str]], list[str]]
    limit: Callable[[], float] | None = None  # seconds that the matrix products alone take now
    seconds: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)  # of the limit in the seconds, round by round
    bleu: float | None = None


def measure(plan: Plan) -> dict[str, object]:
    """Measure and return everything that a reader of the numbers must know.

    Raises:
        ConfigError: if a number is wrong, or the machine lacks a precision.
        DataError: if a file is missing, or there is nothing in it.
    """
    if plan.rounds < 1 or plan.batch_sentences < 1:
        raise ConfigError("--rounds and --batch-size must be at least 1")
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    texts = [line for line in read_lines(plan.source) if line.strip()]
    if not texts:
        raise DataError(f"{plan.source}: there is nothing to translate")
    references = None if plan.reference is None else list(read_lines(plan.reference))
    checkpoint = load_checkpoint(plan.run, device="cpu")
    precisions = _precisions_here(checkpoint) if plan.precisions is None else plan.precisions
    ways = []
    for size in plan.beam_sizes:
        ways += [_way(checkpoint, name, size, plan, texts) for name in precisions]
        ways += [_exported_way(checkpoint, folder, size, plan) for folder in plan.exported]
    others: list[float] = []
    steps = plan.rounds * (len(ways) + (plan.against is not None)) + len(ways)
    with tqdm(total=steps, desc="measuring", unit="translation", disable=None, leave=False) as bar:
        for way in ways:
            found = way.translate(texts)
            if references is not None:
                way.bleu = score_corpus(found, references)["bleu"].score
            bar.update()
        for _ in range(plan.rounds):
            for way in ways:
                way.seconds.append(_timed(lambda way=way: way.translate(texts)))  # type: ignore[misc]
                if way.limit is not None:
                    way.shares.append(way.limit() / way.seconds[-1])
                bar.update()
            if plan.against is not None:
                others.append(_other(plan.against, len(texts)))
                bar.update()
    few = texts[: max(1, len(texts) // 4)]
    fastest = min(ways, key=lambda way: median(way.seconds))
    flat = _timed(lambda: fastest.translate(few)) / len(few) / (median(fastest.seconds) / len(texts))
    return {
        "machine": describe_machine(torch.device("cpu"), Precision(torch.float32, "as each way says")),
        "run": str(plan.run),
        "sentences": len(texts),
        "batch_sentences": plan.batch_sentences,
        "rounds": plan.rounds,
        "ways": [_report(way, ways, len(texts), others) for way in ways],
        "against": None if plan.against is None else {"command": plan.against, "sentences_per_second": median(others)},
        "cost_of_a_sentence_among_a_quarter_of_them": flat,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def format_table(found: dict[str, Any]) -> str:
    """Return the measurements as a table for a terminal."""
    head = ("search", "products", "sentences/s", "x model", "of limit", "BLEU")
    rows = [head]
    for way in found["ways"]:
        rows.append(
            (
                "greedy" if way["beam_size"] == 1 else f"beam {way['beam_size']}",
                way["products"],
                f"{way['sentences_per_second']:.1f}",
                "-" if way["ratio_to_model"] is None else f"{way['ratio_to_model']:.2f}",
                "-" if way["share_of_limit"] is None else f"{way['share_of_limit']:.0%}",
                "-" if way["bleu"] is None else f"{way['bleu']:.2f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(
        f"{found['sentences']:,} sentences, batches of {found['batch_sentences']}, {found['machine']['threads']} "
        f"threads, median of {found['rounds']} rounds; peak memory {found['peak_memory_mib']:.0f} MiB; one among "
        f"a quarter of the sentences costs {found['cost_of_a_sentence_among_a_quarter_of_them']:.2f} times as much"
    )
    if found["against"]:
        lines.append(
            f"against: {found['against']['sentences_per_second']:.1f} sentences/s ({found['against']['command']})"
        )
    return "\n".join(lines)


def _report(way: Way, ways: Sequence[Way], sentences: int, others: Sequence[float]) -> dict[str, object]:
    seconds = median(way.seconds)
    baseline = next((other for other in ways if other.name == MODEL and other.beam_size == way.beam_size), None)
    ratios = None if baseline is None else [b / w for b, w in zip(baseline.seconds, way.seconds, strict=True)]
    return {
        "beam_size": way.beam_size,
        "products": way.name,
        "sentences_per_second": sentences / seconds,
        "seconds": way.seconds,
        "ratio_to_model": None if ratios is None else median(ratios),
        "ratio_to_against": sentences / seconds / median(others) if others else None,
        "share_of_limit": median(way.shares) if way.shares else None,
        "bleu": way.bleu,
    }


def _way(checkpoint: Checkpoint, name: str, beam_size: int, plan: Plan, texts: Sequence[str]) -> Way:
    search = _search(beam_size)
    if name == MODEL:
        model = checkpoint.model
        return Way(name, beam_size, _translator(checkpoint.tokenizer, model, search, plan.batch_sentences))
    prepared = PreparedModel(checkpoint.model, name)
    counter = ProductCounter()
    counted = PreparedModel(checkpoint.model, name, watch=counter.watch)
    _translator(checkpoint.tokenizer, counted, search, plan.batch_sentences)(texts)
    translate = _translator(checkpoint.tokenizer, prepared, search, plan.batch_sentences)
    return Way(name, beam_size, translate, counter.fastest_seconds)


def _precisions_here(checkpoint: Checkpoint) -> list[str]:
    """Return the precisions that this CPU multiplies in; one alone that it lacks is an error when it is asked for."""
    found = [MODEL]
    for name in PRECISIONS:
        with contextlib.suppress(ConfigError):
            PreparedModel(checkpoint.model, name)
            found.append(name)
    return found


def _exported_way(checkpoint: Checkpoint, folder: Path, beam_size: int, plan: Plan) -> Way:
    found = open_exported(folder, threads=plan.threads)
    sizes = {"parameters": (found.manifest.parameters, checkpoint.model.num_parameters)}
    tokenizers = checkpoint.tokenizer
    sizes["target tokens"] = (len(found.tokenizers.target), len(tokenizers.target))
    for what, (there, here) in sizes.items():
        if there != here:
            raise ConfigError(
                f"{folder}: was exported from another model than {plan.run}: it has {there:,} {what}, the run {here:,}"
            )
    model: StepModel[Any] = found.model
    translate = _translator(found.tokenizers, model, _search(beam_size), plan.batch_sentences, torch.Tensor.numpy)
    return Way(f"exported {found.manifest.precision}", beam_size, translate)


def _search(beam_size: int) -> Search:
    limit, forbidden = LengthLimit(ratio=2.0), (PAD, UNK)
    if beam_size == 1:
        return GreedySearch(bos=BOS, eos=EOS, forbidden=forbidden, limit=limit)
    return BeamSearch(bos=BOS, eos=EOS, beam_size=beam_size, scoring=Scoring(), forbidden=forbidden, limit=limit)


def _translator(
    tokenizers: Tokenizers,
    model: StepModel[Any],
    search: Search,
    size: int,
    convert: Callable[[Tensor], Any] = lambda tensor: tensor,
) -> Callable[[Sequence[str]], list[str]]:
    """Return a function that translates, ``size`` sentences of about one length at once.

    ``convert`` makes of a tensor of token ids what the model reads.
    """

    def translate(texts: Sequence[str]) -> list[str]:
        encoded = tokenizers.source.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda number: len(encoded[number]), reverse=True)
        found = [""] * len(texts)
        for begin in range(0, len(order), size):
            numbers = order[begin : begin + size]
            source, lengths = collate_source([encoded[number] for number in numbers])
            for number, hypotheses in zip(numbers, search(model, convert(source), convert(lengths)), strict=True):
                found[number] = tokenizers.target.decode(hypotheses[0].tokens)
        return found

    return translate


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _other(command: str, sentences: int) -> float:
    """Run another program; believe the speed that it prints, or take its time from start to end."""
    other = run_other(command, "sentences_per_second")
    return sentences / other.seconds if other.speed is None else other.speed
