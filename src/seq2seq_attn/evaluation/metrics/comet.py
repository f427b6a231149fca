"""COMET, a learned metric, wherever its package is installed.

Rei et al. (2020), https://aclanthology.org/2020.emnlp-main.213; Rei et al. (2022),
https://aclanthology.org/2022.wmt-1.52 for the default model. A neural network reads source,
translation and reference, and says how a human would rate the translation.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from sacrebleu.metrics.base import Metric, Score, Signature

from seq2seq_attn.errors import UserError

BATCH_SENTENCES = 16


class CometScore(Score):
    """A mean of COMET's ratings. They are about 0 to 1, so that two decimals say little."""

    def __init__(self, score: float) -> None:
        super().__init__("COMET", score)

    def format(self, width: int = 4, score_only: bool = False, signature: str = "", is_json: bool = False) -> str:
        """Return what sacreBLEU's scores return, with four decimals."""
        return super().format(width, score_only, signature, is_json)


class CometSignature(Signature):
    """Which model rated, and by which version of COMET."""

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__(args)
        self.info["model"] = args["model_name"]
        self.info["version"] = f"comet-{_version()}"


class Comet(Metric):
    """COMET as a metric of sacreBLEU's kind, so that its intervals and tests of significance work for it.

    Args:
        model: a name that COMET knows, or the path of a checkpoint.
        sources: what was translated, a line per sentence.
        references: one list of references, or None to be given it later.

    Raises:
        UserError: if COMET is not installed.
    """

    _SIGNATURE_TYPE = CometSignature

    def __init__(
        self, model: str, *, sources: Sequence[str], references: Sequence[Sequence[str]] | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model_name = Path(model).stem if model.endswith(".ckpt") else model
        self.checkpoint = model
        self.sources = sources
        self.model: Any = None
        self.counted: dict[int, tuple[Sequence[str], list[list[float]]]] = {}
        import_comet()
        if references is not None:
            self._ref_cache = self._cache_references(references)

    def _extract_corpus_statistics(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | None
    ) -> list[list[float]]:
        """Rate every sentence once; a corpus is the sum of its ratings and their number."""
        known = self.counted.get(id(hypotheses))
        if known is not None and references is None:
            return known[1]
        cached = self._cache_references(references) if references else self._ref_cache or []
        samples = [
            {"src": source, "mt": hypothesis, "ref": reference["text"]}
            for source, hypothesis, reference in zip(self.sources, hypotheses, cached, strict=True)
        ]
        found = [[rating, 1.0] for rating in self._rate(samples)]
        if references is None:
            self.counted[id(hypotheses)] = (hypotheses, found)
        return found

    def _rate(self, samples: list[dict[str, str]]) -> list[float]:
        comet = import_comet()
        if self.model is None:
            self.model = comet.load_from_checkpoint(_checkpoint(comet, self.checkpoint))
        gpus = int(importlib.import_module("torch").cuda.is_available())
        return [float(rating) for rating in self.model.predict(samples, batch_size=BATCH_SENTENCES, gpus=gpus).scores]

    def _compute_score_from_stats(self, stats: Any) -> CometScore:
        return CometScore(float(stats[0]) / float(stats[1]))

    def _aggregate_and_compute(self, stats: Any) -> CometScore:
        return self._compute_score_from_stats([sum(column) for column in zip(*stats, strict=True)])

    def _preprocess_segment(self, sent: str) -> str:
        return sent

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        return {"text": refs[0]}

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[Any]:
        raise NotImplementedError("COMET rates sentences in batches")


def import_comet() -> ModuleType:
    """Import COMET.

    Raises:
        UserError: if it is not installed; the message says how to install it.
    """
    try:
        comet = importlib.import_module("comet")
    except ModuleNotFoundError as error:
        if error.name != "comet":
            raise  # it is installed, but something that it needs is not
        raise UserError(
            "the metric 'comet' needs the package unbabel-comet: pip install unbabel-comet, or leave the metric out"
        ) from error
    if not hasattr(comet, "load_from_checkpoint"):
        place = getattr(comet, "__file__", None)
        raise UserError(
            f"the metric 'comet' needs the package unbabel-comet, but the module 'comet' ({place}) is another one; "
            "install unbabel-comet in its place"
        )
    return comet


def _checkpoint(comet: ModuleType, model: str) -> str:
    """Return the file of a model, fetched if it is not here yet."""
    if model.endswith(".ckpt"):
        return model
    try:
        return str(comet.download_model(model))
    except (KeyError, OSError) as error:
        raise UserError(
            f"COMET has no model {model!r}, or cannot fetch it here ({error}); give the path of a .ckpt file"
        ) from error


def _version() -> str:
    try:
        return importlib.metadata.version("unbabel-comet")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
