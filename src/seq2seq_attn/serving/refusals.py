"""Why a request is not answered, as JSON that says what to do."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - reads as what it is: a request refused
    """A request that gets no answer but ``{"error": {"code", "message", "mend"}}``.

    Args:
        status: of HTTP.
        code: one word for programs; it stays when the message is improved.
        message: what is wrong.
        mend: what to do about it.
        headers: more of them, such as ``Retry-After``.
    """

    def __init__(
        self, status: int, code: str, message: str, mend: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.mend = mend
        self.headers = dict(headers or {})

    def body(self) -> dict[str, dict[str, str]]:
        """Return what is sent as JSON."""
        return {"error": {"code": self.code, "message": self.message, "mend": self.mend}}


def busy(waiting: int, seconds: int) -> Refusal:
    """Refuse because others are before it."""
    return Refusal(
        429,
        "busy",
        f"{waiting} sentences are waiting already",
        f"try again in {seconds} s",
        {"Retry-After": str(seconds)},
    )


def too_late(limit: float) -> Refusal:
    """Refuse because it took too long."""
    return Refusal(
        504,
        "too_late",
        f"there was no answer within {limit:g} s",
        "send less text, ask for a smaller beam, or try again when there is less to do",
    )


def stopping() -> Refusal:
    """Refuse because the server is about to end."""
    return Refusal(
        503, "stopping", "the server is stopping", "try again when it has started again", {"Retry-After": "5"}
    )


def unexpected() -> Refusal:
    """Refuse because of a mistake of ours."""
    return Refusal(500, "internal", "something went wrong in the server", "see what it wrote on its standard error")
