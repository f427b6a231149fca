"""What else could have been written: the best next tokens at every place of a translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_attn.data.tokenizers import BOS, EOS, Tokenizer
from seq2seq_attn.decoding import ForcedSearch, StepModel
from seq2seq_attn.decoding.arrays import Array
from seq2seq_attn.decoding.choices import best_choices
from seq2seq_attn.translation.sources import SourceBatch
from seq2seq_attn.translation.tokens import Token, token_of
from seq2seq_attn.translation.translation import rounded


@dataclass(frozen=True)
class Alternative:
    """A token that could have come next.

    Attributes:
        token: what it is.
        log_prob: natural logarithm of its probability behind what was written before.
    """

    token: Token
    log_prob: float

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON can hold it; an infinite logarithm as None."""
        return {"token": self.token.to_dict(), "log_prob": rounded(self.log_prob)}


def best_next(
    model: StepModel[Any], batch: SourceBatch, written: Sequence[int], tokenizer: Tokenizer, count: int
) -> list[list[Alternative]]:
    """Return for every token the ``count`` most probable ones in its place, best first; of equals the lower id.

    Args:
        model: what search runs.
        batch: one sentence.
        written: the target ids of its translation, with or without the end of the sentence.
        tokenizer: of the target.
        count: alternatives, the token that was written among them where it is one of the best.
    """
    found: list[list[Alternative]] = []

    def look(sentences: Array, log_probs: Array) -> None:
        del sentences  # there is one
        values, tokens = best_choices(log_probs, count)
        pairs = zip(values[0].tolist(), tokens[0].tolist(), strict=True)
        found.append([Alternative(token_of(tokenizer, token), log_prob) for log_prob, token in pairs])

    target = written[:-1] if len(written) and written[-1] == EOS else written
    ForcedSearch(bos=BOS, eos=EOS, targets=[target], watch=look)(model, batch.source, batch.lengths)
    return found[: len(written)]
