"""Mechanisms written in one word, so that a command line can list them: ``bahdanau+coverage=sum``.

What stands behind a ``+`` is a part of the attention (``normalize=sparsemax``) or, with a dot in it, any key of
the configuration (``model.decoder.wiring=luong``, ``training.guided_alignment.weight=0.5``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from seq2seq_attn.attention import find_attention
from seq2seq_attn.errors import ConfigError


class Spec(NamedTuple):
    """A mechanism and what goes with it.

    Attributes:
        text: as it was written.
        score: the name of a mechanism.
        parts: what its attention has that the name alone does not say.
        settings: keys of other sections, as overrides: ``model.decoder.wiring=luong``.
    """

    text: str
    score: str
    parts: dict[str, str]
    settings: list[str]

    def overrides(self) -> list[str]:
        """Return what turns a configuration into one of this mechanism."""
        if not self.parts:
            return [f"model.attention={self.score}", *self.settings]
        written = ", ".join(f"{key}: {value}" for key, value in {"score": self.score, **self.parts}.items())
        return [f"model.attention={{{written}}}", *self.settings]

    @property
    def title(self) -> str:
        """What is written over a picture: without the paths of files and the sections of keys."""
        parts = [f"{key}={value}" for key, value in self.parts.items()]
        settings = [setting.partition(".")[2] for setting in self.settings if not setting.startswith("data.")]
        return "+".join([self.score, *parts, *settings])

    @property
    def folder(self) -> str:
        """A name for files."""
        return file_name(self.text)


def file_name(text: str) -> str:
    """Turn a mechanism as it was written into a name for files, another one for another mechanism."""
    return re.sub(r"[^A-Za-z0-9.=+_-]", "_", text)


def parse_spec(text: str) -> Spec:
    """Take a word apart.

    Raises:
        ConfigError: if the mechanism is unknown, or a part is not of the form ``key=value``.
    """
    score, *choices = text.split("+")
    find_attention(score)
    parts: dict[str, str] = {}
    settings: list[str] = []
    for choice in choices:
        key, equals, value = choice.partition("=")
        if not (key and equals and value):
            raise ConfigError(
                f"{text!r}: after each + stands key=value, not {choice!r}; "
                "for example luong-general+normalize=sparsemax"
            )
        if "." in key:
            settings.append(choice)
        elif key in parts:
            raise ConfigError(f"{text!r}: {key!r} is given twice; leave one out")
        else:
            parts[key] = value
    return Spec(text, score, parts, settings)
