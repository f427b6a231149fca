"""One sentence under one model or several, as an attention document, and that as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_attn.checkpoint.folders import CHECKPOINTS, find_checkpoint, read_run_config
from seq2seq_attn.config.describe import describe_attention
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.errors import UserError
from seq2seq_attn.exported import is_exported, read_manifest
from seq2seq_attn.files import write_atomic
from seq2seq_attn.translation import Constraint, Translation, Translator, split_runs
from seq2seq_attn.translation.document import attention_document, attention_panel
from seq2seq_attn.visualization.attention_page import attention_page
from seq2seq_attn.visualization.picture import PICTURE_SUFFIXES

SUFFIXES = (*PICTURE_SUFFIXES, ".html", ".json")
_TITLE = 80  # characters


@dataclass(frozen=True)
class Wanted:
    """What is to be looked at.

    Attributes:
        text: the source sentence.
        target: a given translation; None: the model's own.
        number: which of its own, from 1, the best.
        constraint: what its own must have.
        with_beam: whether the tree of the beam goes with it, where there is one.
    """

    text: str
    target: str | None = None
    number: int = 1
    constraint: Constraint | None = None
    with_beam: bool = True

    def find(self, translator: Translator, decoding: DecodingConfig) -> Translation:
        """Translate, or score what is given.

        Raises:
            UserError: if there are not as many translations.
        """
        if self.target is not None:
            return translator.score([self.text], [self.target], decoding=decoding)[0]
        constraints = None if self.constraint is None else [self.constraint]
        (found,) = translator.n_best([self.text], count=self.number, decoding=decoding, constraints=constraints)
        if len(found) < self.number:
            raise UserError(f"--n-best is {self.number}, but this search finds {len(found)} translations only")
        return found[self.number - 1]


def check_attention_path(output: Path) -> None:
    """Refuse a file type that attention is not written as, before any work is done for it.

    Raises:
        UserError: naming the file types that work.
    """
    if output.suffix.lower() not in SUFFIXES:
        found = f"the suffix {output.suffix!r}" if output.suffix else "no suffix"
        raise UserError(f"{output} has {found}; attention is written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


@dataclass(frozen=True)
class Model:
    """What is said of a model, or of several that translate together: read from their files."""

    name: str
    languages: tuple[str, str]


def describe_models(runs: Sequence[str]) -> list[Model]:
    """Return what to call runs that are shown side by side, no two the same.

    Raises:
        CheckpointError: if one is no run.
    """
    models = [_describe(run) for run in runs]
    names = [model.name for model in models]
    return [
        Model(f"{model.name}, {run}", model.languages) if names.count(model.name) > 1 else model
        for model, run in zip(models, runs, strict=True)
    ]


def panel(
    model: Model, translator: Translator, translation: Translation, wanted: Wanted, decoding: DecodingConfig
) -> dict[str, Any]:
    """Return all that can be looked at in a translation, the tree of the beam too where one has found it."""
    drawn = decoding.sampling is not None or decoding.minimum_risk is not None
    beam = None
    if wanted.with_beam and wanted.target is None and wanted.constraint is None and not drawn:
        beam = translator.beam(wanted.text, count=wanted.number, decoding=decoding)
    return attention_panel(
        translator,
        translation,
        name=model.name,
        languages=model.languages,
        forced=wanted.target is not None,
        beam=beam,
    )


def write_document(panels: Sequence[dict[str, Any]], text: str, output: Path) -> None:
    """Write panels side by side as a page or as JSON, whole or not at all.

    Args:
        panels: of one sentence.
        text: that sentence.
        output: an ``.html`` or ``.json`` file; an older one is replaced.

    Raises:
        UserError: if the file cannot be written.
    """
    words = " ".join(text.split())
    # not between words: some languages have no spaces there
    title = words if len(words) <= _TITLE else f"{words[: _TITLE - 1]}…"
    document = attention_document(panels, title=title)
    if output.suffix.lower() == ".json":
        content = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        content = attention_page(document)
    try:
        write_atomic(output, content)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from error


def _describe(run: str) -> Model:
    described = [_describe_one(path) for path in split_runs(run)]
    return Model(" + ".join(model.name for model in described), described[0].languages)


def _describe_one(path: Path) -> Model:
    if is_exported(path):
        manifest = read_manifest(path)
        kind = f"{manifest.attention}, ONNX {manifest.precision}"
        return Model(f"{manifest.name} ({kind})", (manifest.source_language, manifest.target_language))
    folder, _ = find_checkpoint(path)
    config = read_run_config(folder)
    step = f" {path.name}" if path.parent.name == CHECKPOINTS else ""
    name = f"{config.name}{step} ({describe_attention(config.model)})"
    return Model(name, (config.data.source_language, config.data.target_language))
