"""Lay one configuration over another: mappings merge, everything else is replaced.

Some things are one choice although they are written as several keys, so the layer above decides them alone: the
size of a batch, how many epochs there are, the format of a corpus, and a section that is written as a single number.
"""

from __future__ import annotations

from collections.abc import Mapping

from seq2seq_attn.config.corpora import FORMATS, corpus_format
from seq2seq_attn.config.model import DROPOUT_NUMBER
from seq2seq_attn.config.tree import Node, Path

BATCH_SIZES = ("batch_tokens", "batch_sentences")
NUMBERS: dict[Path, Mapping[str, float | None]] = {
    ("model", "dropout"): DROPOUT_NUMBER,
    ("training", "word_dropout"): {"source": None, "target": None},
    ("training", "guided_alignment"): {"weight": None},
}
"""Sections that may be written as a number, and what that says of their keys; None: the number."""


def merge(below: Node, above: Node, path: Path = (), *, one_layer: bool = False) -> Node:
    """Return ``above`` laid over ``below``.

    Args:
        below: what is inherited.
        above: what is more specific.
        path: where in the configuration both stand.
        one_layer: both were written together (several overrides), so neither of two
            contradicting keys gives way and the contradiction is found later.
    """
    if above.empty and isinstance(below.value, dict):
        return below  # `model:` with every key commented out says nothing
    if not isinstance(above.value, dict):
        return above
    if path in NUMBERS and not isinstance(below.value, dict | list | None):
        keys = NUMBERS[path].items()
        below = Node({key: below if said is None else Node(said, below.origin) for key, said in keys}, below.origin)
    if not isinstance(below.value, dict) or (_is_corpus(path) and _other_format(below, above)):
        return above
    entries = dict(below.value)
    if path == ("training",) and not one_layer:
        _drop_other_batch_size(entries, above.value)
        if "max_epochs" in above.value:
            entries.pop("min_steps", None)  # it goes with the number of epochs that it stood beside
    for key, node in above.value.items():
        entries[key] = merge(entries[key], node, (*path, key), one_layer=one_layer) if key in entries else node
    return Node(entries, above.origin)


def _is_corpus(path: Path) -> bool:
    return path in (("data", "train"), ("data", "validation")) or (len(path) == 3 and path[:2] == ("data", "test"))


def _other_format(below: Node, above: Node) -> bool:
    """`data.train.source=...` changes a key of a corpus; a format's own key, or both files, begin another one."""
    named = corpus_format(above.value)
    if named in FORMATS:
        return named not in below.value
    return {"source", "target"} <= above.value.keys() and corpus_format(below.value) in FORMATS


def _drop_other_batch_size(entries: dict[str, Node], above: dict[str, Node]) -> None:
    written = [key for key in BATCH_SIZES if key in above and above[key].value is not None]
    if len(written) == 1:
        (other,) = set(BATCH_SIZES) - set(written)
        entries.pop(other, None)
