"""Translations with all that can be looked at in them, as one JSON document: what pages and programs draw.

The document is written here, in the browser, and by the server alike; ``web/src/view/document.ts`` reads it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_attn.data.tokenizers import EOS, UNK, Tokenizer
from seq2seq_attn.translation.maps import written_tokens
from seq2seq_attn.translation.sources import MAX_SOURCE_TOKENS
from seq2seq_attn.translation.tokens import token_of
from seq2seq_attn.translation.translation import LOG_PROB_DECIMALS, WEIGHT_DECIMALS, TokenMap, Translation

if TYPE_CHECKING:
    from seq2seq_attn.translation.translator import Translator

FORMAT = "seq2seq_attn attention 1"
ALTERNATIVES = 8
"""Tokens that are told for each place of a translation, beside which hardly any has a chance."""
MOST_NUMBERS = 4_000_000
"""Weights of single heads in a panel, beyond which they are left out: more than a page can show."""


def attention_document(panels: Sequence[dict[str, Any]], *, title: str) -> dict[str, Any]:
    """Return a document of panels that stand side by side.

    Args:
        panels: from :func:`attention_panel`.
        title: what is looked at, such as the source sentence.
    """
    return {"format": FORMAT, "title": title, "panels": list(panels)}


def attention_panel(
    translator: Translator,
    translation: Translation,
    *,
    name: str,
    languages: tuple[str, str] = ("", ""),
    forced: bool = False,
    alternatives: int = ALTERNATIVES,
    beam: Any = None,
    heads: bool = True,
) -> dict[str, Any]:
    """Return one translation with its tokens, its weights, and what else the model thought of.

    The first map is that of the translation itself, which search has followed; the others are those of every
    head of every layer of the first model, if it has any.

    Args:
        translator: that made or scored it.
        translation: from :meth:`Translator.translate`, :meth:`~Translator.n_best` or :meth:`~Translator.score`.
        name: what stands over it.
        languages: codes of source and target, empty where they are not known.
        forced: whether the translation was given and not found.
        alternatives: how many are told for each token; 0: none.
        beam: the tree of hypotheses, from :meth:`Translator.beam`; None: none.
        heads: whether to look at every head of every layer; not done where sentences are so long that they
            would have more than :data:`MOST_NUMBERS` weights, or more tokens than a model is shown.
    """
    tokenizers = translator.tokenizers
    blank = not translation.source_tokens
    target = [] if blank else written_tokens(translation, tokenizers.target)
    return {
        "name": name,
        "source": translation.source,
        "text": translation.text,
        "forced": forced,
        "finished": translation.finished,
        "source_language": languages[0],
        "target_language": languages[1],
        "score": _number(translation.score),
        "log_prob": _number(translation.log_prob),
        "source_tokens": [] if blank else _source_tokens(translation.source, tokenizers.source),
        "tokens": _target_tokens(target, tokenizers.target),
        "log_probs": [_number(log_prob) for log_prob in translation.token_log_probs],
        "alignment": [list(link) for link in translation.alignment],
        "maps": _maps(translator, translation, heads=heads) if target else [],
        "alternatives": _alternatives(translator, translation, alternatives) if alternatives and target else None,
        "beam": None if beam is None else beam.to_dict(),
    }


def _source_tokens(text: str, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """Return the tokens that a model reads of a sentence; one that it does not know shows what stands there."""
    ids = tokenizer.encode(text)[: MAX_SOURCE_TOKENS - 1]
    numbers = tokenizer.word_numbers(text)
    found = [token_of(tokenizer, number).to_dict() for number in [*ids, EOS]]
    for place, token in enumerate(found[:-1]):
        token["word_start"] = place == 0 or numbers[place] != numbers[place - 1]
    # several unknown tokens of one word: nobody says which has which letters
    for groups, words in (tokenizer.units(text), (numbers, text.split())):
        for place, number in enumerate(ids):
            if number == UNK and groups.count(groups[place]) == 1 and groups[place] < len(words):
                found[place]["surface"] = " " * bool(found[place]["word_start"]) + words[groups[place]]
    return _joined(found, [*ids, EOS], tokenizer)


def _target_tokens(ids: Sequence[int], tokenizer: Tokenizer) -> list[dict[str, Any]]:
    return _joined([token_of(tokenizer, number).to_dict() for number in ids], ids, tokenizer)


def _joined(tokens: list[dict[str, Any]], ids: Sequence[int], tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """Join tokens to what stands before them, where that alone tells that they touch."""
    for before, token in zip(ids, tokens[1:], strict=False):
        if tokenizer.touches_next(before) and not token["special"]:
            token["surface"] = token["surface"].removeprefix(" ")
            token["word_start"] = False
    return tokens


def _maps(translator: Translator, translation: Translation, *, heads: bool) -> list[dict[str, Any]]:
    if not translation.attention.any():
        return []  # a model without attention
    # the maps of a model by itself, which may not be those of the ensemble that it is in
    others: Sequence[TokenMap] = ()
    if heads and len(translation.tokens) <= MAX_SOURCE_TOKENS:
        others = translator.attention_maps(translation.source, translation)
    first = others[0] if others else None
    if sum(found.weights.size for found in others) > MOST_NUMBERS:
        others = ()
    return [
        _map("cross", first.layer if first else 1, 0, translation.attention),
        *(_map(found.part, found.layer, found.head, found.weights) for found in others if found.head > 0),
    ]


def _map(part: str, layer: int, head: int, weights: NDArray[np.float32]) -> dict[str, Any]:
    # in double precision, or 0.1 would be written as 0.10000000149011612
    rounded = weights.astype(np.float64).round(WEIGHT_DECIMALS).tolist()
    return {"part": part, "layer": layer, "head": head, "weights": rounded}


def _alternatives(translator: Translator, translation: Translation, count: int) -> list[list[dict[str, Any]]]:
    return [[one.to_dict() for one in place] for place in translator.alternatives(translation, count=count)]


def _number(value: float) -> float | None:
    return round(value, LOG_PROB_DECIMALS) if math.isfinite(value) else None
