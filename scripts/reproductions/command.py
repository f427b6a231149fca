"""The command line of ``scripts/reproduce.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seq2seq_attn.cli.pipes import drop_output
from seq2seq_attn.errors import Seq2SeqError, UserError

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
GO_ON = "the same command goes on from here"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, train, measure, judge; return the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    # inside: torch takes seconds to load, and --help should not wait for it
    from seq2seq_attn.training.interrupts import Interrupted

    try:
        return _run(options)
    except Interrupted as error:
        print(f"reproduce: {error}; what was learned is saved, and {GO_ON}", file=sys.stderr)
        return error.exit_status
    except Seq2SeqError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        drop_output()
        return 0
    except KeyboardInterrupt:
        print(f"reproduce: interrupted; what was finished is saved, and {GO_ON}", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    from .catalog import describe_all, find_reproduction
    from .corpora import find_corpus
    from .page import page_of, write_page
    from .plan import Plan
    from .running import run_plan

    if options.list or options.name is None:
        print(describe_all(), flush=True)
        return 0
    if "=" in options.name:
        raise UserError(f"{options.name}: the name of a reproduction comes first; --list shows them")
    reproduction = find_reproduction(options.name).with_more(options.also or ()).only(options.only or ())
    corpus = reproduction.judged_on(find_corpus(options.corpus))
    output = options.output or Path("runs") / "reproductions" / f"{reproduction.name}-{corpus.name}"
    seeds, more = _seeds(options.seeds)
    plan = Plan(reproduction, corpus, options.data, output, seeds, [*options.overrides, *more])
    page = write_page(plan, run_plan(plan))
    print(page, flush=True)
    print(f"reproduce: written to {page_of(output)}", file=sys.stderr)
    return 0


def _seeds(words: Sequence[str]) -> tuple[list[int], list[str]]:
    """Tell the seeds from the overrides that stand behind them.

    Raises:
        UserError: if a word is neither.
    """
    numbers = [word for word in words if "=" not in word]
    for word in numbers:
        if not word.isdecimal():
            raise UserError(f"--seeds {word}: expected a whole number of at least 0")
    if not numbers:
        raise UserError("--seeds: expected one number or more")
    return list(dict.fromkeys(map(int, numbers))), [word for word in words if "=" in word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reproduce.py",
        description="Try a paper's result again, in small: train what it compares, and see whether its claims hold.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a reproduction; without one all are listed")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="of the configuration of all models")
    parser.add_argument("--list", action="store_true", help="list the reproductions and what their papers say")
    parser.add_argument("--corpus", default="toy", help="toy, multi30k or tatoeba (default: %(default)s)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where corpora are (default: data)")
    parser.add_argument("--output", type=Path, help="default: runs/reproductions/NAME-CORPUS")
    parser.add_argument("--seeds", nargs="+", default=["1"], metavar="N", help="of every model (default: 1)")
    parser.add_argument(
        "--also", action="append", metavar="ATTENTION", help="a mechanism beside those compared; may be repeated"
    )
    parser.add_argument(
        "--only", action="append", metavar="MODEL", help="of recipe: a candidate, the others are left out; repeatable"
    )
    return parser
