"""Models made ready for search: the same numbers, faster products."""

from seq2seq_attn.inference.on_numpy import OnNumpy
from seq2seq_attn.inference.prepare import PreparedModel, prepare
from seq2seq_attn.inference.products import PRECISIONS

__all__ = ["PRECISIONS", "OnNumpy", "PreparedModel", "prepare"]
