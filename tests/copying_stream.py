"""Translate lines with a model that copies, and print what memory it took: run as a program by a test.

copying_stream.py translate|n-best|json|score FOLDER LINES...

For each number of lines, in turn, it prints the most megabytes that the process has had until then.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import EOS, Tokenizers, WordTokenizer
from seq2seq_attn.experiment.score import score_stream
from seq2seq_attn.experiment.stream import Streaming, translate_stream
from seq2seq_attn.translation import Translator

WORDS = [f"w{number}" for number in range(95)]


class Place(NamedTuple):
    source: Tensor
    position: int

    def select(self, rows: Tensor) -> Place:
        return Place(self.source[rows], self.position)


class Copying(nn.Module):
    """Says of the next source token that it comes next."""

    attends = True

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def start(self, source: Tensor, source_lengths: Tensor) -> Place:
        del source_lengths
        return Place(source, 0)

    def step(self, tokens: Tensor, state: Place) -> tuple[Tensor, Tensor, Place]:
        position = min(state.position, state.source.shape[1] - 1)
        log_probs = torch.full((len(tokens), len(WORDS) + 4), -9.0)
        log_probs[:, EOS] = -5.0
        log_probs.scatter_(1, state.source[:, position : position + 1], -0.01)
        weights = torch.zeros(state.source.shape)
        weights[:, position] = 1.0
        return log_probs, weights, Place(state.source, state.position + 1)


def lines(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{WORDS[number % 95]} {WORDS[number * 7 % 95]}\n"


def main(way: str, folder: Path, counts: Sequence[int]) -> None:
    torch.set_num_threads(1)
    tokenizer = WordTokenizer(WORDS)
    decoding = DecodingConfig(beam_size=2 if way == "n-best" else 1)
    translator = Translator(Copying(), Tokenizers(tokenizer, tokenizer), decoding)  # type: ignore[arg-type]
    for count in counts:
        source, output = folder / f"{count}.source", folder / f"{count}.{way}"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(lines(count))
        if way == "score":
            with output.open("w", encoding="utf-8") as sys.stdout:
                score_stream(translator, decoding, source=source, target=source)
            sys.stdout = sys.__stdout__
        else:
            streaming = Streaming(
                source=source, output=output, n_best=2 if way == "n-best" else 1, as_json=way == "json"
            )
            translate_stream(translator, decoding, streaming)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(count) for count in sys.argv[3:]])
