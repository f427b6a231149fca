"""The decoder, wired as in one paper or another."""

from __future__ import annotations

from seq2seq_attn.nn.decoders.bahdanau import BahdanauDecoder
from seq2seq_attn.nn.decoders.base import Decoder
from seq2seq_attn.nn.decoders.conditional import ConditionalDecoder
from seq2seq_attn.nn.decoders.gnmt import GNMTDecoder
from seq2seq_attn.nn.decoders.luong import LuongDecoder

DECODERS: dict[str, type[Decoder]] = {
    "luong": LuongDecoder,
    "bahdanau": BahdanauDecoder,
    "conditional": ConditionalDecoder,
    "gnmt": GNMTDecoder,
}
