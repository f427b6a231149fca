"""How attention came about: every checkpoint that was kept, on the same sentences and their reference translations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from seq2seq_attn.checkpoint.folders import BEST, CHECKPOINTS, LAST
from seq2seq_attn.checkpoint.info import read_info
from seq2seq_attn.config.schema import Config
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.links import AlignedPair, read_linked
from seq2seq_attn.errors import CheckpointError, DataError
from seq2seq_attn.evaluation.diagnostics import diagnose, diagonal_share, mean_diagnostics
from seq2seq_attn.experiment.align import score_alignments
from seq2seq_attn.experiment.forcing import force
from seq2seq_attn.experiment.symptoms.reading import spread
from seq2seq_attn.translation import Translator
from seq2seq_attn.visualization.page_run import AttentionHistory, CheckpointAttention

SENTENCES = 100
"""Validation sentences that every checkpoint is made to translate."""

_LONGEST = 14  # tokens of the sentence that is shown at every checkpoint, so that three stand side by side


def attention_over_training(
    run: Path, config: Config, *, sentences: int = SENTENCES, device: str = "auto"
) -> AttentionHistory:
    """Look at every kept checkpoint of a run; what cannot be looked at is remarked, and why.

    Args:
        run: the run folder.
        config: that it was trained with.
        sentences: of the validation split, evenly spread over it.
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    try:
        pairs = list(read_linked(config.data.validation))
    except DataError as error:
        return AttentionHistory((), remarks=(f"The validation text cannot be read: {error}",))
    chosen = [pairs[number] for number in spread(len(pairs), sentences)]
    chosen = [one for one in chosen if one.pair.source.strip() and one.pair.target.strip()]
    if not chosen:
        return AttentionHistory((), remarks=("The validation text is blank.",))
    marks = _marks(run)
    found: list[CheckpointAttention] = []
    remarks: list[str] = []
    shown: tuple[SentencePair, tuple[str, ...], tuple[str, ...]] | None = None
    folders = sorted(path for path in (run / CHECKPOINTS).glob("step-*") if path.is_dir())
    for folder in tqdm(folders, desc="attention over training", unit="checkpoint", disable=None, leave=False):
        try:
            step, translator = read_info(folder).step, Translator.load(folder, device=device)
        except CheckpointError as error:
            remarks.append(f"A checkpoint was passed over: {error}")
            continue
        if not translator.model.attends:
            return AttentionHistory((), remarks=("This model has no attention.",))
        shown = shown or _choose(translator, [one.pair for one in chosen])
        found.append(_look(translator, chosen, shown[0], folder.name, step, ", ".join(marks.get(folder.name, ()))))
    if shown is None:
        return AttentionHistory((), remarks=tuple(remarks))
    pair, source_tokens, tokens = shown
    return AttentionHistory(found, pair.source, pair.target, source_tokens, tokens, tuple(remarks))


def _marks(run: Path) -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {}
    for link in (BEST, LAST):
        path = run / CHECKPOINTS / link
        if path.exists():
            marks.setdefault(path.resolve().name, []).append(link)
    return marks


def _choose(
    translator: Translator, pairs: Sequence[SentencePair]
) -> tuple[SentencePair, tuple[str, ...], tuple[str, ...]]:
    """Return the longest pair that is short enough to be drawn at every checkpoint, with its tokens."""
    tokenizers = translator.tokenizers
    sources = tokenizers.source.encode_batch([pair.source for pair in pairs])
    targets = tokenizers.target.encode_batch([pair.target for pair in pairs])
    sizes = [max(len(source), len(target)) + 1 for source, target in zip(sources, targets, strict=True)]
    short = [number for number, size in enumerate(sizes) if size <= _LONGEST]
    number = max(short, key=sizes.__getitem__) if short else min(range(len(sizes)), key=sizes.__getitem__)
    (forced,) = translator.score([pairs[number].source], [pairs[number].target])
    return pairs[number], forced.source_tokens, forced.tokens


def _look(
    translator: Translator, aligned: Sequence[AlignedPair], shown: SentencePair, name: str, step: int, marks: str
) -> CheckpointAttention:
    weights = _weights(translator, [one.pair for one in aligned])
    gold = [one for one in aligned if one.reference is not None]
    (forced,) = translator.score([shown.source], [shown.target])
    return CheckpointAttention(
        name,
        step,
        marks,
        mean_diagnostics(map(diagnose, weights)),
        float(np.mean([diagonal_share(one) for one in weights])),
        score_alignments(translator, gold).error_rate if gold else None,
        forced.attention,
    )


def _weights(translator: Translator, pairs: Sequence[SentencePair]) -> list[NDArray[np.float32]]:
    """Return the weights of each pair, the ends of both sentences included."""
    found: list[NDArray[np.float32]] = []
    for batch, forced in force(translator, pairs):
        sizes = zip(batch.source_lengths.tolist(), batch.target_lengths.tolist(), strict=True)
        for (source_len, target_len), weights in zip(sizes, forced.weights.float().cpu().numpy(), strict=True):
            found.append(weights[:target_len, :source_len])
    return found
