"""How fast a configuration trains, and how near that is to what the machine can do.

All precisions are measured in one process, in turns on the same batches: a machine that others use, too, changes its
speed from one second to the next, so that only what ran side by side can be compared.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from seq2seq_attn import load_config
from seq2seq_attn.config import Config
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers import PAD
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.experiment.updating import build_updater
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision, choose_device, choose_precision

from .against import run_other
from .batches import Stock, endless, open_stock
from .machine import describe_machine
from .products import ProductRecorder, Seconds, seconds_alone


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        config: the YAML file.
        precisions: of the matrix products; none for that of the configuration.
        steps: of the optimizer in a round.
        rounds: that are timed, after one that is not.
        overrides: of the configuration.
        synthetic: invent sentences even where the configuration's own are there.
        against: another program that trains on the same sentences.
    """

    config: Path
    precisions: Sequence[str] = ()
    steps: int = 20
    rounds: int = 5
    overrides: Sequence[str] = ()
    synthetic: bool = False
    against: str | None = None


@dataclass
class Way:
    """One precision, and what was measured of it."""

    precision: Precision
    parameters: int
    step: Callable[[Sequence[Batch]], object]
    speeds: list[float] = field(default_factory=list)  # target tokens per second, round by round
    shares: list[Seconds] = field(default_factory=list)  # of the limits in the seconds, round by round
    flops_per_token: float = 0.0


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure and return everything that a reader of the numbers must know.

    Args:
        plan: what to measure.
        say: told what the batches are when they are not the configuration's own.

    Raises:
        ConfigError: if the configuration or a number is wrong, or the machine lacks a precision.
    """
    for name, number in (("steps", plan.steps), ("rounds", plan.rounds)):
        if number < 1:
            raise ConfigError(f"--{name} {number}: has to be 1 or more")
    config = load_config(plan.config, list(plan.overrides))
    if config.training.guided_alignment.weight:
        raise ConfigError("training.guided_alignment: batches here have no alignments; leave it out")
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    device = choose_device(config.training.device)
    stock = open_stock(config, synthetic=plan.synthetic)
    if stock.synthetic:
        why = "" if plan.synthetic else f"the text of {plan.config} is not on this machine: "
        say(f"{why}measuring with {stock.origin}")
    names = plan.precisions or (config.training.precision,)
    ways = [_way(config, stock, choose_precision(name, device), device) for name in names]
    batches = endless(stock.loader)
    others: list[float] = []
    with tqdm(total=(plan.rounds + 1) * len(ways), desc="measuring", unit="round", disable=None, leave=False) as bar:
        for number in range(plan.rounds + 1):
            groups = [list(islice(batches, config.training.accumulate)) for _ in range(plan.steps)]
            for way in ways:
                _round(way, groups, device, keep=number > 0)
                bar.update()
            if plan.against is not None and number > 0:
                others.append(_other(plan.against))
    tokens, positions = _padding(stock, plan.steps)
    return {
        "benchmark": "train",
        "config": str(plan.config),
        "machine": describe_machine(device, ways[0].precision),
        "data": {"origin": stock.origin, "synthetic": stock.synthetic, "vocabularies": list(stock.vocabularies)},
        "parameters": ways[0].parameters,
        "steps": plan.steps,
        "rounds": plan.rounds,
        "padding_share": 1 - tokens / positions,
        "peak_memory_mib": _peak_memory(device),
        "ways": [_report(way, ways[0], others) for way in ways],
        "against": None if plan.against is None else {"command": plan.against, "tokens_per_second": median(others)},
    }


def format_table(found: dict[str, Any]) -> str:
    """Return the measurements as a table for a terminal."""
    head = ("precision", "target tokens/s", "ratio", "of limit", "of fastest", "MFLOP/token")
    rows = [head]
    for way in found["ways"]:
        shares = (f"{way[limit]:.0%}" for limit in ("share_of_limit", "share_of_fastest_limit"))
        speed, work = f"{way['tokens_per_second']:,.0f}", f"{way['flops_per_token'] / 1e6:.1f}"
        rows.append((way["precision"], speed, f"{way['ratio']:.2f}", *shares, work))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(
        f"{found['parameters']:,} parameters, {found['machine']['threads']} threads, median of {found['rounds']} "
        f"rounds of {found['steps']} steps; {found['padding_share']:.1%} of all positions are padding; "
        f"peak memory {found['peak_memory_mib']:,.0f} MiB"
    )
    if found["against"]:
        speed = found["against"]["tokens_per_second"]
        lines.append(f"against: {speed:,.0f} target tokens/s ({found['against']['command']})")
    return "\n".join(lines)


def _way(config: Config, stock: Stock, precision: Precision, device: torch.device) -> Way:
    torch.manual_seed(config.seed)
    source, target = stock.vocabularies
    model = build_model(config.model, source_vocabulary=source, target_vocabulary=target, padding=PAD).to(device)
    updater = build_updater(config.training, model, precision)
    rate = config.training.optimizer.learning_rate
    return Way(precision, model.num_parameters, lambda group: updater.update(group, rate))


def _round(way: Way, groups: Sequence[Sequence[Batch]], device: torch.device, *, keep: bool) -> None:
    """Make the steps of a round, then see what its products take by themselves while the machine is as it is."""
    tokens = sum(batch.target_tokens for group in groups for batch in group)
    begin = time.perf_counter()
    for group in groups:
        way.step(group)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - begin
    if not keep:
        return
    # all groups would be recorded in vain: their shapes are as good as the same
    some = groups[:: max(1, len(groups) // 4)]
    with ProductRecorder() as recorder:
        for group in some:
            way.step(group)
    counted = sum(batch.target_tokens for group in some for batch in group)
    way.flops_per_token = sum(shape.flops * number for shape, number in recorder.shapes.items()) / counted
    way.speeds.append(tokens / seconds)
    alone = seconds_alone(recorder.shapes, device)
    way.shares.append(Seconds(*(limit / counted * tokens / seconds for limit in alone)))


def _report(way: Way, baseline: Way, others: Sequence[float]) -> dict[str, object]:
    return {
        "precision": way.precision.name,
        "tokens_per_second": median(way.speeds),
        "ratio": median(speed / other for speed, other in zip(way.speeds, baseline.speeds, strict=True)),
        "ratio_to_against": median(map(lambda s, o: s / o, way.speeds, others)) if others else None,
        "share_of_limit": median(share.plain for share in way.shares),
        "share_of_fastest_limit": median(share.fastest for share in way.shares),
        "flops_per_token": way.flops_per_token,
        "rounds": way.speeds,
    }


def _padding(stock: Stock, steps: int) -> tuple[int, int]:
    """Count tokens and positions, source and target, of the first batches."""
    tokens = positions = 0
    for batch in islice(endless(stock.loader), 10 * steps):
        tokens += int(batch.source_lengths.sum()) + batch.target_tokens
        positions += batch.source.numel() + batch.target_in.numel()
    return tokens, positions


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _other(command: str) -> float:
    """Run another program and return the speed that it prints."""
    speed = run_other(command, "tokens_per_second").speed
    if speed is None:
        raise ConfigError('--against: the command printed no line of JSON with "tokens_per_second"')
    return speed
