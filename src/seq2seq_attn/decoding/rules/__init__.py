"""What may not come next, told by what was written before."""

from seq2seq_attn.decoding.rules.forbidden import ForbiddenPhrases
from seq2seq_attn.decoding.rules.repetition import NoRepeatNGram, RepetitionPenalty

__all__ = ["ForbiddenPhrases", "NoRepeatNGram", "RepetitionPenalty"]
