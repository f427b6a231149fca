"""The one door between torchtext (0.6.0, the last release in pure Python) and this package.

What users of torchtext have becomes what this package works with::

    tokenizers = from_torchtext_fields(SRC, TRG)
    pairs = from_torchtext_dataset(train_data)
    for batch in from_torchtext_iterator(train_iterator): ...
"""

from __future__ import annotations

import ssl
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from seq2seq_attn.data.batching import Batch, collate
from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.data.tokenizers import SPECIALS, UNK, Tokenizer, Tokenizers, WordTokenizer
from seq2seq_attn.data.tokenizers.base import WORD_START, is_word_character
from seq2seq_attn.data.tokenizers.word import JOINER
from seq2seq_attn.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from torchtext.data import Dataset, Field
    from torchtext.data import Iterator as BatchIterator
    from torchtext.vocab import Vectors, Vocab

_NOT_A_TOKEN = -1


def from_torchtext_vocab(vocab: Vocab, *, leave_out: tuple[str, ...] = SPECIALS) -> WordTokenizer:
    """Make a tokenizer of a torchtext ``Vocab``; its words keep their order.

    Args:
        vocab: the vocabulary.
        leave_out: its special symbols, which get the ids they have everywhere in this package.
    """
    return WordTokenizer([word for word in vocab.itos if word not in leave_out], marks=False)


def from_torchtext_field(field: Field) -> WordTokenizer:
    """Make a tokenizer of a torchtext ``Field`` whose vocabulary is built.

    It splits at spaces: the field's own ``tokenize`` and ``lower`` are not taken along, they are code.
    Text that went through the field (:func:`from_torchtext_dataset`) has what they did in it.

    Raises:
        DataError: if the field has no vocabulary.
    """
    if getattr(field, "vocab", None) is None or not field.sequential:
        raise DataError("this torchtext field has no vocabulary of words: call its build_vocab(dataset) first")
    return from_torchtext_vocab(field.vocab, leave_out=_specials(field))


def from_torchtext_fields(source: Field, target: Field) -> Tokenizers:
    """Make the tokenizers of two fields; they share one if the fields share their vocabulary.

    Raises:
        DataError: if a field has no vocabulary.
    """
    first = from_torchtext_field(source)
    is_shared = source is target or source.vocab is getattr(target, "vocab", None)
    return Tokenizers(first, first if is_shared else from_torchtext_field(target))


def from_torchtext_dataset(dataset: Dataset, *, source: str = "src", target: str = "trg") -> Iterator[SentencePair]:
    """Read the sentence pairs of a torchtext dataset: its tokens with a space between each two.

    Args:
        dataset: with two sequential fields, such as a ``TranslationDataset``.
        source: name of the source field.
        target: name of the target field.

    Raises:
        DataError: if the dataset has no such field.
    """
    for name in (source, target):
        _field(dataset, name)
    for example in dataset.examples:
        yield SentencePair(_spaced(getattr(example, source)), _spaced(getattr(example, target)))


def from_torchtext_iterator(batches: BatchIterator, *, source: str = "src", target: str = "trg") -> Iterator[Batch]:
    """Turn the batches of a torchtext iterator, such as a ``BucketIterator``, into ours.

    Token ids become those of :func:`from_torchtext_field`. Both axis orders, ``include_lengths`` and
    padding on either side are understood. ``indices`` counts the sentences as they come.

    Args:
        batches: the iterator.
        source: name of the source field.
        target: name of the target field.

    Raises:
        DataError: if the dataset has no such field, or a field no vocabulary.
    """
    fields = [_field(batches.dataset, name) for name in (source, target)]
    numbers = [_new_ids(field) for field in fields]
    seen = 0
    for batch in batches:
        sources, targets = (
            _rows(getattr(batch, name), field, ids)
            for name, field, ids in zip((source, target), fields, numbers, strict=True)
        )
        yield collate(sources, targets, range(seen, seen + len(sources)))
        seen += len(sources)


def to_torchtext_vocab(tokenizer: Tokenizer) -> Vocab:
    """Make a torchtext ``Vocab`` with the ids of a tokenizer."""
    from torchtext.vocab import Vocab

    tokens = [tokenizer.id_to_token(number) for number in range(len(tokenizer))]
    words = tokens[len(SPECIALS) :]
    # counted downward, so that the order stays
    counts = Counter({word: len(words) - rank for rank, word in enumerate(words)})
    return Vocab(counts, specials=list(SPECIALS))


def build_vocabulary(counts: Counter[str], *, size: int, minimum_frequency: int) -> list[str]:
    """Choose the words of a vocabulary with torchtext's ``Vocab``: by frequency, ties by the alphabet.

    Args:
        counts: how often each word occurs.
        size: largest size of the vocabulary, special symbols included.
        minimum_frequency: rarer words are left out.

    Returns:
        The words, without the special symbols.
    """
    from torchtext.vocab import Vocab

    words = max(0, size - len(SPECIALS))
    vocabulary = Vocab(counts, max_size=words, min_freq=minimum_frequency, specials=list(SPECIALS))
    return list(vocabulary.itos[len(SPECIALS) :])


class PretrainedVectors(NamedTuple):
    """Word vectors for the tokens of a tokenizer; zeros where there are none."""

    vectors: Float[Tensor, "vocab size"]
    found: Bool[Tensor, " vocab"]

    @property
    def share(self) -> float:
        """Share of the tokens, special symbols left out, for which there is a vector."""
        return float(self.found[len(SPECIALS) :].float().mean()) if len(self.found) > len(SPECIALS) else 0.0


def pretrained_vectors(
    tokenizer: Tokenizer, name_or_path: str | Path, *, cache: Path | None = None
) -> PretrainedVectors:
    """Look up the tokens in word vectors read by torchtext: GloVe, fastText, any text file of vectors.

    A token is looked up as it is, then without the marks of its tokenizer, then in lower case. A subword
    inside or at the end of a word is no word, and has no vector; a sign has.

    Args:
        tokenizer: whose tokens.
        name_or_path: a file with a word and its numbers in each line, or one of torchtext's names such
            as ``glove.6B.100d``, which is downloaded.
        cache: where downloads are kept; default ``.vector_cache``.

    Raises:
        DataError: if there is no such file or name, or the file is no file of vectors.
    """
    vectors = _read_vectors(str(name_or_path), cache)
    rows = torch.zeros(len(tokenizer), vectors.dim)
    found = torch.zeros(len(tokenizer), dtype=torch.bool)
    for number in range(len(SPECIALS), len(tokenizer)):
        token = tokenizer.id_to_token(number)
        if tokenizer.kind == "sentencepiece" and not _may_be_a_word(token):
            continue
        bare = token.removeprefix(WORD_START).strip(JOINER)
        for word in (token, bare, bare.lower()):
            if word in vectors.stoi:
                rows[number] = vectors[word]
                found[number] = True
                break
    return PretrainedVectors(rows, found)


def check_vectors(name_or_path: str) -> None:
    """Refuse what cannot name word vectors, before anything is read.

    Raises:
        DataError: if there is no such file or name.
    """
    from torchtext.vocab import pretrained_aliases

    if not Path(name_or_path).is_file() and name_or_path not in pretrained_aliases:
        raise DataError(
            f"{name_or_path}: no such file, and not a name of word vectors"
            f"{did_you_mean(name_or_path, pretrained_aliases)} (names are {', '.join(pretrained_aliases)})"
        )


def _may_be_a_word(subword: str) -> bool:
    return subword.startswith(WORD_START) or not any(map(is_word_character, subword))


def _read_vectors(name_or_path: str, cache: Path | None) -> Vectors:
    from torchtext.vocab import Vectors, pretrained_aliases

    check_vectors(name_or_path)
    try:
        with _verified_tls():
            if Path(name_or_path).is_file():
                # torchtext caches by file name alone, and would mix up two files of one name
                with tempfile.TemporaryDirectory() as aside:
                    return Vectors(name_or_path, cache=aside)
            return pretrained_aliases[name_or_path](cache=str(cache) if cache else None)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise DataError(f"{name_or_path}: no word vectors can be read from this: {error}") from error


@contextmanager
def _verified_tls() -> Iterator[None]:
    """Keep torchtext from switching off the verification of certificates, for itself and all others."""
    default, unverified = ssl._create_default_https_context, ssl._create_unverified_context
    ssl._create_unverified_context = ssl.create_default_context  # type: ignore[assignment]
    try:
        yield
    finally:
        ssl._create_default_https_context, ssl._create_unverified_context = default, unverified


def _field(dataset: Dataset, name: str) -> Field:
    if name not in dataset.fields:
        known = ", ".join(map(repr, dataset.fields))
        raise DataError(f"this torchtext dataset has no field {name!r}{did_you_mean(name, dataset.fields)} ({known})")
    return dataset.fields[name]


def _specials(field: Field) -> tuple[str, ...]:
    names = (field.unk_token, field.pad_token, field.init_token, field.eos_token)
    return tuple(name for name in names if name is not None)


def _spaced(tokens: list[str]) -> str:
    # some tokenizers make tokens of the spaces themselves
    return " ".join(piece for token in tokens for piece in token.split(" ") if piece)


def _new_ids(field: Field) -> NDArray[np.int64]:
    """For each of the field's ids the id of our tokenizer, or that it is no token of the sentence."""
    tokenizer = from_torchtext_field(field)
    skipped = set(_specials(field)) - {field.unk_token}
    return np.array(
        [
            UNK if word == field.unk_token else _NOT_A_TOKEN if word in skipped else tokenizer.token_to_id(word)
            for word in field.vocab.itos
        ],
        dtype=np.int64,
    )


def _rows(values: Tensor | tuple[Tensor, Tensor], field: Field, ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    matrix = values[0] if isinstance(values, tuple) else values
    matrix = matrix if field.batch_first else matrix.T
    return [row[row != _NOT_A_TOKEN] for row in ids[matrix.cpu().numpy()]]
