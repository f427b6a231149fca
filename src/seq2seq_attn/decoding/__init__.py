"""Search for the best target sequence of any model that can ``start`` and ``step``."""

from seq2seq_attn.decoding.beam import BeamSearch
from seq2seq_attn.decoding.greedy import GreedySearch
from seq2seq_attn.decoding.protocol import DecodingState, Hypothesis, Search, Step, StepModel

__all__ = [
    "BeamSearch",
    "DecodingState",
    "GreedySearch",
    "Hypothesis",
    "Search",
    "Step",
    "StepModel",
]
