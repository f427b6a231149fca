"""What is to be trained, and where: the settings of every model, held against those that a folder was begun with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn import Config, load_config
from seq2seq_attn.config import dump_config, parse_config
from seq2seq_attn.errors import ConfigError, DataError, Seq2SeqError
from seq2seq_attn.experiment.run_folder import differences
from seq2seq_attn.files import write_atomic
from seq2seq_attn.models.build import build_model

from .corpora import Corpus
from .reproduction import Reproduction, Variant

SETTINGS = "settings.json"
VOCABULARY = 10
"""Tokens of the models that are built only to see whether they can be."""

SHOWN = 3
"""Differences that are named; more are counted."""

WITHOUT_EFFECT = frozenset({"seed", "data.workers", "training.device", "training.threads", "training.log_every"})
"""Keys that may change while a reproduction is under way; seeds are compared by ``--seeds``."""


@dataclass(frozen=True)
class Plan:
    """A reproduction, on a corpus, in a folder.

    Attributes:
        reproduction: what is tried again.
        corpus: on which text.
        data: where that is; None: in the repository.
        output: the folder of everything.
        seeds: that each variant is trained from.
        overrides: of all variants, ``key.path=value``.
    """

    reproduction: Reproduction
    corpus: Corpus
    data: Path | None
    output: Path
    seeds: Sequence[int]
    overrides: Sequence[str] = ()

    def config(self, variant: Variant, seed: int, *more: str) -> Config:
        """Return the settings of one training.

        Raises:
            ConfigError: if they are wrong.
            DataError: if the text is not there.
        """
        own = self.reproduction.settings_of(variant, self.corpus)
        config = load_config(
            self.corpus.config,
            [*self.corpus.overrides(self.data), *_merged(own, self.overrides), *more, f"seed={seed}"],
        )
        # overrides add to the sets of the file, which would stay
        judged = {name: config.data.test[name] for name in self.corpus.tests}
        return config.model_copy(update={"data": config.data.model_copy(update={"test": judged})})

    def run(self, variant: Variant, seed: int) -> Path:
        """Return the run folder of a training."""
        return self.output / "runs" / self.reproduction.trained_as(variant).folder / f"seed-{seed}"

    def outcome(self, variant: Variant, seed: int) -> Path:
        """Return the file of what was measured of it."""
        return self.output / "outcomes" / variant.folder / f"seed-{seed}.json"

    def check(self) -> None:
        """Refuse settings that make no sense here, before anything is trained.

        Raises:
            ConfigError: naming the key.
        """
        for override in self.overrides:
            key = override.partition("=")[0]
            if key == "seed":
                raise ConfigError(f"{override}: name seeds with --seeds {override.partition('=')[2]}")
            for variant in self.reproduction.variants:
                if any(_overlap(key, setting.partition("=")[0]) for setting in variant.settings):
                    raise ConfigError(
                        f"{override}: is what {self.reproduction.name} compares ({variant.name}); leave it out"
                    )

    def begin(self) -> None:
        """Write down what is to be trained, or see that it is what the folder was begun with.

        Raises:
            ConfigError: if the folder holds something else.
            DataError: if its record cannot be read.
        """
        self.check()
        path = self.output / SETTINGS
        now = {variant.name: self.config(variant, self.seeds[0]) for variant in self.reproduction.variants}
        for config in now.values():  # sizes that do not fit should not be found after hours
            build_model(config.model, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY, padding=0)
        before: dict[str, str] = {}
        if path.exists():
            before = self._check_record(path, now)
        elif self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
            raise ConfigError(f"{self.output}: holds other files and no reproduction; choose another one with --output")
        self.output.mkdir(parents=True, exist_ok=True)
        variants = before | {name: dump_config(config) for name, config in now.items()}
        record = {"reproduction": self.reproduction.name, "corpus": self.corpus.name, "variants": variants}
        write_atomic(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")

    def _check_record(self, path: Path, now: dict[str, Config]) -> dict[str, str]:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            kept: dict[str, str] = dict(record["variants"])
            old = {name: parse_config(text) for name, text in kept.items()}
            about = (record["reproduction"], record["corpus"])
        except (OSError, ValueError, KeyError, TypeError, Seq2SeqError) as error:
            raise DataError(f"{path}: is damaged or of another release ({error}); choose another --output") from error
        if about != (self.reproduction.name, self.corpus.name):
            raise ConfigError(
                f"{self.output}: holds {about[0]} on {about[1]}, not {self.reproduction.name} on {self.corpus.name}; "
                "choose another folder with --output"
            )
        for name, config in now.items():
            found = differences(old.get(name, config), config)
            changed = [f"{key} was {was!r}, now {is_now!r}" for key, (was, is_now) in found.items() if not _free(key)]
            if changed:
                more = f"; and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
                raise ConfigError(
                    f"{self.output}: was begun with other settings ({name}: {'; '.join(changed[:SHOWN])}{more}); "
                    "restore them, or choose another folder with --output"
                )
        return kept


def _merged(own: Sequence[str], given: Sequence[str]) -> list[str]:
    """Put what a user asked for in the place of what a reproduction sets for all; a key stands once."""
    keys = {override.partition("=")[0] for override in given}
    return [*(setting for setting in _last(own) if setting.partition("=")[0] not in keys), *given]


def _last(settings: Sequence[str]) -> list[str]:
    """Keep of several settings of one key the last."""
    return list({setting.partition("=")[0]: setting for setting in settings}.values())


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _free(key: str) -> bool:
    return key in WITHOUT_EFFECT
