"""Where every head of every layer looks, from token to token."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seq2seq_attn.data.batching import collate_source
from seq2seq_attn.data.tokenizers import BOS, EOS, Tokenizer
from seq2seq_attn.errors import UserError
from seq2seq_attn.translation.members import Member
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS
from seq2seq_attn.translation.translation import TokenMap, Translation


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
    source, lengths = collate_source([ids])
    device = next(model.parameters()).device
    with torch.inference_mode():
        maps = model.attention_maps(source.to(device), lengths.to(device), torch.tensor([read], device=device))
    from_source = _tokens(tokenizers.source, [*ids, EOS])
    from_target = _tokens(tokenizers.target, written)
    labels = {
        "encoder": (from_source, from_source),
        "decoder": (from_target, _tokens(tokenizers.target, read)),
        "cross": (from_target, from_source),
    }
    return [
        TokenMap(part, layer, head, weights[0].float().cpu().numpy(), *labels[part])
        for part, layer, head, weights in maps
    ]


def _tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(tokenizer.id_to_token(token) for token in ids)
