"""What is judged: sentences with their reference translations, from a configuration or from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_attn.checkpoint.folders import find_checkpoint, read_run_config
from seq2seq_attn.config.schema import Config, TextCorpus
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import ConfigError, DataError, did_you_mean
from seq2seq_attn.exported import is_exported
from seq2seq_attn.translation.members import split_runs


@dataclass(frozen=True)
class EvaluationSet:
    """Sentences whose translations are judged.

    Attributes:
        name: of the split, or of the file.
        pairs: sources and first references.
        more_references: further sets of references, each a line per sentence.
        has_sources: False when only the references were named; the sources are empty then.
    """

    name: str
    pairs: list[SentencePair]
    more_references: tuple[list[str], ...] = ()
    has_sources: bool = True

    @property
    def sources(self) -> list[str] | None:
        """What is translated; None when nobody said."""
        return [pair.source for pair in self.pairs] if self.has_sources else None

    @property
    def references(self) -> list[list[str]]:
        """One list per set of references."""
        return [[pair.target for pair in self.pairs], *self.more_references]


def read_split(config: Config, name: str) -> list[SentencePair]:
    """Read a split of a configuration: ``validation``, ``train``, or the name of a test set.

    Raises:
        ConfigError: if there is no split of this name.
        DataError: if its files are missing or wrong.
    """
    splits = {"validation": config.data.validation, "train": config.data.train, **config.data.test}
    if name not in splits:
        raise ConfigError(f"no split {name!r}{did_you_mean(name, splits)} (there are: {', '.join(splits)})")
    return list(read_corpus(splits[name]))


def read_files(source: Path | None, references: Sequence[Path]) -> EvaluationSet:
    """Read a set from files: the sources, if they matter, and one file or more of references.

    Raises:
        DataError: if a file is missing, wrong or empty, or the numbers of lines differ.
    """
    first, *others = references
    if source is None:
        pairs = [SentencePair("", line) for line in read_lines(first)]
    else:
        pairs = list(read_corpus(TextCorpus(source=(str(source),), target=(str(first),))))
    if not pairs:
        raise DataError(f"{first}: is empty; there is nothing to score")
    more = tuple(read_matching(path, len(pairs), first) for path in others)
    return EvaluationSet((source or first).name, pairs, more, has_sources=source is not None)


def read_matching(path: Path, lines: int, partner: str | Path) -> list[str]:
    """Read a file that must have as many lines as another one.

    Args:
        path: the file.
        lines: how many there must be.
        partner: what has so many, for the error.

    Raises:
        DataError: with both counts if they differ; if the file is missing or wrong.
    """
    found = list(read_lines(path))
    if len(found) != lines:
        raise DataError(
            f"{path} has {len(found)} lines but {partner} has {lines}; line i of both must belong to the same sentence"
        )
    return found


def choose_sets(
    run: str | None,
    *,
    splits: Sequence[str] = (),
    source: Path | None = None,
    references: Sequence[Path] = (),
    needs_sources: bool = True,
) -> list[EvaluationSet]:
    """Read the sets that were asked for.

    Args:
        run: whose configuration names splits; several with commas are an ensemble, whose first is asked.
        splits: names of splits; by default all test sets, or the validation split if there are none.
        source: a file, in place of splits.
        references: its reference translations.
        needs_sources: whether references alone will not do, because something is to be translated.

    Raises:
        ConfigError: if the request is none.
        DataError: if a file is missing or wrong.
        CheckpointError: if the run is none.
    """
    if source is not None or references:
        if splits:
            raise ConfigError("give either --split or files with --source and --reference, not both")
        if not references or (source is None and needs_sources):
            raise ConfigError(
                "--source and --reference go together: one file of sentences, one or more of their translations"
            )
        return [read_files(source, references)]
    if run is None:
        raise ConfigError("what is to be scored against? name a file with --reference, or a run for its test sets")
    config = config_of(run)
    names = dict.fromkeys(splits or config.data.test or ["validation"])
    sets = [EvaluationSet(name, read_split(config, name)) for name in names]
    for found in sets:
        if not found.pairs:
            raise DataError(f"the split {found.name!r} of {run} is empty; there is nothing to score")
    return sets


def config_of(run: str) -> Config:
    """Read the configuration of a run or an exported model, or of the first of an ensemble.

    Raises:
        CheckpointError: if it is neither.
    """
    first = split_runs(run)[0]
    return read_run_config(first if is_exported(first) else find_checkpoint(first)[0])
