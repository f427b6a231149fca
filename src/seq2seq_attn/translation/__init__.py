"""Text in, translations out."""

from seq2seq_attn.translation.constraints import Constraint, read_constraints
from seq2seq_attn.translation.members import split_runs
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS
from seq2seq_attn.translation.translation import TokenMap, Translation
from seq2seq_attn.translation.translator import Translator

__all__ = [
    "MAX_SOURCE_TOKENS",
    "Constraint",
    "TokenMap",
    "Translation",
    "Translator",
    "read_constraints",
    "split_runs",
]
