"""The verbs that translate, and that judge given translations: ``translate`` and ``score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from seq2seq_attn.cli import searching
from seq2seq_attn.cli.options import Device, Json
from seq2seq_attn.cli.starting import starting
from seq2seq_attn.errors import ConfigError

Runs = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run folder, a checkpoint folder inside one, or several with commas between them: an ensemble.",
        show_default=False,
    ),
]


Source = Annotated[Optional[Path], typer.Option("--source", help="One sentence per line. [default: standard input]")]
Output = Annotated[
    Optional[Path], typer.Option("--output", help="One translation per line. [default: standard output]")
]
NBest = Annotated[int, typer.Option("--n-best", help="Translations per sentence, one line each.")]
Scores = Annotated[bool, typer.Option("--scores", help="Put the score and a tab before each translation.")]
Alignments = Annotated[
    Optional[Path], typer.Option("--alignments", help="Write word alignments here, in Pharaoh format.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write an object per sentence: text, tokens, scores, weights.")]


def translate(
    context: typer.Context,
    run: Runs,
    source: Source = None,
    output: Output = None,
    n_best: NBest = 1,
    scores: Scores = False,
    alignments: Alignments = None,
    json_output: AsJson = False,
    device: Device = "auto",
    beam_size: searching.BeamSize = None,
    normalization: searching.Normalization = None,
    length_penalty: searching.LengthPenalty = None,
    coverage_penalty: searching.CoveragePenalty = None,
    min_length: searching.MinLength = None,
    max_length: searching.MaxLength = None,
    max_length_ratio: searching.MaxLengthRatio = None,
    no_repeat_ngram: searching.NoRepeatNgram = None,
    repetition_penalty: searching.RepetitionPenalty = None,
    diverse_groups: searching.DiverseGroups = None,
    diversity: searching.Diversity = None,
    precision: searching.Precision = None,
    batch_size: searching.BatchSize = None,
    decoding: searching.Decoding = None,
    prefix: searching.Prefix = None,
    require: searching.Require = None,
    forbid: searching.Forbid = None,
    constraints: searching.Constraints = None,
    sample: searching.Sample = None,
    temperature: searching.Temperature = None,
    top_k: searching.TopK = None,
    top_p: searching.TopP = None,
    seed: searching.Seed = None,
    mbr: searching.MinimumRisk = None,
    candidates: searching.Candidates = None,
    replace_unknown: searching.ReplaceUnknown = None,
    lexicon: searching.Lexicon = None,
) -> None:
    """Translate line by line: line in, line out, in order, also in a pipe."""
    if scores and json_output:
        raise ConfigError("--json has all scores in it; leave out --scores")
    with starting():
        from seq2seq_attn.experiment.stream import Streaming, translate_stream
        from seq2seq_attn.translation import Constraint, Translator

        translator = Translator.load(run, device=device)
    translate_stream(
        translator,
        searching.decoding_of(translator.decoding, context.params, n_best=n_best),
        Streaming(
            source=source,
            output=output,
            alignments=alignments,
            n_best=n_best,
            scores=scores,
            as_json=json_output,
            common=Constraint(prefix or "", tuple(require or ()), place="--prefix or --require"),
            constraints=constraints,
        ),
    )
    sys.stdout.flush()


def score(
    context: typer.Context,
    run: Runs,
    source: Annotated[Path, typer.Option("--source", help="One sentence per line.")],
    target: Annotated[Path, typer.Option("--target", help="Their translations.")],
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Put each token with its log-probability behind a tab.")
    ] = False,
    json_output: Json = False,
    precision: searching.Precision = None,
    batch_size: searching.BatchSize = None,
    device: Device = "auto",
) -> None:
    """Print the log-probability of given translations, a line each; the perplexity comes at the end."""
    from seq2seq_attn.experiment.score import score_stream
    from seq2seq_attn.translation import Translator

    if tokens and json_output:
        raise ConfigError("--json has all tokens in it; leave out --tokens")
    translator = Translator.load(run, device=device)
    decoding = searching.decoding_of(translator.decoding, context.params)
    score_stream(translator, decoding, source=source, target=target, with_tokens=tokens, as_json=json_output)
