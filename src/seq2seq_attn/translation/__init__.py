"""Text in, translations out."""

from seq2seq_attn.translation.alternatives import Alternative
from seq2seq_attn.translation.beams import Beam, BeamNode
from seq2seq_attn.translation.constraints import Constraint, read_constraints
from seq2seq_attn.translation.members import split_runs
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS
from seq2seq_attn.translation.tokens import Token
from seq2seq_attn.translation.translation import TokenMap, Translation
from seq2seq_attn.translation.translator import Translator

__all__ = [
    "MAX_SOURCE_TOKENS",
    "Alternative",
    "Beam",
    "BeamNode",
    "Constraint",
    "Token",
    "TokenMap",
    "Translation",
    "Translator",
    "read_constraints",
    "split_runs",
]
