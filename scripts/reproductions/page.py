"""The page of a reproduction: table, picture, what held, and where it departs from the paper."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from seq2seq_attn.files import write_atomic

from .claims import Claim, Verdict
from .plan import Plan
from .results import Results
from .speeds import SpeedPoint
from .tables import Table, row

PAGE, PICTURE, NUMBERS = "table.md", "plot.png", "results.json"

NOISE = (
    "*Held* and *did not reproduce* are said of differences beyond noise only. With one seed that is approximate "
    "randomization over the sentences (BLEU, p < 0.05); with several seeds a difference also has to be beyond the 95 % "
    "of Student's t over the seeds. One seed does not tell the noise of anything but BLEU. What is within noise is "
    "*not decided*."
)


def write_page(plan: Plan, results: Results) -> str:
    """Write table, picture and numbers into the output folder; return the page."""
    claims = [one for one in plan.reproduction.claims(plan.corpus) if set(one.about) <= set(results.variants)]
    judged = [(claim, claim.check(results)) for claim in claims]
    table = plan.reproduction.table(results)
    page = format_page(plan, results, table, judged)
    plan.reproduction.draw(results, plan.output / PICTURE)
    write_atomic(
        plan.output / NUMBERS, json.dumps(_numbers(plan, results, judged), indent=1, ensure_ascii=False) + "\n"
    )
    write_atomic(plan.output / PAGE, page)
    return page


def format_page(plan: Plan, results: Results, table: Table, judged: Sequence[tuple[Claim, Verdict]]) -> str:
    """Write the page in Markdown."""
    reproduction, corpus = plan.reproduction, plan.corpus
    options = [*reproduction.options, "--seeds", *map(str, results.seeds), *plan.overrides]
    command = shlex.join(["python", "scripts/reproduce.py", reproduction.name, "--corpus", corpus.name, *options])
    departs = [corpus.departs, *reproduction.departs]
    if reproduction.aligns and not corpus.has_gold:
        departs.append(
            f"Nobody linked the words of {corpus.name}, so there is no alignment error rate, and claims about it are "
            "left out; the toy corpus has one."
        )
    claims = [row(["the paper says", "where", "here", "evidence"]), row(["---"] * 4)]
    for claim, verdict in judged:
        claims.append(row([claim.text, claim.source, f"**{verdict.finding.value}**", verdict.evidence]))
    machines = "; ".join(sorted({outcome.machine for outcome in results.outcomes.values()}))
    parts = [
        f"# {reproduction.name} on {corpus.name}",
        f"{reproduction.paper}: {reproduction.claim}.",
        f"    {command}",
        table.markdown().rstrip("\n"),
        f"(`{results.signature}`; {machines})",
        f"![{reproduction.name} on {corpus.name}]({PICTURE})",
        "## Did it hold?",
        "\n".join(claims),
        NOISE,
        "## Where this departs from the paper",
        "\n".join(f"- {line}" for line in departs),
    ]
    return "\n\n".join(parts) + "\n"


def _numbers(plan: Plan, results: Results, judged: Sequence[tuple[Claim, Verdict]]) -> dict[str, object]:
    return {
        "reproduction": plan.reproduction.name,
        "corpus": plan.corpus.name,
        "seeds": list(results.seeds),
        "overrides": list(plan.overrides),
        "signature": results.signature,
        "claims": [{"text": claim.text, "source": claim.source, **verdict.to_dict()} for claim, verdict in judged],
        "outcomes": [
            {
                "variant": one.variant,
                "seed": one.seed,
                "parameters": one.parameters,
                "minutes": one.minutes,
                "machine": one.machine,
                "scores": one.scores,
            }
            for one in results.outcomes.values()
        ],
        "speeds": [_speed(point) for point in results.speeds],
    }


def _speed(point: SpeedPoint) -> dict[str, object]:
    return {
        "kind": point.kind,
        "size": point.size,
        "length": point.length,
        "parameters": point.parameters,
        "target_tokens_per_second": point.training,
        "sentences_per_second": point.decoding,
        "machine": point.machine,
    }


def page_of(output: Path) -> Path:
    """Return where the page is."""
    return output / PAGE
