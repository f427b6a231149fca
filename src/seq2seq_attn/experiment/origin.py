"""What made translations, so that it can be known whether they would come out the same again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2seq_attn import __version__
from seq2seq_attn.checkpoint.folders import TOKENIZER, find_checkpoint, read_run_config
from seq2seq_attn.checkpoint.info import MODEL, check_files, read_info
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.lines import read_lines
from seq2seq_attn.errors import DataError
from seq2seq_attn.experiment.run_folder import EVALUATION


@dataclass(frozen=True)
class Origin:
    """What translations depend on; equal origins mean equal translations.

    Attributes:
        checkpoint: the name of its folder.
        model: digest of parameters, network and tokenizers.
        search: digest of everything about the search but its batch size, which changes nothing.
        sources: digest of what was translated.
        device: ``cpu`` or ``cuda``, which round differently.
        version: of this package.
    """

    checkpoint: str
    model: str
    search: str
    sources: str
    device: str
    version: str = __version__


def origin_of(run: Path, decoding: DecodingConfig, sources: Sequence[str], device: str) -> Origin:
    """Describe translations of a run before they are made.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        decoding: how it searches.
        sources: what it translates.
        device: that it translates on.

    Raises:
        CheckpointError: if the folder is no run, or its parameters are damaged.
    """
    run, folder = find_checkpoint(run)
    info = read_info(folder)
    check_files(folder, info, (MODEL,))
    network = read_run_config(run).model.model_dump(mode="json")
    tokenizers = sorted(path for path in (run / TOKENIZER).rglob("*") if path.is_file())
    search = decoding.model_dump(mode="json", exclude={"batch_sentences"})
    lexicon = () if decoding.lexicon is None else read_lines(decoding.lexicon)
    return Origin(
        checkpoint=folder.name,
        model=_digest(info.checksums[MODEL], json.dumps(network), *(_file(path) for path in tokenizers)),
        search=_digest(json.dumps(search, sort_keys=True), *lexicon),
        sources=_digest(*sources),
        device=device,
    )


def stored_translations(run: Path, split: str, origin: Origin) -> list[str] | None:
    """Return the translations that a run keeps of a split, if they are surely what it would write now.

    Args:
        run: a run folder, or a checkpoint folder inside one.
        split: the name of the test set.
        origin: of the translations that are wanted.
    """
    folder = find_checkpoint(run)[0] / EVALUATION
    path = folder / f"{split}.hyp"
    try:
        record = json.loads((folder / f"{split}.json").read_bytes())
        kept = {"origin": record.get("origin"), "hypotheses": record.get("hypotheses")}
        if kept == {"origin": asdict(origin), "hypotheses": _file(path)}:
            return list(read_lines(path))
    except (OSError, ValueError, AttributeError, DataError):
        pass  # translating again costs time only
    return None


def digest_of(text: str) -> str:
    """Return the digest of a file with this content, as the record beside the file keeps it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(*parts: str) -> str:
    found = hashlib.sha256()
    for part in parts:
        data = part.encode()
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()
