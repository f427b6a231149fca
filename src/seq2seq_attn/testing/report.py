"""What came of the checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

State = Literal["kept", "skipped", "broken"]


@dataclass(frozen=True)
class Outcome:
    """One check.

    Attributes:
        check: its short name.
        promise: what it looks for.
        state: what it found.
        detail: why it was skipped, or what is wrong; empty for a promise that is kept.
        mend: what to do about a broken promise.
    """

    check: str
    promise: str
    state: State
    detail: str = ""
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<7}  {self.check:<12}  {self.promise}"
        if self.state == "skipped":
            return f"{line}\n{'':<23}because {self.detail}"
        if self.state == "broken":
            return f"{line}\n{'':<23}found: {self.detail}\n{'':<23}mend:  {self.mend}"
        return line


@dataclass(frozen=True)
class Report:
    """All checks of one mechanism, in the order they were made.

    Attributes:
        mechanism: its name, or that of its class.
        sizes: what it was built from.
        outcomes: one for each check.
    """

    mechanism: str
    sizes: str
    outcomes: tuple[Outcome, ...]

    def of(self, state: State) -> tuple[Outcome, ...]:
        """Return the outcomes of one state."""
        return tuple(outcome for outcome in self.outcomes if outcome.state == state)

    def __str__(self) -> str:
        counts = [f"{len(self.of(state))} {state}" for state in ("kept", "skipped", "broken") if self.of(state)]
        return "\n".join([f"{self.mechanism} ({self.sizes}): {', '.join(counts)}", *map(str, self.outcomes)])


class ConformanceError(AssertionError):
    """A mechanism breaks a promise; the message says which, for what input, by how much, and how to mend it.

    Attributes:
        report: all that was found, what is in order included; None when nothing could be checked.
    """

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = report


class BrokenPromiseError(Exception):
    """What a check raises when it finds something."""

    def __init__(self, detail: str, mend: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.mend = mend


class NotApplicableError(Exception):
    """What a check raises when there is nothing for it to look at; the message says why."""


def broken(detail: str, mend: str) -> NoReturn:
    """End a check: the promise is broken."""
    raise BrokenPromiseError(detail, mend)


def skip(why: str) -> NoReturn:
    """End a check: it does not apply."""
    raise NotApplicableError(why)
