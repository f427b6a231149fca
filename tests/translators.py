"""Translators over small models with random numbers for parameters; words are called by their ids: ``s4``, ``t4``."""

from __future__ import annotations

import random
from typing import Any

import torch
from building import SOURCE_VOCABULARY, TARGET_VOCABULARY, Case, papers_wiring, small_model
from transformer_building import small_transformer

from seq2seq_attn import Translator
from seq2seq_attn.config.schema import DecodingConfig
from seq2seq_attn.data.tokenizers import EOS, Tokenizers, WordTokenizer
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.translation.members import Member

SOURCE = WordTokenizer([f"s{number}" for number in range(4, SOURCE_VOCABULARY)])
TARGET = WordTokenizer([f"t{number}" for number in range(4, TARGET_VOCABULARY)])
TRANSFORMER = "transformer"
EAGERNESS = {TRANSFORMER: 2.5}  # to end a sentence, where it is not 1.5


def small_seq2seq(name: str | Case, *, seed: int = 2, dtype: torch.dtype = torch.float32) -> Seq2Seq:
    """A Transformer, or a recurrent model with a mechanism by its name, which ends a sentence now and then."""
    if name == TRANSFORMER:
        model: Seq2Seq = small_transformer(seed=seed, dtype=dtype)
    else:
        model = small_model(papers_wiring(name) if isinstance(name, str) else name, seed=seed, dtype=dtype)
    with torch.no_grad():
        model.output.bias[EOS] += EAGERNESS.get(name, 1.5)
    return model


def small_translator(
    *names: str | Case, seed: int = 2, dtype: torch.dtype = torch.float32, **decoding: Any
) -> Translator:
    """One model, or several as an ensemble, with parameters of their own."""
    tokenizers = Tokenizers(SOURCE, TARGET)
    first, *others = [small_seq2seq(name, seed=seed + place, dtype=dtype) for place, name in enumerate(names)]
    config = DecodingConfig(**{"max_length": 7, **decoding})
    return Translator(first, tokenizers, config, others=[Member(model, tokenizers) for model in others])


def some_sentences(count: int, *, seed: int = 1, longest: int = 7) -> list[str]:
    """Source sentences, now and then with a word that no model knows."""
    chance = random.Random(seed)
    words = [*SOURCE.tokens[4:], "unknown"]
    return [" ".join(chance.choices(words, k=chance.randint(1, longest))) for _ in range(count)]
