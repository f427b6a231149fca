"""Word alignments of given translations, from where a model looks while it is made to write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq_attn.alignment import Links, link_words
from seq2seq_attn.config.schema import TextCorpus
from seq2seq_attn.data.batching import collate
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.links import AlignedPair, read_aligned
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.alignment_error import AlignmentErrors, alignment_errors
from seq2seq_attn.translation import MAX_SOURCE_TOKENS, Translator

CHUNK = 1024  # pairs that are read before they are aligned, so that those of like length can be put together


def align_pairs(translator: Translator, pairs: Sequence[SentencePair]) -> list[Links]:
    """Link the words of each target to the source words the model looks at most while it writes them.

    A target word that gets most of its weight from the end of the source has no link. Of a sentence
    with ``MAX_SOURCE_TOKENS`` tokens or more, the words behind them have none.

    Args:
        translator: of a model with attention.
        pairs: sentences and their translations; either may be blank.
    """
    tokenizers, size = translator.tokenizers, translator.decoding.batch_sentences
    most = MAX_SOURCE_TOKENS - 1
    sources = [ids[:most] for ids in tokenizers.source.encode_batch([pair.source for pair in pairs])]
    targets = [ids[:most] for ids in tokenizers.target.encode_batch([pair.target for pair in pairs])]
    wanted = [number for number in range(len(pairs)) if sources[number] and targets[number]]
    wanted.sort(key=lambda number: (len(targets[number]), len(sources[number])))
    links: list[Links] = [[] for _ in pairs]
    translator.model.eval()
    for begin in range(0, len(wanted), size):
        numbers = wanted[begin : begin + size]
        batch = collate([sources[number] for number in numbers], [targets[number] for number in numbers], numbers)
        batch = batch.to(translator.device)
        with torch.inference_mode():
            forced = translator.model(batch.source, batch.source_lengths, batch.target_in)
        for weights, number in zip(forced.weights.float().cpu().numpy(), numbers, strict=True):
            links[number] = link_words(
                weights[:, : len(sources[number]) + 1],
                tokenizers.source.word_numbers(pairs[number].source)[:most],
                tokenizers.target.word_numbers(pairs[number].target)[:most],
            )
    return links


def score_alignments(translator: Translator, pairs: Sequence[AlignedPair]) -> AlignmentErrors:
    """Compare the links of :func:`align_pairs` with gold alignments; pairs without one are left out."""
    judged = [(pair, reference) for pair, reference in pairs if reference is not None]
    links = align_pairs(translator, [pair for pair, _ in judged])
    return alignment_errors(links, [reference for _, reference in judged])


def read_pairs(source: Path, target: Path, reference: Path | None = None) -> list[AlignedPair]:
    """Read two files line by line, and what links their words if a file says it.

    Raises:
        DataError: if a file is missing or wrong, or their numbers of lines differ.
    """
    pairs = read_corpus(TextCorpus(source=(str(source),), target=(str(target),)))
    if reference is None:
        return [AlignedPair(pair, None) for pair in pairs]
    return list(read_aligned(pairs, reference, text=str(source)))


def align_lines(translator: Translator, pairs: Sequence[AlignedPair]) -> Iterator[Links]:
    """Give the links of one pair after the other, a thousand at a time.

    Raises:
        ConfigError: if the model has no attention.
    """
    if not translator.model.attends:
        raise ConfigError("this model has no attention, so it cannot say which words belong together")
    with tqdm(total=len(pairs), desc="aligning", unit="pair", disable=None, leave=False) as bar:
        for begin in range(0, len(pairs), CHUNK):
            links = align_pairs(translator, [pair for pair, _ in pairs[begin : begin + CHUNK]])
            bar.update(len(links))
            yield from links
