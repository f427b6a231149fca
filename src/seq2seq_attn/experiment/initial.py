"""What a training begins with, if not with fresh parameters: another run's, or vectors of words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from seq2seq_attn.checkpoint.folders import find_checkpoint
from seq2seq_attn.checkpoint.info import MODEL, read_info
from seq2seq_attn.checkpoint.load import Checkpoint, load_checkpoint
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.tokenizers import Tokenizer, Tokenizers
from seq2seq_attn.errors import CheckpointError, ConfigError, DataError
from seq2seq_attn.files import write_atomic
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.training.initial import Side, TakenOver, TokenRows, place_vectors, take_over, token_rows

INITIAL = "initial.json"
SHOWN = 12  # parameters named on the screen; the file has all of them


def check_initial(config: Config) -> None:
    """Refuse what training cannot begin with, before any work is done.

    Raises:
        ConfigError: if there is no such run, file or name of vectors.
    """
    if config.training.initial is not None:
        try:
            find_checkpoint(Path(config.training.initial))
        except CheckpointError as error:
            raise ConfigError(f"training.initial: {error}") from error
    for side, vectors in _vectors(config):
        from seq2seq_attn.data.torchtext_interop import check_vectors

        try:
            check_vectors(vectors)
        except DataError as error:
            raise ConfigError(f"model.{side}_vectors: {error}") from error


def initialize(
    config: Config, folder: Path, model: Seq2Seq, tokenizers: Tokenizers, report: Callable[[str], None]
) -> None:
    """Give the parameters the first values that the configuration asks for; nothing when it asks for none.

    Word vectors come first, so that tokens which the other run knows have what it learned of them. What was done
    is written into ``initial.json`` of the run folder. The random numbers of training are not touched.

    Args:
        config: of the new run.
        folder: of the new run.
        model: with fresh parameters.
        tokenizers: of the new run.
        report: told in some lines what was done.

    Raises:
        ConfigError: if the vectors have another size than the embeddings.
        DataError: if the vectors cannot be read, or are of none of the tokens.
        CheckpointError: if the other run is missing, damaged, or has nothing that fits.
    """
    record: dict[str, Any] = {}
    for side, vectors in _vectors(config):
        tokenizer = tokenizers.source if side == "source" else tokenizers.target
        record[f"{side}_vectors"] = _place(model, side, vectors, tokenizer, report)
    if config.training.initial is not None:
        with torch.random.fork_rng(devices=[]):  # the other model is drawn before it is filled
            other = load_checkpoint(config.training.initial)
        record["initial"] = {"run": config.training.initial, **_take(config, model, tokenizers, other, report)}
    if record:
        write_atomic(folder / INITIAL, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _vectors(config: Config) -> Iterator[tuple[str, str]]:
    for side, vectors in (("source", config.model.source_vectors), ("target", config.model.target_vectors)):
        if vectors is not None:
            yield side, vectors


def _place(
    model: Seq2Seq, side: str, vectors: str, tokenizer: Tokenizer, report: Callable[[str], None]
) -> dict[str, Any]:
    from seq2seq_attn.data.torchtext_interop import pretrained_vectors

    found = pretrained_vectors(tokenizer, vectors)
    embedding = model.get_submodule(f"{side}_embedding")
    if not isinstance(embedding, TokenEmbedding):
        raise TypeError(f"{side}_embedding of a model is its embedding")
    size = found.vectors.shape[1]
    if size != embedding.size:
        raise ConfigError(
            f"model.{side}_vectors: {vectors} has vectors of {size} numbers, but model.embedding_size is "
            f"{embedding.size}; set it to {size}, or use other vectors"
        )
    factor = place_vectors(embedding, found.vectors, found.found)
    rows = int(found.found.sum())
    if not factor:
        what = f"none of the {len(tokenizer):,} {side} tokens" if not rows else "only zeros, or no numbers, for them"
        raise DataError(f"{vectors}: has {what}; check that language, case and encoding are those of the {side} text")
    note = "; subwords inside words have none" if tokenizer.kind == "sentencepiece" else ""
    report(
        f"{vectors}: vectors of {rows:,} of {len(tokenizer):,} {side} tokens ({found.share:.1%} without the special "
        f"symbols{note}), multiplied by {factor:.4g}"
    )
    return {"vectors": vectors, "rows": rows, "tokens": len(tokenizer), "factor": factor}


def _take(
    config: Config, model: Seq2Seq, tokenizers: Tokenizers, other: Checkpoint, report: Callable[[str], None]
) -> dict[str, Any]:
    origin = f"{config.training.initial} ({other.folder.name})"
    tokens: dict[Side, TokenRows] = {
        "source": token_rows(tokenizers.source, other.tokenizer.source),
        "target": token_rows(tokenizers.target, other.tokenizer.target),
    }
    taken = take_over(model, other.model, tokens)
    # any two models have special symbols in common, and so these numbers: they alone are nothing
    if all(one.how == "fresh" or one.name == "output.bias" for one in taken.parameters):
        raise CheckpointError(
            f"training.initial: nothing of {origin} fits this model ({_fresh(taken)[0]}); give it the sizes and "
            "the parts of that run's model, or remove this key"
        )
    for line in describe(taken, origin):
        report(line)
    return {
        "checkpoint": other.folder.name,
        "step": other.step,
        "sha256": read_info(other.folder).checksums[MODEL],
        **{how: taken.count(how) for how in ("whole", "rows", "fresh")},
        **asdict(taken),
    }


def describe(taken: TakenOver, origin: str) -> list[str]:
    """Tell in lines what was taken over from ``origin``, and what was not."""
    lines = [
        f"beginning with the parameters of {origin}: {taken.count('whole')} taken over whole, "
        f"{taken.count('rows')} in rows, {taken.count('fresh')} fresh"
    ]
    lines += [
        f"  {one.name}: {one.rows:,} of {one.tokens:,} rows ({one.rows / one.tokens:.1%})"
        for one in taken.parameters
        if one.tokens and one.rows
    ]
    fresh = _fresh(taken)
    fresh += [f"{name}: not used, this model has none that fits" for name in taken.unused]
    lines += [f"  {line}" for line in fresh[:SHOWN]]
    if len(fresh) > SHOWN:
        lines.append(f"  and {len(fresh) - SHOWN} more, see {INITIAL}")
    return lines


def _fresh(taken: TakenOver) -> list[str]:
    return [f"{one.name}: fresh, {one.reason}" for one in taken.parameters if one.how == "fresh"]
