"""Text in, translations out."""

from seq2seq_attn.translation.translation import TokenMap, Translation
from seq2seq_attn.translation.translator import MAX_SOURCE_TOKENS, Translator

__all__ = ["MAX_SOURCE_TOKENS", "TokenMap", "Translation", "Translator"]
