"""Exported models, opened without torch: manifest, checksums, and an onnxruntime session that can be searched."""

from __future__ import annotations

from seq2seq_attn.exported.load import ExportedModel, open_exported
from seq2seq_attn.exported.manifest import Manifest, is_exported, read_manifest

__all__ = ["ExportedModel", "Manifest", "is_exported", "open_exported", "read_manifest"]
