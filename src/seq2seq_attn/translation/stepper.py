"""What search runs, made of the models of a translator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seq2seq_attn.decoding import Ensemble, StepModel
from seq2seq_attn.decoding.protocol import Attending
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.translation.members import is_trained

if TYPE_CHECKING:
    from seq2seq_attn.models.base import Seq2Seq


def stepper(models: Sequence[Attending], precision: str) -> StepModel[Any]:
    """Return what search runs: the model, or all as an ensemble, which then compute with arrays of one kind.

    Args:
        models: trained ones, which are made fast here, and others, which stay as they are.
        precision: of the matrix products of trained ones.

    Raises:
        ConfigError: if a model does not have this precision.
    """
    on_numpy = not all(map(is_trained, models))
    found = [
        _prepared(model, precision, on_numpy=on_numpy) if is_trained(model) else _as_exported(model, precision)
        for model in models
    ]
    return found[0] if len(found) == 1 else Ensemble(found)


def _prepared(model: Seq2Seq, precision: str, *, on_numpy: bool) -> StepModel[Any]:
    from seq2seq_attn.inference import OnNumpy, prepare  # with torch, which an exported model does without

    prepared = prepare(model, precision)
    return OnNumpy(prepared, next(model.parameters()).device) if on_numpy else prepared


def _as_exported(model: Attending, precision: str) -> StepModel[Any]:
    if precision != "auto":
        raise ConfigError(
            f"precision is {precision!r}, but an exported model has the one it was exported with; leave it out, or "
            "export the run again, with --int8 or without"
        )
    return model
