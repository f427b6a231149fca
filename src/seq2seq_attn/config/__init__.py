"""Configuration: YAML files and overrides -> a frozen, checked `Config`, and back."""

from __future__ import annotations

from seq2seq_attn.config.change import change_decoding, read_value
from seq2seq_attn.config.dump import dump_config
from seq2seq_attn.config.json_schema import json_schema
from seq2seq_attn.config.load import load_config, parse_config
from seq2seq_attn.config.schema import Config

__all__ = ["Config", "change_decoding", "dump_config", "json_schema", "load_config", "parse_config", "read_value"]
