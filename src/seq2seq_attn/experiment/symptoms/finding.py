"""What an examination of a run says: a finding with its evidence and its mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["problem", "warning", "note", "fine", "unchecked"]

SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note", "fine", "unchecked")
"""From what very likely spoils the translations to what could not be looked at.

problem     the translations are very likely worse for it
warning     they may be
note        worth knowing; often as it should be
fine        looked at, nothing found
unchecked   could not be looked at
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        severity: one of :data:`SEVERITIES`.
        symptom: its name, such as ``unknown tokens``.
        message: what is wrong, or fine, or why it could not be looked at.
        evidence: the numbers that say so, in words.
        mend: what to do about it, with key and value of the configuration where there is one.
        numbers: the same numbers for a machine.
    """

    severity: Severity
    symptom: str
    message: str
    evidence: str = ""
    mend: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "severity": self.severity,
            "symptom": self.symptom,
            "message": self.message,
            "evidence": self.evidence,
            "mend": self.mend,
            "numbers": dict(self.numbers),
        }


def fine(symptom: str, message: str, **numbers: float) -> Finding:
    """Say that nothing is wrong, and by which numbers."""
    return Finding("fine", symptom, message, numbers=numbers)


def unchecked(symptom: str, why: str) -> Finding:
    """Say that this could not be looked at, and why."""
    return Finding("unchecked", symptom, why)


def percent(share: float) -> str:
    """Write a share: ``12 %``, ``0.3 %``, ``0 %``."""
    number = 100 * share
    return f"{number:.0f} %" if number >= 10 or number == 0 else f"{number:.2g} %"


def grade(value: float, warning: float, problem: float) -> Severity | None:
    """Return how bad a value is that should be small; None below ``warning``."""
    if value >= problem:
        return "problem"
    return "warning" if value >= warning else None
