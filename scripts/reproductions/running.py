"""From a plan to results: what is finished is read, what was begun goes on, the rest is trained and measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seq2seq_attn import Config, Translator, train
from seq2seq_attn.experiment.run_folder import METRICS
from seq2seq_attn.experiment.splits import read_split
from seq2seq_attn.visualization.picture import check_drawing

from .lexicon import make_lexicon
from .measuring import measure
from .outcome import Outcome, read_outcome
from .plan import Plan
from .reproduction import Variant
from .results import Judged, Results
from .speeds import SpeedPoint, machine_of, measure_speeds

LEXICON = "lexicon.tsv"


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)


def run_plan(plan: Plan) -> Results:
    """Do everything that is not done yet, and return all results.

    Raises:
        ConfigError: if the settings are wrong, or the folder was begun with others.
        DataError: if the text or a file of an earlier start is missing or damaged.
        Interrupted: after Ctrl-C or SIGTERM while training; the same plan goes on from there.
        MissingExtra: if nothing can be drawn here.
    """
    check_drawing("the picture of a reproduction")
    plan.begin()
    wanted = [(variant, seed) for seed in plan.seeds for variant in plan.reproduction.variants]
    outcomes = {}
    for number, (variant, seed) in enumerate(wanted, start=1):
        path = plan.outcome(variant, seed)
        there = path.exists()
        say(f"-- {variant.name}, seed {seed} ({number} of {len(wanted)}){': there already' * there}")
        if not there:
            _make(plan, variant, seed).write(path)
        outcomes[variant.name, seed] = read_outcome(path)
    config = plan.config(plan.reproduction.variants[0], plan.seeds[0])
    pairs = {name: read_split(config, name) for name in plan.corpus.tests}
    return Results(
        corpus=plan.corpus,
        variants=[variant.name for variant in plan.reproduction.variants],
        seeds=plan.seeds,
        outcomes=outcomes,
        tests={
            name: Judged([one.source for one in them], [one.target for one in them]) for name, them in pairs.items()
        },
        speeds=_speeds(plan),
    )


def _make(plan: Plan, variant: Variant, seed: int) -> Outcome:
    """Train one variant from one seed, or go on, and measure it."""
    config, folder = plan.config(variant, seed), plan.run(variant, seed)
    # test sets are translated once, when the model is measured
    untested = config.model_copy(update={"data": config.data.model_copy(update={"test": {}})})
    train(untested, output=folder, resume=True)
    translator = Translator.load(folder, device=config.training.device)
    decoding = translator.decoding
    if variant.replaces_unknown:
        lexicon = folder / LEXICON
        make_lexicon(translator, read_split(config, "train"), lexicon)
        decoding = decoding.model_copy(update={"replace_unknown": True, "lexicon": str(lexicon)})
    measured = measure(translator, config, decoding=decoding)
    return Outcome(
        variant=variant.name,
        seed=seed,
        parameters=translator.trained("counting parameters").num_parameters,
        minutes=_minutes(folder / METRICS),
        machine=machine_of(config),
        signature=measured.signature,
        scores=measured.scores,
        hypotheses=measured.hypotheses,
    )


def _speeds(plan: Plan) -> list[SpeedPoint]:
    reproduction = plan.reproduction
    if reproduction.grid is None or reproduction.sized is None:
        return []
    grid = reproduction.grid[plan.corpus.name]
    configs: dict[tuple[str, int], Config] = {
        (variant.name, size): _of_size(plan, variant, size) for variant in reproduction.variants for size in grid.sizes
    }
    return measure_speeds(configs, grid, plan.output / "speeds", say)


def _of_size(plan: Plan, variant: Variant, size: int) -> Config:
    assert plan.reproduction.sized is not None
    config = plan.config(variant, plan.seeds[0])
    return config.model_copy(update={"model": plan.reproduction.sized(config.model, size)})


def _minutes(path: Path) -> float:
    lines = path.read_text(encoding="utf-8").splitlines()
    return max((json.loads(line).get("seconds", 0.0) for line in lines), default=0.0) / 60
