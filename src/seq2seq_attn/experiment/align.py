"""Word alignments of given translations, from where a model looks while it is made to write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from seq2seq_attn.alignment import Links, ReferenceLinks, flip, link_source_words, link_words
from seq2seq_attn.checkpoint.folders import find_checkpoint, read_run_config
from seq2seq_attn.config.schema import TextCorpus
from seq2seq_attn.data.corpus import SentencePair, read_corpus
from seq2seq_attn.data.links import AlignedPair, read_aligned
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.alignment_error import AlignmentErrors, alignment_errors
from seq2seq_attn.evaluation.symmetrize import check_method, symmetrize
from seq2seq_attn.experiment.forcing import force
from seq2seq_attn.translation import Translator
from seq2seq_attn.translation.results import words_of

CHUNK = 1024  # pairs that are read before they are aligned, so that those of like length can be put together
DEFAULT_METHOD = "grow-diag"
"""How two models are put together when nothing else is said."""


@dataclass(frozen=True)
class Aligner:
    """Links the words of sentences and their translations.

    Attributes:
        translator: of a model with attention.
        method: how two directions are put together (:mod:`~seq2seq_attn.evaluation.symmetrize`);
            None takes the links of each target word as they are.
        reverse: of a model from target to source, which gives the other direction; None takes the
            links of each source word from the same weights.
    """

    translator: Translator
    method: str | None = None
    reverse: Translator | None = None

    @classmethod
    def open(cls, run: Path, *, method: str | None, reverse: Path | None, device: str) -> Aligner:
        """Load a run, and another one for the other direction.

        Raises:
            UserError: if there is no such method.
            ConfigError: if a model has no attention, or the languages of ``reverse`` are not those of ``run``
                the other way round.
            CheckpointError: if a folder is no run, or something in it is missing, damaged or foreign.
        """
        if method is not None:
            check_method(method)
        folders = [run] if reverse is None else [run, reverse]
        _check_directions(folders)
        translators = [Translator.load(folder, device=device) for folder in folders]
        for folder, translator in zip(folders, translators, strict=True):
            translator.trained(f"{folder}: to align given pairs")
            if not translator.attends:
                raise ConfigError(
                    f"{folder}: this model has no attention, so it cannot say which words belong together"
                )
        if reverse is None:
            return cls(translators[0], method)
        return cls(translators[0], method or DEFAULT_METHOD, translators[1])

    def align(self, pairs: Sequence[SentencePair]) -> list[Links]:
        """Link the words of each pair; either side may be blank, then there are none."""
        forward, backward = _link_both_ways(self.translator, pairs)
        if self.method is None:
            return forward
        if self.reverse is not None:
            swapped = [SentencePair(pair.target, pair.source) for pair in pairs]
            backward = [flip(links) for links in _link_both_ways(self.reverse, swapped)[0]]
        return [symmetrize(one, other, self.method) for one, other in zip(forward, backward, strict=True)]


def align_pairs(translator: Translator, pairs: Sequence[SentencePair]) -> list[Links]:
    """Link the words of each target to the source words the model looks at most while it writes them.

    A target word that gets most of its weight from the end of the source has no link. Of a sentence
    with ``MAX_SOURCE_TOKENS`` tokens or more, the words behind them have none.

    Args:
        translator: of a model with attention.
        pairs: sentences and their translations; either may be blank.
    """
    return Aligner(translator).align(pairs)


def score_alignments(translator: Translator, pairs: Sequence[AlignedPair]) -> AlignmentErrors:
    """Compare the links of :func:`align_pairs` with gold alignments; pairs without one are left out."""
    judged = [(pair, reference) for pair, reference in pairs if reference is not None]
    links = align_pairs(translator, [pair for pair, _ in judged])
    return alignment_errors(links, [reference for _, reference in judged])


def read_pairs(source: Path, target: Path, reference: Path | None = None, *, first: int = 0) -> Iterator[AlignedPair]:
    """Read two files line by line, and what links their words if a file says it.

    Args:
        source: sentences.
        target: their translations.
        reference: gold alignments in Pharaoh or NAACL format.
        first: the number of the first word in Pharaoh format, 0 or 1.

    Raises:
        DataError: if a file is missing or wrong, or their numbers of lines differ.
    """
    pairs = read_corpus(TextCorpus(source=(str(source),), target=(str(target),)))
    if reference is None:
        return (AlignedPair(pair, None) for pair in pairs)
    return read_aligned(pairs, reference, text=str(source), first=first)


def check_pairs(source: Path, target: Path, reference: Path | None = None, *, first: int = 0) -> int | None:
    """Read all that :func:`read_pairs` will, so that what is wrong is said before any work is done.

    Returns:
        The number of pairs; None if one of the files is a pipe, which can be read only once.

    Raises:
        DataError: as :func:`read_pairs`.
    """
    paths = [source, target] if reference is None else [source, target, reference]
    if any(path.exists() and not path.is_file() for path in paths):
        return None
    return sum(1 for _ in read_pairs(source, target, reference, first=first))


def align_lines(
    aligner: Aligner, pairs: Iterable[AlignedPair], *, total: int | None = None
) -> Iterator[tuple[Links, ReferenceLinks | None]]:
    """Give the links of one pair after the other, with the gold ones; a thousand pairs are in memory at a time.

    Args:
        aligner: what links them.
        pairs: sentences and their translations.
        total: how many there are, for the progress bar.
    """
    waiting = iter(pairs)
    with tqdm(total=total, desc="aligning", unit="pair", disable=None, leave=False) as bar:
        while chunk := list(islice(waiting, CHUNK)):
            links = aligner.align([pair for pair, _ in chunk])
            bar.update(len(chunk))
            yield from zip(links, (reference for _, reference in chunk), strict=True)


def _link_both_ways(translator: Translator, pairs: Sequence[SentencePair]) -> tuple[list[Links], list[Links]]:
    """Return the links of each target word, and those of each source word, from the same weights."""
    tokenizers = translator.tokenizers
    forward: list[Links] = [[] for _ in pairs]
    backward: list[Links] = [[] for _ in pairs]
    for batch, forced in force(translator, pairs):
        sizes = zip(batch.source_lengths.tolist(), batch.target_lengths.tolist(), strict=True)
        rows = zip(batch.indices.tolist(), sizes, forced.weights.float().cpu().numpy(), strict=True)
        for number, (source_len, target_len), weights in rows:
            sources = words_of(tokenizers.source, pairs[number].source)[: source_len - 1]
            targets = words_of(tokenizers.target, pairs[number].target)[: target_len - 1]
            weights = weights[:, :source_len]
            forward[number] = link_words(weights, sources, targets)
            backward[number] = link_source_words(weights, sources, targets)
    return forward, backward


def _check_directions(folders: Sequence[Path]) -> None:
    """Refuse what is no single run (an ensemble has several weights), and a second one that is not the reverse."""
    languages = []
    for folder in folders:
        data = read_run_config(find_checkpoint(folder)[0]).data
        languages.append((data.source_language, data.target_language))
    if languages[-1] != languages[0][::-1] and len(languages) == 2:
        (run, reverse), ((source, target), (other_source, other_target)) = folders, languages
        raise ConfigError(
            f"{reverse} translates from {other_source} to {other_target}, but {run} from {source} to {target}: "
            f"--reverse needs a run from {target} to {source}"
        )
