"""Where every head of every layer looks, from token to token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.padding import padded_sources
from seq2seq_attn.data.tokenizers import BOS, EOS, Tokenizer
from seq2seq_attn.decoding import ForcedSearch, StepModel, arrays
from seq2seq_attn.errors import UserError
from seq2seq_attn.translation.members import Member, is_trained
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS
from seq2seq_attn.translation.translation import Part, TokenMap, Translation

if TYPE_CHECKING:
    from seq2seq_attn.models.base import Seq2Seq

Ids: TypeAlias = NDArray[np.int64]
_Map: TypeAlias = tuple[Part, int, int, NDArray[Any]]  # part, layer, head, weights


def written_tokens(target: str | Translation, tokenizer: Tokenizer) -> list[int]:
    """Return the ids of a target, its end included if it has one: a given sentence has, a translation cut off has not.

    A translation keeps the tokens it was found with, which may not be those that its text is encoded in.
    """
    if isinstance(target, str):
        return [*tokenizer.encode(target), EOS]
    tokens = target.tokens[:-1] if target.finished else target.tokens
    return [tokenizer.token_to_id(token) for token in tokens] + [EOS] * target.finished


def token_maps(member: Member, text: str, target: str | Translation) -> list[TokenMap]:
    """Return the attention maps of a model that reads a sentence and is made to write another.

    Raises:
        UserError: if the target is longer than anything a model is shown.
    """
    model, tokenizers = member
    written = written_tokens(target, tokenizers.target)
    if len(written) > MAX_SOURCE_TOKENS:
        raise UserError(f"the target has {len(written)} tokens, but at most {MAX_SOURCE_TOKENS} are looked from")
    if not written:
        return []
    ids = tokenizers.source.encode(text)[: MAX_SOURCE_TOKENS - 1]
    read = [BOS, *written[:-1]]
    source, lengths = padded_sources([ids])
    if is_trained(model):
        maps = _all_maps(model, source, lengths, read)
    else:
        maps = [("cross", 1, 0, _weights(model, source, lengths, written))]
    from_source = _tokens(tokenizers.source, [*ids, EOS])
    from_target = _tokens(tokenizers.target, written)
    labels = {
        "encoder": (from_source, from_source),
        "decoder": (from_target, _tokens(tokenizers.target, read)),
        "cross": (from_target, from_source),
    }
    return [
        TokenMap(part, layer, head, weights.astype(np.float32, copy=False), *labels[part])
        for part, layer, head, weights in maps
    ]


def _all_maps(model: Seq2Seq, source: Ids, lengths: Ids, read: list[int]) -> list[_Map]:
    """Return what every head of a trained model made of a target."""
    import torch

    given = [torch.as_tensor(ids, device=next(model.parameters()).device) for ids in (source, lengths, [read])]
    with torch.inference_mode():
        maps = model.attention_maps(*given)
    return [(found.part, found.layer, found.head, arrays.to_numpy(found.weights[0])) for found in maps]


def _weights(model: StepModel[Any], source: Ids, lengths: Ids, written: list[int]) -> NDArray[Any]:
    """Return what a model that can only be searched shows of itself while it is made to write."""
    target = written[:-1] if written[-1] == EOS else written
    ((found,),) = ForcedSearch(bos=BOS, eos=EOS, targets=[target])(model, source, lengths)
    return arrays.to_numpy(found.weights)[: len(written)]


def _tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(tokenizer.id_to_token(token) for token in ids)
