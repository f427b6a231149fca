"""Make a trained model ready to be searched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from seq2seq_attn.inference.attention import SentenceAttention
from seq2seq_attn.inference.layers import FastLayer, FastLinear
from seq2seq_attn.inference.products import choose_products
from seq2seq_attn.models.base import ModelStep, Seq2Seq
from seq2seq_attn.models.rnn import RNNSeq2Seq
from seq2seq_attn.nn.decoders.base import Decoder
from seq2seq_attn.nn.decoders.conditional import ConditionalDecoder
from seq2seq_attn.nn.decoders.luong import LuongDecoder
from seq2seq_attn.nn.recurrent.base import RecurrentLayer
from seq2seq_attn.products.learned import MakeProduct
from seq2seq_attn.products.linear import is_linear

SHORTEST = 16
"""Shorter source batches are padded to this length: below it kernels change with the length, and roundings too."""


class PreparedModel:
    """A model that can only be searched, as fast as this machine can.

    Its matrices are those of the model when it was made; train the model further and prepare it again.

    Args:
        model: in evaluation mode.
        precision: of matrix products: ``auto``, ``float32``, ``bfloat16`` or ``int8``.
        watch: given the way to multiply, returns the one to use: for those who count or time products.

    Attributes:
        products: how matrices are multiplied, and why, in words.

    Raises:
        ConfigError: if the precision is unknown, or the device does not have it.
    """

    def __init__(
        self, model: Seq2Seq, precision: str = "auto", *, watch: Callable[[MakeProduct], MakeProduct] | None = None
    ) -> None:
        make, self.products = choose_products(precision, next(model.parameters()).device)
        make = make if watch is None else watch(make)
        self.attends = model.attends
        with torch.no_grad():
            self._model = _prepare(model, make)

    def start(self, source: Int[Tensor, "batch source_len"], source_lengths: Int[Tensor, " batch"]) -> Any:
        """Encode a source batch; return the state before the first target token."""
        missing = SHORTEST - source.shape[1]
        return self._model.start(F.pad(source, (0, missing)) if missing > 0 else source, source_lengths)

    def step(self, tokens: Int[Tensor, " rows"], state: Any) -> ModelStep:
        """Read one target token per row and return the distribution of the next."""
        return self._model.step(tokens, state)


def prepare(model: Seq2Seq, precision: str = "auto") -> PreparedModel:
    """Make a trained model ready to be searched; see :class:`PreparedModel`."""
    return PreparedModel(model, precision)


def _prepare(model: Seq2Seq, make: MakeProduct) -> Seq2Seq:
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    prepared = copy.deepcopy(model, shared).eval()
    if isinstance(prepared, RNNSeq2Seq):
        _replace_layers(prepared.encoder, make)
        _prepare_decoder(prepared.decoder, make)
    _replace_linear(prepared, make)
    return prepared


def _prepare_decoder(decoder: Decoder, make: MakeProduct) -> None:
    # where nothing is fed back every layer reads what the one below it has made of all positions
    whole = isinstance(decoder, LuongDecoder) and not decoder.feed_size
    layers: list[FastLayer] = []
    for number, layer in enumerate(decoder.stack.recurrent_layers):
        known_size = layer.weight_ih_l0.shape[1] if whole else 0 if number else decoder.stack.known_size
        layers.append(FastLayer(layer, known_size=known_size, make=make))
    decoder.stack.layers = nn.ModuleList(layers)
    if isinstance(decoder, ConditionalDecoder) and decoder.second is not None:
        decoder.second = FastLayer(decoder.second, known_size=0, make=make)
    decoder.attention = SentenceAttention(decoder.attention)


def _replace_layers(module: nn.Module, make: MakeProduct) -> None:
    """Replace the recurrent layers of an encoder, which know all of their input."""
    for name, child in module.named_children():
        if isinstance(child, RecurrentLayer):
            setattr(module, name, FastLayer(child, known_size=child.weight_ih_l0.shape[1], make=make))
        else:
            _replace_layers(child, make)


def _replace_linear(module: nn.Module, make: MakeProduct) -> None:
    for name, child in module.named_children():
        # a layer with one output is a weighted sum, and read by its owner
        if is_linear(child) and child.out_features > 1:
            setattr(module, name, FastLinear(child, make))
        elif not isinstance(child, FastLayer):
            _replace_linear(child, make)
