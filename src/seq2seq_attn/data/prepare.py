"""From text files to a tokenizer and encoded corpora on disk, done once and reused while nothing changes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from seq2seq_attn.config.corpora import CorpusConfig
from seq2seq_attn.config.schema import Config, TokenizerConfig
from seq2seq_attn.data.encode import CorpusPairs, Counts, encode_training, encode_validation
from seq2seq_attn.data.encoded import EncodedCorpus, Part
from seq2seq_attn.data.links import alignment_files
from seq2seq_attn.data.record import (
    Digests,
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
from seq2seq_attn.files import folder_atomic, remove_leftovers, rename_folder

FORMAT = 1  # of the prepared files; one more when an older reader would misread them

CHECKPOINTS = "checkpoints"
PREPARING = "preparing"
"""Folder of a preparation that is not complete; the next start goes on with it."""

NOTES = "notes.json"  # in that folder: how far it is
_LEARNED_FROM = ("training text", "training alignments", "training tags")  # of a record

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
    corpus, work = folder / "corpus", folder / PREPARING
    digests = Digests(read_record(corpus).get("files"))
    train, validation = config.data.train, config.data.validation
    text = {"training text": digest_corpus(train, digests), "validation text": digest_corpus(validation, digests)}
    home, tokenizers = _tokenizers(config, folder, text["training text"], report)
    record = {
        "format": FORMAT,
        **text,
        "training alignments": digest_alignments(train, digests),
        "validation alignments": digest_alignments(validation, digests),
        "training tags": _tags(train),
        "validation tags": _tags(validation),
        "tokenizer": digest_folder(home),
        "data.max_length": config.data.max_length,
        "tokenizer.sampling": config.tokenizer.sampling > 0,  # it needs the raw text, whatever its value
    }
    files = {"files": digests.found}
    prepared = _reuse(config, corpus, record, tokenizers, report)
    if prepared is not None:
        if read_record(corpus).get("files") != digests.found:
            write_record(corpus, read_record(corpus) | files)
        if home.parent == work:  # made anew, and the same as before
            rename_folder(home, folder / "tokenizer")
        shutil.rmtree(work, ignore_errors=True)
        return prepared
    _check_text(folder, read_record(corpus), record)
    if changes(work, record):
        work.mkdir(parents=True, exist_ok=True)
        (work / NOTES).unlink(missing_ok=True)  # first: they say what is there
        shutil.rmtree(work / "corpus", ignore_errors=True)
        write_record(work, record)
    try:
        counts = encode_training(config, tokenizers, work / "corpus" / "train", notes=work / NOTES, report=report)
        encode_validation(config, tokenizers, work / "corpus" / "validation")
    except DataError:
        shutil.rmtree(work)  # nothing of it will be of use when the text is mended
        raise
    total = sum(counts, Counts())
    made = {"counts": asdict(total), "parts": [part.kept for part in counts]}
    write_record(work / "corpus", record | made | files)
    if home.parent == work:
        rename_folder(home, folder / "tokenizer")
    rename_folder(work / "corpus", corpus)
    shutil.rmtree(work)
    report(total.describe(config.data.max_length))
    return _open(config, corpus, tokenizers, total)


def open_prepared(config: Config, folder: Path) -> PreparedData:
    """Open what :func:`prepare` has made, perhaps in another process; nothing is checked or written.

    Raises:
        DataError: if it is not there, or damaged.
        CheckpointError: if the tokenizer is.
    """
    corpus = folder / "corpus"
    record = read_record(corpus)
    if not record:
        raise DataError(f"{corpus}: there is no prepared corpus here")
    return _open(config, corpus, Tokenizers.load(folder / "tokenizer"), Counts(**record["counts"]))


def _tokenizers(config: Config, folder: Path, text: str, report: Report) -> tuple[Path, Tokenizers]:
    """Load the tokenizers of the folder, or learn new ones; return where they lie, too.

    New ones lie in the folder of what is being prepared, until the corpus is complete.
    """
    home, new = folder / "tokenizer", folder / PREPARING / "tokenizer"
    changed = changes(home, _tokenizer_record(config, text, home))
    damage: CheckpointError | None = None
    if not changed:
        try:
            tokenizers = Tokenizers.load(home)
        except CheckpointError as error:
            changed, damage = f"it is damaged ({error})", error
        else:
            report("reusing the tokenizer")
            return home, tokenizers
    if _has_checkpoints(folder):
        raise CheckpointError(
            f"{folder / CHECKPOINTS} holds a model that was trained with the tokenizer of this folder, "
            f"which would have to be made anew: {changed}; choose another folder with --output, "
            "or delete this one to start again"
        ) from damage
    if not changes(new, _tokenizer_record(config, text, new)):
        with contextlib.suppress(CheckpointError):
            tokenizers = Tokenizers.load(new)
            report("reusing the tokenizer of an interrupted preparation")
            return new, tokenizers
    if config.tokenizer.reuse is not None:
        report(f"taking the tokenizer of {config.tokenizer.reuse}: {changed}")
        tokenizers = _take_tokenizers(config.tokenizer, Path(config.tokenizer.reuse))
    else:
        report(f"learning the tokenizer: {changed}")
        plain = [part.model_copy(update={"tag": None}) for part in config.data.train]
        pairs = CorpusPairs(plain, "learning the tokenizer")
        tokenizers = train_tokenizers(config.tokenizer, pairs, seed=config.seed, report=report)
    tokenizers = tokenizers.with_tags(config.data.tags)
    with folder_atomic(new) as aside:
        tokenizers.save(aside)
        write_record(aside, _tokenizer_record(config, text, new))
    return new, tokenizers


def _check_text(folder: Path, before: Record, now: Record) -> None:
    """Refuse another training text under a training that goes on in the middle of it.

    Raises:
        CheckpointError: if there are checkpoints, and what they learned from has changed.
    """
    changed = [key for key in _LEARNED_FROM if before and before.get(key) != now[key]]
    if changed and _has_checkpoints(folder):
        raise CheckpointError(
            f"{folder / CHECKPOINTS} holds a model in the middle of a training whose {' and '.join(changed)} "
            "changed since: put back what was there, choose another folder with --output, or delete this one to "
            "start again"
        )


def _has_checkpoints(folder: Path) -> bool:
    checkpoints = folder / CHECKPOINTS
    return checkpoints.is_dir() and any(checkpoints.iterdir())


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
    train = EncodedCorpus.open(corpus / "train", _parts(config, read_record(corpus), counts))
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


def _parts(config: Config, record: Record, counts: Counts) -> list[Part]:
    """Say which pairs are of which corpus, and how often an epoch sees them."""
    weights = [part.weight for part in config.data.train]
    if len(set(weights)) == 1 and weights[0] == 1:
        return []
    pairs = record.get("parts", [counts.kept])  # the first releases knew of one part only
    if len(pairs) != len(weights):
        raise DataError("it does not say which pairs are of which corpus")
    return [Part(kept, weight) for kept, weight in zip(pairs, weights, strict=True)]


def _tags(corpus: Iterable[CorpusConfig]) -> list[str | None] | None:
    tags = [part.tag for part in corpus]
    return tags if any(tags) else None


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
    tags = {"tags": list(config.data.tags) or None}
    if config.tokenizer.reuse is not None:
        other = Path(config.tokenizer.reuse) / "tokenizer"
        # once it has been taken, the other run need not be there any more
        digest = digest_folder(other) if other.is_dir() else read_record(home).get("tokenizer.reuse")
        taken = {"tokenizer.reuse": digest, **{f"tokenizer.{key}": settings[key] for key in ("kind", "shared")}}
        return {"format": FORMAT, **taken, **tags}
    if settings["training_sentences"] == TokenizerConfig().training_sentences:
        del settings["training_sentences"]  # unknown to the first releases, whose tokenizers are the same
    # sampling is applied when text is encoded, not when the tokenizer is learnt
    return {"format": FORMAT, "training text": text, **tags} | {
        f"tokenizer.{key}": value for key, value in settings.items() if key != "sampling"
    }
