"""The command line of ``scripts/benchmark.py``: a verb for each thing that is measured."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_attn.cli.pipes import drop_output
from seq2seq_attn.errors import Seq2SeqError


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmark.py", description="Measure what things cost on this machine.")
    verbs = parser.add_subparsers(title="what to measure", required=True, metavar="VERB")
    for name, summary, add_options, run in VERBS:
        verb = verbs.add_parser(name, help=summary, description=summary)
        add_options(verb)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        verb.set_defaults(run=run)
    options = parser.parse_args(arguments)
    try:
        found, text = options.run(options)
    except Seq2SeqError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("benchmark: interrupted", file=sys.stderr)
        return 130
    try:
        print(json.dumps(found, ensure_ascii=False) if options.json else text, flush=True)
    except BrokenPipeError:
        drop_output()
    return 0


def _attention_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("configs/benchmark.yaml"), help="default: %(default)s")
    parser.add_argument(
        "--attention",
        action="append",
        metavar="NAME",
        help="a mechanism, with parts if wanted: bahdanau+coverage=sum; may be repeated; default: all there are",
    )
    parser.add_argument("--steps", type=int, default=20, help="steps of each in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are timed (default: %(default)s)")
    parser.add_argument("--wiring", help="of all mechanisms, the baseline included; default: as in each paper")
    parser.add_argument("--precision", help="auto, float32, bfloat16 or float16; default: as the configuration")
    parser.add_argument("--threads", type=int, help="CPU threads; default: as the configuration")
    parser.add_argument("--synthetic", action="store_true", help="invent sentences, whatever text there is")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="of the configuration")


def _attention(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    # inside: torch takes seconds to load, and --help should not wait for it
    from .attention import Plan, format_table, measure

    overrides = list(options.overrides)
    overrides += [f"training.precision={options.precision}"] if options.precision else []
    overrides += [f"training.threads={options.threads}"] if options.threads is not None else []
    plan = Plan(
        config=options.config,
        specs=options.attention or (),
        steps=options.steps,
        rounds=options.rounds,
        wiring=options.wiring,
        overrides=overrides,
        synthetic=options.synthetic,
    )
    found = measure(plan, lambda line: print(line, file=sys.stderr))
    return found, format_table(found)


def _translate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="RUN", help="a trained run")
    parser.add_argument("--source", type=Path, required=True, help="sentences, one per line; .gz too")
    parser.add_argument("--reference", type=Path, help="their translations, for BLEU")
    parser.add_argument(
        "--beam-size", type=int, action="append", metavar="N", help="1 is greedy; may be repeated; default: 1 and 5"
    )
    parser.add_argument(
        "--precision",
        action="append",
        metavar="NAME",
        help="float32, bfloat16, int8, or model (as trained); may be repeated; default: all that this CPU has",
    )
    parser.add_argument(
        "--exported",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="the same run, exported to ONNX; may be repeated",
    )
    parser.add_argument("--batch-size", type=int, default=64, help="sentences at once (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are timed (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--against",
        metavar="COMMAND",
        help="another program that translates the same sentences, run in turn; a line of JSON with "
        "sentences_per_second on its output is believed, else the time from its start to its end counts",
    )


def _translate(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    from .translate import Plan, format_table, measure

    plan = Plan(
        run=options.folder,
        source=options.source,
        reference=options.reference,
        beam_sizes=options.beam_size or Plan.beam_sizes,
        precisions=options.precision,
        exported=options.exported or (),
        batch_sentences=options.batch_size,
        rounds=options.rounds,
        threads=options.threads,
        against=options.against,
    )
    found = measure(plan)
    return found, format_table(found)


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("configs/benchmark.yaml"), help="default: %(default)s")
    parser.add_argument(
        "--precision",
        action="append",
        metavar="NAME",
        help="float32, bfloat16, float16 or auto; may be repeated; default: as the configuration",
    )
    parser.add_argument("--steps", type=int, default=20, help="steps in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are timed (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads; default: as the configuration")
    parser.add_argument("--synthetic", action="store_true", help="invent sentences, whatever text there is")
    parser.add_argument(
        "--against",
        metavar="COMMAND",
        help="another program that trains, run in turn; it must print a line of JSON with tokens_per_second",
    )
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="of the configuration")


def _train(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    from .train import Plan, format_table, measure

    overrides = list(options.overrides)
    overrides += [f"training.threads={options.threads}"] if options.threads is not None else []
    plan = Plan(
        config=options.config,
        precisions=options.precision or (),
        steps=options.steps,
        rounds=options.rounds,
        overrides=overrides,
        synthetic=options.synthetic,
        against=options.against,
    )
    found = measure(plan, lambda line: print(line, file=sys.stderr))
    return found, format_table(found)


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", help="a trained run, or an exported model")
    parser.add_argument("--source", type=Path, required=True, help="sentences, one per line; .gz too")
    parser.add_argument("--clients", type=int, default=64, help="clients at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of four loads (default: %(default)s)")
    parser.add_argument(
        "--overload",
        type=int,
        default=10,
        metavar="N",
        help="the last two loads have N times the clients (default: 10)",
    )
    parser.add_argument("--beam-size", type=int, metavar="N", help="1 is greedy; default: as configured")
    parser.add_argument(
        "--option", action="append", metavar="OPTION", help="of serve, such as --option=--batch-size=32"
    )


def _serve(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    from .serve import Plan, format_text, measure

    plan = Plan(
        run=options.folder,
        source=options.source,
        clients=options.clients,
        seconds=options.seconds,
        overload=options.overload,
        beam_size=options.beam_size,
        options=options.option or (),
    )
    found = measure(plan)
    return found, format_text(found)


def _search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, action="append", metavar="N", help="hypotheses; default: 5 and 320")
    parser.add_argument("--vocabulary", type=int, default=5473, help="target tokens (default: %(default)s)")
    parser.add_argument("--beam-size", type=int, default=5, metavar="N", help="beside greedy search (default: 5)")
    parser.add_argument("--steps", type=int, default=12, help="tokens of a search (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="searches of each kind (default: %(default)s)")


def _search(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    from .search import Plan, format_table, measure

    rows = options.rows or (5, 320)
    found = measure(Plan(rows, options.vocabulary, options.beam_size, options.steps, options.rounds))
    return found, format_table(found)


Verb = tuple[str, str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], tuple[Any, str]]]

VERBS: tuple[Verb, ...] = (
    ("attention", "the cost of a training step with each attention mechanism", _attention_options, _attention),
    ("train", "how fast a configuration trains, in each precision", _train_options, _train),
    ("translate", "how fast a trained run translates, in each precision", _translate_options, _translate),
    ("search", "what search itself costs, over numpy's arrays and torch's", _search_options, _search),
    ("serve", "how a server bears many clients, and far too many", _serve_options, _serve),
)
"""Name, summary, options, and what gives the result for machines and for people."""
