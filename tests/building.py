"""Small models for tests, one for every mechanism that exists and every way to wire it.

Sizes are distinct primes, so that a wrong axis cannot fit by accident; a mechanism that cannot be
built from such sizes gets the first of ``OTHER_SIZES`` that it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pytest
import references
import torch
from specs import COMBINATIONS, NAMES, given, written
from torch import Tensor, nn

from seq2seq_attn.attention import Attention, build_attention, find_attention
from seq2seq_attn.attention.monotonic import HardMonotonicAttention
from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.models.build import build_model
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.decoders import DECODERS

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SOURCE_VOCABULARY, TARGET_VOCABULARY = 17, 19
EMBEDDING, ENCODER, DECODER, INSIDE = 7, 5, 11, 3
LENGTHS = (5, 2, 7, 1)  # of the source sentences, the longest neither first nor last
TARGET_LENGTHS = (3, 6, 2, 4)


Module = TypeVar("Module", bound=nn.Module)


class Sizes(NamedTuple):
    query: int
    value: int
    inside: int


PRIMES = Sizes(DECODER, ENCODER, INSIDE)
TINY = Sizes(3, 2, 5)  # for finite differences, which are slow
OTHER_SIZES = (Sizes(3, 3, 2), Sizes(4, 6, 8), Sizes(6, 6, 6), Sizes(8, 8, 8))


def sizes_of(name: str, wished: Sizes = PRIMES) -> Sizes:
    """Sizes that the mechanism can be built from, different ones where it takes them."""
    for sizes in (wished, *OTHER_SIZES):
        try:
            attention_from(name, sizes)
        except ConfigError:
            continue
        return sizes
    raise AssertionError(f"{name!r} can be built from no sizes of tests/building.py: add some that fit it")


def attention_from(name: str, sizes: Sizes) -> Attention:
    """Build what a name of ``specs.py`` means, with parameters as they begin."""
    score, parts = name.split("+")[0], given(name)
    return build_attention(score, parts, query_size=sizes.query, value_size=sizes.value, hidden_size=sizes.inside)


class Case(NamedTuple):
    """One mechanism, wired in one way."""

    attention: str
    wiring: str
    input_feeding: bool

    def __str__(self) -> str:
        fed = "" if self.wiring != "luong" else "-fed" if self.input_feeding else "-unfed"
        return f"{self.attention}-wired-{self.wiring}{fed}"

    @property
    def built(self) -> references.Built:
        return references.Built(self.attention, self.wiring, self.input_feeding)


def wirings_of(name: str) -> list[Case]:
    others = [Case(name, wiring, True) for wiring in DECODERS if wiring != "luong"]
    return [Case(name, "luong", True), Case(name, "luong", False), *others]


def message_of_config_error(call: Callable[[], object]) -> str:
    """What the user is told."""
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


def papers_wiring(name: str) -> Case:
    return Case(name, find_attention(name.split("+")[0]).wiring, True)


CASES = [case for name in NAMES for case in wirings_of(name)] + [papers_wiring(name) for name in COMBINATIONS]


def randomize(module: nn.Module, seed: int, scale: float = 0.7) -> None:
    """Draw every parameter anew, large enough that no nonlinearity is still straight."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, scale, generator=generator)


def expecting(module: Module) -> Module:
    """Put monotonic attention into training mode, without its noise.

    In evaluation mode it makes choices, which have no gradient; what it makes them from is the
    expectation it is trained with, and that owes all that other mechanisms owe. Its own tests have the rest.
    """
    for part in module.modules():
        if isinstance(part, HardMonotonicAttention):
            part.train()
            part.noise = 0.0
    return module


def model_config(case: Case, *, sizes: Sizes = PRIMES, **changes: Any) -> ModelConfig:
    sizes = sizes_of(case.attention, sizes)
    settings: dict[str, Any] = {
        "embedding_size": EMBEDDING,
        "tie_embeddings": "none",
        "dropout": 0.0,
        "encoder": {"hidden_size": sizes.value, "bidirectional": False},
        "decoder": {"hidden_size": sizes.query, "wiring": case.wiring, "input_feeding": case.input_feeding},
        "attention": {**written(case.attention), "hidden_size": sizes.inside},
    }
    for key, value in changes.items():
        old = settings.get(key)
        settings[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return ModelConfig.model_validate(settings)


def small_model(case: Case, *, seed: int = 1, dtype: torch.dtype = torch.float64, **changes: Any) -> RNNSeq2Seq:
    """A model with random numbers for parameters, in evaluation mode."""
    model = build_model(
        model_config(case, **changes),
        source_vocabulary=SOURCE_VOCABULARY,
        target_vocabulary=TARGET_VOCABULARY,
        padding=PAD,
    )
    assert isinstance(model, RNNSeq2Seq)
    randomize(model, seed)
    return expecting(model.to(dtype).eval())


def small_attention(name: str, *, seed: int = 1) -> Attention:
    sizes = sizes_of(name)
    attention = attention_from(name, sizes)
    randomize(attention, seed)
    return expecting(attention.double().eval())


class Sentences(NamedTuple):
    """A batch of token ids, with PAD behind the end of each sentence."""

    source: Tensor
    source_lengths: Tensor
    target_in: Tensor
    target_out: Tensor
    target_lengths: Tensor

    def rows(self) -> list[tuple[list[int], list[int], list[int]]]:
        """Source, target_in and target_out of every sentence, without padding."""
        lengths = zip(self.source_lengths.tolist(), self.target_lengths.tolist(), strict=True)
        return [
            (self.source[i, :s].tolist(), self.target_in[i, :t].tolist(), self.target_out[i, :t].tolist())
            for i, (s, t) in enumerate(lengths)
        ]


def sentences(seed: int = 1) -> Sentences:
    generator = torch.Generator().manual_seed(seed)
    source = torch.full((len(LENGTHS), max(LENGTHS)), PAD)
    target_in = torch.full((len(LENGTHS), max(TARGET_LENGTHS)), PAD)
    target_out = target_in.clone()
    for i, (source_length, target_length) in enumerate(zip(LENGTHS, TARGET_LENGTHS, strict=True)):
        words = torch.randint(EOS + 1, SOURCE_VOCABULARY, (source_length - 1,), generator=generator).tolist()
        source[i, :source_length] = torch.tensor([*words, EOS])
        words = torch.randint(EOS + 1, TARGET_VOCABULARY, (target_length - 1,), generator=generator).tolist()
        target_in[i, :target_length] = torch.tensor([BOS, *words])
        target_out[i, :target_length] = torch.tensor([*words, EOS])
    return Sentences(source, torch.tensor(LENGTHS), target_in, target_out, torch.tensor(TARGET_LENGTHS))


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mask_of(lengths: tuple[int, ...], size: int | None = None) -> Tensor:
    rows = [[position < length for position in range(size or max(lengths))] for length in lengths]
    return torch.tensor(rows)


def numbers(module: nn.Module) -> dict[str, Any]:
    """The parameters as nested lists, for the references."""
    return {name: value.tolist() for name, value in module.state_dict().items()}


def assert_same(found: Tensor, wanted: Any, tolerance: float = 1e-12) -> None:
    """Every element, and the shape."""
    wanted = wanted if isinstance(wanted, Tensor) else torch.tensor(wanted, dtype=torch.float64)
    torch.testing.assert_close(found, wanted.to(found.dtype), rtol=0.0, atol=tolerance)
