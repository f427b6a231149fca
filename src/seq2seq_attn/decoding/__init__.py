"""Search for the best target sequence of any model that can ``start`` and ``step``."""

from seq2seq_attn.decoding.beam import BeamSearch
from seq2seq_attn.decoding.beam_watch import BeamStep, Considered
from seq2seq_attn.decoding.ensemble import Ensemble
from seq2seq_attn.decoding.forced import ForcedSearch
from seq2seq_attn.decoding.greedy import GreedySearch
from seq2seq_attn.decoding.lengths import LengthLimit
from seq2seq_attn.decoding.protocol import (
    DecodingState,
    Demands,
    Hypothesis,
    Past,
    Rule,
    Search,
    Step,
    StepModel,
)
from seq2seq_attn.decoding.rules import ForbiddenPhrases, NoRepeatNGram, RepetitionPenalty
from seq2seq_attn.decoding.sampling import SamplingSearch
from seq2seq_attn.decoding.scoring import Scoring

__all__ = [
    "BeamSearch",
    "BeamStep",
    "Considered",
    "DecodingState",
    "Demands",
    "Ensemble",
    "ForbiddenPhrases",
    "ForcedSearch",
    "GreedySearch",
    "Hypothesis",
    "LengthLimit",
    "NoRepeatNGram",
    "Past",
    "RepetitionPenalty",
    "Rule",
    "SamplingSearch",
    "Scoring",
    "Search",
    "Step",
    "StepModel",
]
