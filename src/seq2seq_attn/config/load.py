"""From YAML files and overrides to a `Config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seq2seq_attn.config.schema import Config
from seq2seq_attn.errors import ConfigError


def load_config(path: str | Path, overrides: Mapping[str, object] | Sequence[str] = ()) -> Config:
    """Read a configuration file, the files it extends, and overrides such as ``model.attention=bahdanau``."""
    path = Path(path)
    data = _read(path)
    data.setdefault("name", path.stem)
    pairs = overrides.items() if isinstance(overrides, Mapping) else [o.split("=", 1) for o in overrides]
    for key, value in pairs:
        section = data
        *parents, last = key.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value if isinstance(overrides, Mapping) else yaml.safe_load(value)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(str(error)) from error


def dump_config(config: Config) -> str:
    """Write a configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read(path: Path) -> dict[str, Any]:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = data.pop("extends", None)
    return _merge(_read(path.parent / base), data) if base else data


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
