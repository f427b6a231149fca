"""What a reproduction consists of: models that differ in one thing, and what a paper says of that thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarking.specs import parse_spec

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.errors import ConfigError, did_you_mean

from .claims import Claim
from .corpora import Corpus
from .results import Results
from .speeds import Grid
from .tables import Table


@dataclass(frozen=True)
class Variant:
    """One model of a reproduction.

    Attributes:
        name: as tables show it.
        settings: what makes it differ, as overrides of a configuration.
        trained_as: another variant whose training it shares; None: it has its own.
        replaces_unknown: whether unknown words are replaced through attention and a lexicon.
    """

    name: str
    settings: tuple[str, ...] = ()
    trained_as: str | None = None
    replaces_unknown: bool = False

    @property
    def folder(self) -> str:
        """Its name for files."""
        return file_name(self.name)


@dataclass(frozen=True)
class Reproduction:
    """A result of a paper, to be tried again.

    Attributes:
        name: on the command line.
        paper: who and where.
        claim: what the paper says, in a line.
        variants: that are trained.
        claims: of a corpus.
        table: of the results.
        draw: writes the picture.
        departs: where all runs differ from the paper's, whatever the corpus.
        settings: that all variants have.
        corpus_settings: that they have besides, by corpus.
        grid: of speeds to be measured, by corpus; None: they are none of the matter.
        sized: makes of the network of a variant one whose states have a size, for speeds.
        aligns: whether its table has an alignment error rate, where word alignments are known.
        takes_more: whether other attention mechanisms can be put beside the variants.
        candidates: whether all variants but the first are candidates, each to be compared with the first alone, on
            validation text: then some can be left out, and test sets are not touched.
        corpora: names of those that it says something on; all if empty.
        options: of the command line that have changed its variants.
    """

    name: str
    paper: str
    claim: str
    variants: tuple[Variant, ...]
    claims: Callable[[Corpus], Sequence[Claim]]
    table: Callable[[Results], Table]
    draw: Callable[[Results, Path], None]
    departs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    corpus_settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grid: Mapping[str, Grid] | None = None
    sized: Callable[[ModelConfig, int], ModelConfig] | None = None
    aligns: bool = False
    takes_more: bool = False
    candidates: bool = False
    corpora: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def with_more(self, mechanisms: Sequence[str]) -> Reproduction:
        """Put other attention mechanisms beside the variants.

        Args:
            mechanisms: names, with parts if wanted: ``bahdanau+coverage=sum``.

        Raises:
            ConfigError: if one is unknown, or they would be compared with something else.
        """
        if mechanisms and not self.takes_more:
            raise ConfigError(f"--also: {self.name} compares more than attention mechanisms; leave this option out")
        known = {variant.name for variant in self.variants}
        specs = [parse_spec(text) for text in dict.fromkeys(mechanisms) if text not in known]
        more = [Variant(spec.text, tuple(spec.overrides())) for spec in specs]
        options = [word for variant in more for word in ("--also", variant.name)]
        return replace(self, variants=(*self.variants, *more), options=(*self.options, *options))

    def judged_on(self, corpus: Corpus) -> Corpus:
        """Return a corpus with the text that models are compared on as its test sets.

        Raises:
            ConfigError: if there is nothing to be seen on this corpus.
        """
        if self.corpora and corpus.name not in self.corpora:
            raise ConfigError(f"{self.name} says nothing on {corpus.name}; choose --corpus {' or '.join(self.corpora)}")
        return corpus.on_validation() if self.candidates else corpus

    def only(self, names: Sequence[str]) -> Reproduction:
        """Keep some of the candidates, and what they are compared with.

        Args:
            names: of variants; all if there are none.

        Raises:
            ConfigError: if one is unknown, or claims are about all of them.
        """
        if not names:
            return self
        if not self.candidates:
            raise ConfigError(f"--only: the claims of {self.name} are about all its models; leave this option out")
        first, *others = self.variants
        known = [variant.name for variant in self.variants]
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"--only {name!r}: no such model{did_you_mean(name, known)} (known: {'; '.join(known)})"
                )
        options = [word for name in names for word in ("--only", name)]
        kept = (first, *(one for one in others if one.name in names))
        return replace(self, variants=kept, options=(*self.options, *options))

    def trained_as(self, variant: Variant) -> Variant:
        """Return the variant whose training this one shares, itself as a rule."""
        return next(one for one in self.variants if one.name == (variant.trained_as or variant.name))

    def settings_of(self, variant: Variant, corpus: Corpus) -> list[str]:
        """Return the overrides of a variant, what makes it differ last."""
        return [*self.settings, *self.corpus_settings.get(corpus.name, ()), *self.trained_as(variant).settings]


def file_name(text: str) -> str:
    """Turn the name of a variant into a name for files."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-")
