"""From an exported folder to a model that can be searched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.config import Config, parse_config
from seq2seq_attn.data.tokenizers import Tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError
from seq2seq_attn.exported.manifest import CONFIG, MANIFEST, TOKENIZER, Manifest, check_files, read_manifest
from seq2seq_attn.exported.session import OnnxModel


@dataclass(frozen=True)
class ExportedModel:
    """An exported model with all it needs.

    Attributes:
        manifest: what the folder says of itself.
        config: that the run was trained with.
        tokenizers: of both languages.
        model: can be searched; takes and gives NumPy arrays.
        folder: where it is.
    """

    manifest: Manifest
    config: Config
    tokenizers: Tokenizers
    model: OnnxModel
    folder: Path


def open_exported(path: str | Path, *, threads: int | None = None) -> ExportedModel:
    """Open a folder that ``seq2seq-attn export`` wrote. Nothing that came with it is executed.

    Args:
        path: of the folder.
        threads: that one operation may use; all that this process may use if None.

    Raises:
        CheckpointError: if it is no such folder, or something in it is missing, altered or damaged.
        MissingExtra: if onnxruntime is not installed.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    try:
        config = parse_config((folder / CONFIG).read_text(encoding="utf-8"), source=str(folder / CONFIG))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder / CONFIG}: damaged, or written by a later release: {error}") from error
    tokenizers = Tokenizers.load(folder / TOKENIZER)
    found = {"source": len(tokenizers.source), "target": len(tokenizers.target)}
    if found != manifest.vocabulary:
        raise CheckpointError(
            f"{folder / TOKENIZER}: has {found['source']} and {found['target']} tokens, but {folder / MANIFEST} says "
            f"{manifest.vocabulary.get('source')} and {manifest.vocabulary.get('target')}; export the run again"
        )
    return ExportedModel(manifest, config, tokenizers, OnnxModel(folder, manifest, threads=threads), folder)
