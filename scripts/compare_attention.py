"""Train the same model with and without attention, and show what attention is for.

    python scripts/compare_attention.py [--config configs/toy.yaml] [--output runs/compare-attention]

Prints BLEU of each mechanism on every test set, and by source length; writes the table and a plot in
the manner of Bahdanau, Cho and Bengio (2015), figure 2. A run that is finished is not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from seq2seq_attn import Translator, load_config, train
from seq2seq_attn.errors import Seq2SeqError
from seq2seq_attn.evaluation.by_length import LengthBucket, format_by_length, score_by_length
from seq2seq_attn.experiment.evaluate import Evaluation, evaluate
from seq2seq_attn.experiment.splits import read_split
from seq2seq_attn.files import write_atomic
from seq2seq_attn.visualization.by_length import plot_by_length

MECHANISMS = ["none", "luong-general", "bahdanau", "location-sensitive"]


def train_and_translate(config: Path, attention: str, output: Path, overrides: list[str]) -> list[Evaluation]:
    """Train one mechanism (or take what is there) and translate all test sets."""
    changed = [*overrides, f"model.attention={attention}"]
    folder = output / attention
    print(f"-- {attention}", file=sys.stderr)
    train(config, changed, output=folder, resume=True)
    translator = Translator.load(folder)
    loaded = load_config(config, changed)
    return [evaluate(translator, read_split(loaded, name), split=name) for name in loaded.data.test]


def lengths(evaluations: list[Evaluation]) -> list[LengthBucket]:
    """Score all test sets together, by source length."""
    pairs = [pair for evaluation in evaluations for pair in evaluation.pairs]
    hypotheses = [found.text for evaluation in evaluations for found in evaluation.translations]
    return score_by_length([pair.source for pair in pairs], hypotheses, [pair.target for pair in pairs])


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--config", type=Path, default=Path("configs/toy.yaml"))
    parser.add_argument("--output", type=Path, default=Path("runs/compare-attention"))
    parser.add_argument("--attention", action="append", help=f"default: {', '.join(MECHANISMS)}")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    arguments = parser.parse_args()
    mechanisms = arguments.attention or MECHANISMS
    done = {
        name: train_and_translate(arguments.config, name, arguments.output, arguments.overrides) for name in mechanisms
    }
    splits = [evaluation.split for evaluation in done[mechanisms[0]]]
    width = max(len(name) for name in mechanisms)
    print(f"{'BLEU':<{width}}  " + "  ".join(f"{split:>10}" for split in splits))
    for name, evaluations in done.items():
        print(f"{name:<{width}}  " + "  ".join(f"{found.scores['bleu'].score:10.1f}" for found in evaluations))
    print(f"({done[mechanisms[0]][0].scores['bleu'].signature})")
    series = {name: lengths(evaluations) for name, evaluations in done.items()}
    for name, buckets in series.items():
        print(f"\n{name}, by source length\n{format_by_length(buckets)}")
    picture = arguments.output / "bleu-by-length.png"
    plot_by_length(series, picture, title="BLEU by source length")
    table = {
        name: {
            "scores": [evaluation.to_dict() for evaluation in evaluations],
            "by_length": [bucket.to_dict() for bucket in series[name]],
        }
        for name, evaluations in done.items()
    }
    write_atomic(arguments.output / "comparison.json", json.dumps(table, indent=2) + "\n")
    print(f"\n{picture}")


if __name__ == "__main__":
    try:
        main()
    except Seq2SeqError as error:
        print(f"compare_attention: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
