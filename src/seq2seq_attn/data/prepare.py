"""From text files to a tokenizer and encoded corpora on disk, done once and reused while nothing changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from seq2seq_attn.config.schema import Config, TokenizerConfig
from seq2seq_attn.data.encode import CorpusPairs, Counts, encode_training, encode_validation
from seq2seq_attn.data.encoded import EncodedCorpus
from seq2seq_attn.data.links import alignment_files
from seq2seq_attn.data.record import (
    Record,
    changes,
    digest_alignments,
    digest_corpus,
    digest_folder,
    read_record,
    write_record,
)
from seq2seq_attn.data.sampling import SampledCorpus
from seq2seq_attn.data.tokenizers import Tokenizers, train_tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError, DataError
from seq2seq_attn.files import folder_atomic, remove_leftovers

FORMAT = 1  # of the prepared files; one more when an older reader would misread them

Report = Callable[[str], None]


@dataclass(frozen=True)
class PreparedData:
    """All that training reads.

    Attributes:
        tokenizers: the tokenizer of each language.
        train: the training pairs, encoded without sampling.
        validation: the validation pairs, every one, in the order of their files.
        counts: what became of the training pairs.
    """

    tokenizers: Tokenizers
    train: EncodedCorpus
    validation: EncodedCorpus
    counts: Counts
    _sampled: SampledCorpus | None = field(default=None, repr=False)

    def train_epoch(self, epoch: int) -> EncodedCorpus:
        """Return the training pairs as this epoch sees them: with ``tokenizer.sampling``, each differs."""
        return self.train if self._sampled is None else self._sampled.epoch(epoch)


def prepare(config: Config, folder: Path, *, report: Report) -> PreparedData:
    """Make the tokenizer and the encoded corpora of a run, or take what is there if nothing changed.

    Args:
        config: the run's configuration.
        folder: the run folder; ``tokenizer/`` and ``corpus/`` are written into it.
        report: told in one line each what is done and why, and which pairs were dropped.

    Raises:
        ConfigError: if the text does not allow a vocabulary of the size asked for, or the tokenizer to take over is
            missing or another one than the configuration says.
        DataError: if a file is missing or wrong, or nothing is left to train on.
        CheckpointError: if the folder holds checkpoints that need another tokenizer.
    """
    if folder.is_dir():
        remove_leftovers(folder)
    text = {"training text": digest_corpus(config.data.train), "validation text": digest_corpus(config.data.validation)}
    tokenizers, is_new = _tokenizers(config, folder, text["training text"], report)
    with contextlib.ExitStack() as stack:
        home = folder / "tokenizer"
        if is_new:
            # It gets its name when the corpus is complete: the exit stack ends in reverse.
            home = stack.enter_context(folder_atomic(home))
            tokenizers.save(home)
            write_record(home, _tokenizer_record(config, text["training text"], home))
        record = {
            "format": FORMAT,
            **text,
            "training alignments": digest_alignments(config.data.train),
            "validation alignments": digest_alignments(config.data.validation),
            "tokenizer": digest_folder(home),
            "data.max_length": config.data.max_length,
            "tokenizer.sampling": config.tokenizer.sampling > 0,  # it needs the raw text, whatever its value
        }
        corpus = folder / "corpus"
        prepared = _reuse(config, corpus, record, tokenizers, report)
        if prepared is not None:
            return prepared
        with folder_atomic(corpus) as aside:
            counts = encode_training(config, tokenizers, aside / "train")
            encode_validation(config, tokenizers, aside / "validation")
            write_record(aside, {**record, "counts": asdict(counts)})
        report(counts.describe(config.data.max_length))
    return _open(config, corpus, tokenizers, counts)


def _tokenizers(config: Config, folder: Path, text: str, report: Report) -> tuple[Tokenizers, bool]:
    """Load the tokenizers of the folder, or learn new ones; the flag says which."""
    home = folder / "tokenizer"
    changed = changes(home, _tokenizer_record(config, text, home))
    damage: CheckpointError | None = None
    if not changed:
        try:
            tokenizers = Tokenizers.load(home)
        except CheckpointError as error:
            changed, damage = f"it is damaged ({error})", error
        else:
            report("reusing the tokenizer")
            return tokenizers, False
    checkpoints = folder / "checkpoints"
    if checkpoints.is_dir() and any(checkpoints.iterdir()):
        raise CheckpointError(
            f"{checkpoints} holds a model that was trained with the tokenizer of this folder, "
            f"which would have to be made anew: {changed}; choose another folder with --output, "
            "or delete this one to start again"
        ) from damage
    if config.tokenizer.reuse is not None:
        report(f"taking the tokenizer of {config.tokenizer.reuse}: {changed}")
        return _take_tokenizers(config.tokenizer, Path(config.tokenizer.reuse)), True
    report(f"learning the tokenizer: {changed}")
    return train_tokenizers(config.tokenizer, CorpusPairs(config.data.train, "learning the tokenizer")), True


def _reuse(config: Config, corpus: Path, record: Record, tokenizers: Tokenizers, report: Report) -> PreparedData | None:
    changed = changes(corpus, record)
    if not changed:
        try:
            counts = Counts(**read_record(corpus)["counts"])
            prepared = _open(config, corpus, tokenizers, counts)
        except (DataError, KeyError, TypeError) as error:
            changed = f"it is damaged ({error})"
        else:
            report("reusing the prepared corpus")
            report(counts.describe(config.data.max_length))
            return prepared
    report(f"encoding the corpus: {changed}")
    return None


def _open(config: Config, corpus: Path, tokenizers: Tokenizers, counts: Counts) -> PreparedData:
    train = EncodedCorpus.open(corpus / "train")
    if alignment_files(config.data.train) and train.links is None:
        raise DataError(f"{corpus}: the alignments of the prepared corpus are missing; prepare it again")
    validation = EncodedCorpus.open(corpus / "validation")
    sampled = None
    if config.tokenizer.sampling > 0:
        sampled = SampledCorpus(
            corpus / "train",
            train,
            tokenizers,
            strength=config.tokenizer.sampling,
            max_length=config.data.max_length,
            seed=config.seed,
        )
    return PreparedData(tokenizers, train, validation, counts, sampled)


def _take_tokenizers(config: TokenizerConfig, run: Path) -> Tokenizers:
    """Load the tokenizers of another run, which must be what the configuration says they are."""
    try:
        tokenizers = Tokenizers.load(run / "tokenizer")
    except CheckpointError as error:
        raise ConfigError(f"tokenizer.reuse: {error} (working directory: {Path.cwd()})") from error
    found = {"kind": tokenizers.source.kind, "shared": tokenizers.shared}
    for key, value in found.items():
        if getattr(config, key) != value:
            written = str(value).lower()  # as YAML has it
            raise ConfigError(
                f"tokenizer.{key} is {str(getattr(config, key)).lower()}, but that of {run} is {written}, which "
                f"tokenizer.reuse takes; set tokenizer.{key} to {written}"
            )
    return tokenizers


def _tokenizer_record(config: Config, text: str, home: Path) -> Record:
    settings = config.tokenizer.model_dump(mode="json")
    if config.tokenizer.reuse is not None:
        other = Path(config.tokenizer.reuse) / "tokenizer"
        # once it has been taken, the other run need not be there any more
        digest = digest_folder(other) if other.is_dir() else read_record(home).get("tokenizer.reuse")
        taken = {"tokenizer.reuse": digest, **{f"tokenizer.{key}": settings[key] for key in ("kind", "shared")}}
        return {"format": FORMAT, **taken}
    # sampling is applied when text is encoded, not when the tokenizer is learnt
    return {"format": FORMAT, "training text": text} | {
        f"tokenizer.{key}": value for key, value in settings.items() if key != "sampling"
    }
