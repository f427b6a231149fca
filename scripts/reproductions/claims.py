"""What a paper says of its systems, and whether the numbers here say the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from .results import Results


class Finding(Enum):
    """What became of a claim."""

    HELD = "held"
    NOT_HELD = "did not reproduce"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True)
class Verdict:
    """A finding, and the numbers that it rests on."""

    finding: Finding
    evidence: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"finding": self.finding.value, "evidence": self.evidence}


@dataclass(frozen=True)
class Claim:
    """One thing that a paper says.

    Attributes:
        text: in our words.
        source: where the paper says it.
        check: looks whether it is so here.
        about: the variants that it cannot do without.
    """

    text: str
    source: str
    check: Callable[[Results], Verdict]
    about: tuple[str, ...] = ()


def decide(difference: float, noise: float, evidence: str) -> Verdict:
    """Judge a difference that the claim says is positive.

    Args:
        difference: as measured.
        noise: differences up to this size may be chance.
        evidence: the numbers in words.
    """
    if not abs(difference) > noise:  # also where one of them is no number
        return Verdict(Finding.NOT_DECIDED, evidence)
    return Verdict(Finding.HELD if difference > 0 else Finding.NOT_HELD, evidence)


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Join the verdicts on the parts of a claim: it fell if one part fell, and it held if all did."""
    findings = {verdict.finding for verdict in verdicts}
    for finding in (Finding.NOT_HELD, Finding.NOT_DECIDED):
        if finding in findings:
            return Verdict(finding, "; ".join(one.evidence for one in verdicts if one.finding is finding))
    if not verdicts:
        return Verdict(Finding.NOT_DECIDED, "nothing was measured")
    return Verdict(Finding.HELD, "; ".join(one.evidence for one in verdicts))
