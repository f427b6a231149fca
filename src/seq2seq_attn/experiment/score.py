"""The log-probabilities of given translations, line by line."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.config.schema import DecodingConfig, TextCorpus
from seq2seq_attn.data.corpus import read_corpus
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import DataError
from seq2seq_attn.experiment.reading import chunks
from seq2seq_attn.translation import Translation, Translator

BATCHES = 16  # of sentence pairs that are read ahead, so that those of like length can be put together


def score_stream(
    translator: Translator,
    decoding: DecodingConfig,
    *,
    source: Path,
    target: Path,
    with_tokens: bool = False,
    as_json: bool = False,
) -> None:
    """Write a line for each sentence pair to standard output, and the perplexity to standard error.

    Args:
        translator: of the model, or of several.
        decoding: how translations are scored, and how many at once.
        source: one sentence per line.
        target: their translations.
        with_tokens: put every token behind the sum, with a log-probability of its own.
        as_json: write objects instead, with all that is known of each translation.

    Raises:
        DataError: if a file is missing, wrong or empty, or their numbers of lines differ.
    """
    lines = _check_lines(source, target)
    total, tokens, count = 0.0, 0, 0
    corpus = TextCorpus(source=(str(source),), target=(str(target),))
    with tqdm(total=lines, desc="scoring", unit="sentence", disable=None, leave=False) as bar:
        for pairs in chunks(read_corpus(corpus), decoding.batch_sentences * BATCHES):
            sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
            for found in translator.score(sources, targets, decoding=decoding):
                total += found.log_prob
                tokens += len(found.tokens)
                sys.stdout.write(_line(found, with_tokens=with_tokens, as_json=as_json))
            sys.stdout.flush()
            count += len(pairs)
            bar.update(len(pairs))
    perplexity = math.exp(min(-total / tokens, 700.0)) if tokens else math.nan
    print(  # noqa: T201 - what this verb says beside its result
        f"{count} sentences, {tokens} tokens, log-probability {total:.4f}, perplexity {perplexity:.4f} per token",
        file=sys.stderr,
    )


def _check_lines(source: Path, target: Path) -> int | None:
    """Count lines before any work is done for them; a pipe, which can be read once only, has None."""
    if not (source.is_file() and target.is_file()):
        return None
    counts = [sum(1 for _ in read_lines(path)) for path in (source, target)]
    if counts[0] != counts[1] or not counts[0]:
        raise DataError(
            f"{source} has {counts[0]} lines and {target} has {counts[1]}: "
            + (
                "there is nothing to score"
                if counts[0] == counts[1]
                else "line i of one must translate line i of the other"
            )
        )
    return counts[0]


def _line(found: Translation, *, with_tokens: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps(found.to_dict(), ensure_ascii=False) + "\n"
    line = f"{found.log_prob:.4f}"
    if with_tokens:
        pairs = zip(found.tokens, found.token_log_probs, strict=True)
        line += "\t" + " ".join(f"{token}:{log_prob:.4f}" for token, log_prob in pairs)
    return f"{line}\n"
