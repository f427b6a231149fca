"""First values of parameters that others have learned: another model's, or vectors of words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq_attn.data.tokenizers import SPECIALS, Tokenizer
from seq2seq_attn.nn.embeddings import TokenEmbedding

Side = Literal["source", "target"]

# Parameters with one row per token. Where a table has several of these names, the first gives a row before the
# others do: a table that both languages share is the output layer too, and writing suffers more than reading.
TOKEN_PARAMETERS: dict[str, Side] = {
    "target_embedding.table.weight": "target",
    "output.weight": "target",
    "output.bias": "target",
    "source_embedding.table.weight": "source",
}


class TokenRows(NamedTuple):
    """Which row of one vocabulary is which row of another: tokens that both have."""

    new: Int[Tensor, " common"]
    old: Int[Tensor, " common"]


@dataclass(frozen=True)
class Taken:
    """What became of one parameter.

    Attributes:
        name: the first of its names.
        how: ``whole``: all of it comes from the other model; ``rows``: some rows; ``fresh``: nothing.
        rows: how many rows were taken over; 0 for a parameter without tokens.
        tokens: how many rows it has; 0 for a parameter without tokens.
        reason: why it is fresh.
    """

    name: str
    how: Literal["whole", "rows", "fresh"]
    rows: int = 0
    tokens: int = 0
    reason: str = ""


@dataclass
class TakenOver:
    """What became of all parameters.

    Attributes:
        parameters: of the new model, in its order.
        unused: names of the other model's parameters of which nothing was taken.
    """

    parameters: list[Taken] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def count(self, how: str) -> int:
        """Return how many parameters were taken over like this."""
        return sum(taken.how == how for taken in self.parameters)


def token_rows(new: Tokenizer, old: Tokenizer) -> TokenRows:
    """Find the tokens that two vocabularies have in common; special symbols always are.

    Two tokenizers of one kind are compared token by token. Others mark spaces in other ways, so
    there the text that a token adds to a sentence is compared: a word is ``dog`` here and ``▁dog`` there.
    """
    is_one_kind = new.kind == old.kind

    def key(tokenizer: Tokenizer, number: int) -> str:
        return tokenizer.id_to_token(number) if is_one_kind else tokenizer.surface(number)

    known: dict[str, int] = {}
    for number in range(len(SPECIALS), len(old)):
        known.setdefault(key(old, number), number)
    pairs = [(number, number) for number in range(len(SPECIALS))]
    for number in range(len(SPECIALS), len(new)):
        found = known.get(key(new, number))
        if found is not None:
            pairs.append((number, found))
    return TokenRows(*torch.tensor(pairs).unbind(1))


def take_over(model: nn.Module, other: nn.Module, tokens: Mapping[Side, TokenRows]) -> TakenOver:
    """Copy from ``other`` what fits into ``model``: by name and shape, and by token where rows stand for tokens.

    Args:
        model: gets the values; what does not fit keeps those it has.
        other: gives them; any model, on any device.
        tokens: the common tokens of the two vocabularies of each language.
    """
    theirs = dict(other.named_parameters(remove_duplicate=False))
    used: set[int] = set()
    report = TakenOver()
    with torch.no_grad():
        for names, parameter in _by_parameter(model):
            if TOKEN_PARAMETERS.keys() & set(names):
                taken = _take_rows(names, parameter, theirs, tokens, used)
            else:
                taken = _take_whole(names[0], parameter, theirs, used)
            report.parameters.append(taken)
    report.unused = [names[0] for names, parameter in _by_parameter(other) if id(parameter) not in used]
    return report


def _by_parameter(model: nn.Module) -> list[tuple[list[str], nn.Parameter]]:
    """List each parameter once, with all its names."""
    found: dict[int, tuple[list[str], nn.Parameter]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        found.setdefault(id(parameter), ([], parameter))[0].append(name)
    return list(found.values())


def _take_whole(name: str, parameter: nn.Parameter, theirs: Mapping[str, nn.Parameter], used: set[int]) -> Taken:
    found = theirs.get(name)
    if found is None or found.shape != parameter.shape:
        return Taken(name, "fresh", reason=_misfit(parameter, found))
    parameter.copy_(found)
    used.add(id(found))
    return Taken(name, "whole")


def _take_rows(
    names: list[str],
    parameter: nn.Parameter,
    theirs: Mapping[str, nn.Parameter],
    tokens: Mapping[Side, TokenRows],
    used: set[int],
) -> Taken:
    filled = torch.zeros(len(parameter), dtype=torch.bool)
    reason = ""
    for name, side in TOKEN_PARAMETERS.items():
        if name not in names:
            continue
        found = theirs.get(name)
        if found is None or found.shape[1:] != parameter.shape[1:]:
            reason = reason or _misfit(parameter, found)
            continue
        new, old = tokens[side]
        missing = ~filled[new]
        new, old = new[missing], old[missing]
        if len(new):
            parameter[new.to(parameter.device)] = found[old.to(found.device)].to(parameter)
            filled[new] = True
            used.add(id(found))
    rows = int(filled.sum())
    if not rows:
        return Taken(names[0], "fresh", 0, len(parameter), reason)
    return Taken(names[0], "whole" if rows == len(parameter) else "rows", rows, len(parameter))


def _misfit(parameter: Tensor, found: Tensor | None) -> str:
    if found is None:
        return "the other model has none"
    return f"{' x '.join(map(str, parameter.shape))} here, {' x '.join(map(str, found.shape))} there"


def place_vectors(
    embedding: TokenEmbedding, vectors: Float[Tensor, "vocab size"], found: Bool[Tensor, " vocab"]
) -> float:
    """Let embeddings begin with word vectors, multiplied by one factor so that they are as large as fresh ones.

    Fresh rows have a mean square of 1/size, of which the look-up makes unit variance. Vectors keep
    their lengths relative to one another; together they get that mean square.

    Args:
        embedding: whose table; of the size of the vectors.
        vectors: a row for each token.
        found: which rows are vectors; the others of the table stay as they are.

    Returns:
        The factor; 0 when no vector was found, or all are zero or no numbers: nothing is placed then.
    """
    chosen = vectors[found].double()
    size = float(chosen.square().mean().sqrt()) if len(chosen) else 0.0
    if not (math.isfinite(size) and size > 0):
        return 0.0
    factor = 1.0 / (embedding.scale * size)
    table = embedding.table.weight
    with torch.no_grad():
        table[found.to(table.device)] = (chosen * factor).to(table)
    return factor
