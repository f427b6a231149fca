"""How a model behaved on a test set: what its attention was like, and whether it is right as often as it is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_attn.errors import ConfigError, UserError
from seq2seq_attn.evaluation.calibration import Calibration
from seq2seq_attn.evaluation.diagnostics import Diagnostics, diagnose, mean_diagnostics
from seq2seq_attn.experiment.evaluate import Evaluation
from seq2seq_attn.exported import is_exported
from seq2seq_attn.translation import Translation, Translator
from seq2seq_attn.translation.members import split_runs


@dataclass(frozen=True)
class Behavior:
    """What was asked for of one test set.

    Attributes:
        diagnostics: of the attention of each translation, None for a blank sentence; None if not asked for.
        calibration: of the model's confidence in given translations; None if not asked for.
    """

    diagnostics: list[Diagnostics | None] | None = None
    calibration: Calibration | None = None

    def describe(self) -> str:
        """Say it in lines for a terminal; an empty text if nothing was asked for."""
        lines = []
        if self.diagnostics is not None:
            lines.append(mean_diagnostics(one for one in self.diagnostics if one is not None).describe())
        if self.calibration is not None:
            lines.append(self.calibration.describe())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return what was asked for, ready for JSON; the diagnostics of every sentence, too."""
        found: dict[str, object] = {}
        if self.diagnostics is not None:
            found["diagnostics"] = {
                "mean": mean_diagnostics(one for one in self.diagnostics if one is not None).to_dict(),
                "by_sentence": [None if one is None else one.to_dict() for one in self.diagnostics],
            }
        if self.calibration is not None:
            found["calibration"] = self.calibration.to_dict()
        return found


def check_observable(run: str | None, *, diagnostics: bool, calibration: bool) -> None:
    """Refuse what cannot be observed, before anything is translated for it.

    Args:
        run: see :func:`observe`.
        diagnostics: whether they are asked for.
        calibration: whether it is asked for.

    Raises:
        ConfigError: if there is no model, or more than one to calibrate.
    """
    if run is None and (diagnostics or calibration):
        raise ConfigError(
            "a file of translations says nothing of attention and confidence; "
            "leave out --diagnostics and --calibration, or name a run in place of --hypothesis"
        )
    if run is None or not calibration:
        return
    if len(split_runs(run)) > 1:
        raise ConfigError("--calibration is of one model; name one run, not several")
    if is_exported(split_runs(run)[0]):
        raise UserError(f"--calibration needs the run, not its export; name the run that {run} was exported from")


def observe(
    run: str | None, evaluations: Sequence[Evaluation], *, diagnostics: bool, calibration: bool, device: str = "auto"
) -> list[Behavior]:
    """Look closer at evaluations.

    Args:
        run: whose they are; None where the translations came from a file.
        evaluations: of one or several test sets.
        diagnostics: of the attention while these translations were searched for.
        calibration: of the model's confidence in the tokens of the reference translations.
        device: that the calibration is computed on.

    Raises:
        ConfigError: if there is no model, none with attention, or more than one to calibrate.
    """
    check_observable(run, diagnostics=diagnostics, calibration=calibration)
    calibrations: list[Calibration | None] = [None] * len(evaluations)
    if calibration and run is not None:
        from seq2seq_attn.experiment.calibrate import calibrate  # with torch, which the others do without

        translator = Translator.load(run, device=device)
        calibrations = [calibrate(translator, one.pairs) for one in evaluations]
    return [
        Behavior(diagnose_translations(one.translations) if diagnostics else None, calibrated)
        for one, calibrated in zip(evaluations, calibrations, strict=True)
    ]


def diagnose_translations(translations: Sequence[Translation]) -> list[Diagnostics | None]:
    """Return the diagnostics of each translation; None for a blank sentence.

    Raises:
        ConfigError: if there are weights, and all are zero: the model has no attention.
    """
    weights = [found.attention for found in translations]
    if any(one.size for one in weights) and not any(one.any() for one in weights):
        raise ConfigError("this model has no attention (all weights are zero), so there is nothing to diagnose")
    return [diagnose(one) if one.size else None for one in weights]
