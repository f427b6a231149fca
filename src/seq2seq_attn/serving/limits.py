"""How much may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.serving.refusals import Refusal

LONGEST_ESCAPE = 12  # bytes that JSON may write one character with: two \uXXXX
FRAME = 65536  # bytes of a request beside its text


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may ask for, and how many may wait.

    Attributes:
        characters: of all texts of a request.
        sentences: of a request.
        beam_size: the widest beam, and the most translations of a sentence.
        seconds: until a request has its answer.
        queue: sentences that may wait for each model.
        batch_sentences: translated at once.
        batch_milliseconds: that the first sentence of a batch waits for others to come with it.
    """

    characters: int = 10_000
    sentences: int = 100
    beam_size: int = 16
    seconds: float = 30.0
    queue: int = 256
    batch_sentences: int = 64
    batch_milliseconds: float = 5.0

    @property
    def body_bytes(self) -> int:
        """The most bytes that a request within the limits can have."""
        return self.characters * LONGEST_ESCAPE + FRAME

    def check(self) -> None:
        """Raise if the limits themselves make no sense.

        Raises:
            ConfigError: which one it is.
        """
        for limit in fields(self):
            value = getattr(self, limit.name)
            least = 0 if limit.name == "batch_milliseconds" else 1
            if not least <= value < float("inf"):
                raise ConfigError(f"--{_option(limit.name)} is {value:g}, but it must be at least {least}")
        if self.queue < self.sentences:
            raise ConfigError(
                f"--queue is {self.queue}, but one request may have {self.sentences} sentences; "
                f"raise --queue or lower --max-sentences"
            )

    def check_texts(self, texts: Sequence[str]) -> None:
        """Refuse too many texts, too long ones, and what is no text.

        Raises:
            Refusal: 413, which says how many there may be; 422 for half a character.
        """
        if any(_is_broken(text) for text in texts):
            raise Refusal(
                422, "not_text", "the text has half a character (a lone surrogate)", "send whole characters, in UTF-8"
            )
        if len(texts) > self.sentences:
            raise Refusal(
                413,
                "too_many_sentences",
                f"the request has {len(texts)} sentences, but {self.sentences} are allowed",
                f"send {self.sentences} sentences or fewer at a time",
            )
        characters = sum(map(len, texts))
        if characters > self.characters:
            raise Refusal(
                413,
                "too_long",
                f"the text has {characters:,} characters, but {self.characters:,} are allowed",
                f"send {self.characters:,} characters or fewer at a time",
            )

    def check_beam(self, beam_size: int | None, n_best: int) -> None:
        """Refuse a beam that is too wide.

        Raises:
            Refusal: 422, which says how wide it may be.
        """
        for name, value in (("beam_size", beam_size), ("n_best", n_best)):
            if value is not None and value > self.beam_size:
                raise Refusal(
                    422,
                    "beam_too_wide",
                    f"{name} is {value}, but at most {self.beam_size} is allowed",
                    f"ask for {self.beam_size} or less",
                )


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _option(name: str) -> str:
    """Return what the command line calls a limit."""
    known = {
        "characters": "max-characters",
        "sentences": "max-sentences",
        "beam_size": "max-beam-size",
        "seconds": "time-limit",
        "batch_sentences": "batch-size",
        "batch_milliseconds": "batch-wait",
    }
    return known.get(name, name)
