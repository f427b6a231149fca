"""What is known of one trained model, and the file that keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2seq_attn.errors import DataError
from seq2seq_attn.files import write_atomic

BLEU, PERPLEXITY, ERROR_RATE, ENTROPY, NONZERO = "bleu", "perplexity", "error rate", "entropy", "looked at"
"""What is measured; error rates are in percent, as is the share of source tokens that is looked at."""

LOWER_IS_BETTER = frozenset({PERPLEXITY, ERROR_RATE})


@dataclass(frozen=True)
class Outcome:
    """One variant, trained from one seed.

    Attributes:
        variant: its name.
        seed: of everything random.
        parameters: trainable numbers.
        minutes: of training, validations included.
        machine: what it was trained on.
        signature: of sacreBLEU.
        scores: numbers by what is measured and by test set.
        hypotheses: the translations of each test set.
    """

    variant: str
    seed: int
    parameters: int
    minutes: float
    machine: str
    signature: str
    scores: dict[str, dict[str, float]]
    hypotheses: dict[str, list[str]]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read_outcome(path: Path) -> Outcome:
    """Read what :meth:`Outcome.write` wrote.

    Raises:
        DataError: if the file is damaged.
    """
    try:
        return Outcome(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is damaged or of another release ({error}); delete it and run again") from error
