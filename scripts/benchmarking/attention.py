"""What a step of training costs with each attention mechanism, as a ratio to ``luong-general``.

All mechanisms are measured in one process, in turns on the same batches, because a machine that others use, too,
changes its speed from one second to the next: only what ran side by side can be compared. A ratio is the median of
the ratios of single rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from seq2seq_attn import load_config
from seq2seq_attn.attention import attention_names, find_attention
from seq2seq_attn.config import Config
from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers import PAD
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.models.build import build_model
from seq2seq_attn.runtime import Precision, choose_device, choose_precision
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.optimizers import build_optimizer
from seq2seq_attn.training.updater import Updater

from .batches import Material, gather
from .machine import describe_machine
from .specs import Spec, parse_spec

BASELINE = "luong-general"
BASELINE_WIRING = "luong"


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        config: the YAML file that says everything but the attention.
        specs: mechanisms; none for all.
        steps: of each mechanism in a round.
        rounds: that are timed, after one that is not.
        wiring: of all mechanisms, the baseline included; None for that of each paper.
        overrides: of the configuration, for all mechanisms.
        synthetic: invent sentences even where the configuration's own are there.
    """

    config: Path
    specs: Sequence[str] = ()
    steps: int = 20
    rounds: int = 5
    wiring: str | None = None
    overrides: Sequence[str] = ()
    synthetic: bool = False


@dataclass(frozen=True)
class Contender:
    """One mechanism, ready to make steps."""

    name: str
    wiring: str
    parameters: int
    step: Callable[[Sequence[Batch]], object]


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, object]:
    """Measure and return everything that a reader of the numbers must know.

    Args:
        plan: what to measure.
        say: told what the batches are when they are not the configuration's own.

    Raises:
        ConfigError: if the configuration, a mechanism or a number is wrong.
    """
    for name, number in (("steps", plan.steps), ("rounds", plan.rounds)):
        if number < 1:
            raise ConfigError(f"--{name} {number}: has to be 1 or more")
    base = load_config(plan.config, list(plan.overrides))
    if base.model.architecture != "rnn":
        raise ConfigError(f"{plan.config}: compares attention of recurrent models; set model.architecture to rnn")
    if base.training.threads is not None:
        torch.set_num_threads(base.training.threads)
    device = choose_device(base.training.device)
    precision = choose_precision(base.training.precision, device)
    configs = _configs(plan)
    material = gather(base, plan.steps, synthetic=plan.synthetic)
    if material.synthetic:
        why = "" if plan.synthetic else f"the text of {plan.config} is not on this machine: "
        say(f"{why}measuring with {material.origin}")
    contenders = [
        _contender(name, config, material, device, precision)
        for name, config in tqdm(configs.items(), desc="building", unit="model", disable=None, leave=False)
    ]
    seconds = time_in_turns({one.name: one.step for one in contenders}, material.groups, plan.rounds, _clock(device))
    return {
        "benchmark": "attention",
        "config": str(plan.config),
        "machine": describe_machine(device, precision),
        "data": material.describe(),
        "baseline": {"name": BASELINE, "wiring": contenders[0].wiring},
        "steps": plan.steps,
        "rounds": plan.rounds,
        "mechanisms": [
            {
                "name": one.name,
                "wiring": one.wiring,
                "parameters": one.parameters,
                **summarize(seconds[one.name], seconds[BASELINE], steps=plan.steps, tokens=material.tokens),
            }
            for one in contenders
        ],
    }


def time_in_turns(
    steps: Mapping[str, Callable[[Sequence[Batch]], object]],
    groups: Sequence[Sequence[Batch]],
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, list[float]]:
    """Let everybody make every step, one after the other; return the seconds of each in each round.

    Who begins changes from step to step, so that nobody always follows the same one. A first round
    over a few batches, the longest among them, is not timed: memory is taken and code is chosen in it.
    """
    names = list(steps)
    longest = max(groups, key=lambda group: max(batch.source.numel() + batch.target_out.numel() for batch in group))
    for group in (longest, *groups[:2]):
        for name in names:
            steps[name](group)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    total = rounds * len(groups) * len(names)
    with tqdm(total=total, desc="measuring", unit="step", disable=None, leave=False) as bar:
        for round_number in range(rounds):
            spent = dict.fromkeys(names, 0.0)
            for number, group in enumerate(groups):
                first = (number + round_number) % len(names)
                for name in names[first:] + names[:first]:
                    begin = clock()
                    steps[name](group)
                    spent[name] += clock() - begin
                    bar.update()
            for name in names:
                seconds[name].append(spent[name])
    return seconds


def summarize(own: Sequence[float], baseline: Sequence[float], *, steps: int, tokens: int) -> dict[str, float]:
    """Turn seconds per round into what is shown.

    Args:
        own: seconds of each round.
        baseline: those of the mechanism compared with, in the same rounds.
        steps: in a round.
        tokens: target tokens in a round.
    """
    ratios = [mine / other for mine, other in zip(own, baseline, strict=True)]
    return {
        "milliseconds": 1000 * median(own) / steps,
        "best_milliseconds": 1000 * min(own) / steps,
        "ratio": median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "target_tokens_per_second": tokens / median(own),
    }


def format_table(found: dict[str, object]) -> str:
    """Write the result of :func:`measure` for people."""
    rows = found["mechanisms"]
    assert isinstance(rows, list)
    width = max(len(row["name"]) for row in rows)
    lines = [f"{'attention':<{width}}  {'wiring':<11}  ms/step  ratio  (of rounds)    target tokens/s   parameters"]
    for row in rows:
        name, wiring = f"{row['name']:<{width}}", f"{row['wiring']:<11}"
        ratio = f"{row['ratio']:5.2f}  {'({lowest_ratio:.2f}-{highest_ratio:.2f})'.format(**row):<13}"
        speed = f"{row['target_tokens_per_second']:15,.0f}"
        lines.append(f"{name}  {wiring}  {row['milliseconds']:7.1f}  {ratio}  {speed}  {row['parameters']:11,}")
    return "\n".join(lines)


def _configs(plan: Plan) -> dict[str, Config]:
    """Return the configuration of each contender, the baseline first."""
    specs = [parse_spec(text) for text in plan.specs or attention_names()]
    if BASELINE not in (spec.text for spec in specs):
        specs.insert(0, parse_spec(BASELINE))
    specs.sort(key=lambda spec: spec.text != BASELINE)
    return {spec.text: _config(plan, spec) for spec in specs}


def _config(plan: Plan, spec: Spec) -> Config:
    foreign = [setting for setting in spec.settings if not setting.startswith("model.")]
    if foreign:
        raise ConfigError(
            f"{spec.text!r}: {foreign[0]} is no part of the model; all mechanisms are trained alike here, "
            f"give it for all of them: {foreign[0]} without the +"
        )
    wiring = BASELINE_WIRING if spec.text == BASELINE else find_attention(spec.score).wiring
    return load_config(
        plan.config,
        [*plan.overrides, f"model.decoder.wiring={plan.wiring or wiring}", *spec.overrides()],
    )


def _contender(name: str, config: Config, material: Material, device: torch.device, precision: Precision) -> Contender:
    torch.manual_seed(config.seed)
    source, target = material.vocabularies
    model = build_model(config.model, source_vocabulary=source, target_vocabulary=target, padding=PAD).to(device)
    training = config.training
    updater = Updater(
        model,
        build_optimizer(model, **training.optimizer.model_dump()),
        device=device,
        precision=precision,
        objective=LikelihoodObjective(training.label_smoothing),
        clip_norm=training.clip_norm,
    )

    def step(group: Sequence[Batch]) -> object:
        return updater.update(group, training.optimizer.learning_rate)

    return Contender(name, config.model.decoder.wiring or "", model.num_parameters, step)


def _clock(device: torch.device) -> Callable[[], float]:
    def wait_and_look() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return wait_and_look if device.type == "cuda" else time.perf_counter
