"""The `model` section of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from seq2seq_attn.config.types import Count, Section, Share, Shorthand, Text, wrong


class DropoutConfig(Section):
    """The share of features that is set to zero while training; a number alone sets the first three."""

    embedding: Share = Field(default=0.3, description="On embeddings.")
    state: Share = Field(default=0.3, description="On hidden states, between layers; nothing with one layer.")
    output: Share = Field(default=0.3, description="On what the output layer reads.")
    variational: bool = Field(default=False, description="The same mask at every time step.")


DROPOUT_PLACES = ("embedding", "state", "output")


def _expand_dropout(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return dict.fromkeys(DROPOUT_PLACES, value)
    if value is None or isinstance(value, Mapping | DropoutConfig):
        return value
    raise wrong("expected a number, or a mapping of embedding, state, output and variational")


class AttentionConfig(Section):
    """A mechanism put together from its parts."""

    score: Text = Field(description="How a query and a key are compared.")
    normalize: Text = Field(default="softmax", description="How energies become weights.")
    window: Text = Field(default="global", description="Which part of the source is looked at.")
    hidden_size: Count | None = Field(default=None, description="Features inside the score; null: the decoder's.")


def _attention_form(value: object) -> str:
    return "<parts>" if isinstance(value, Mapping | AttentionConfig) else "<name>"


def _attention_name(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise wrong("expected the name of a mechanism, or a mapping of its parts (score, normalize, window)")
    return value


AttentionName = Annotated[str, BeforeValidator(_attention_name)]


class EncoderConfig(Section):
    """Reads the source."""

    cell: Literal["lstm"] = Field(default="lstm", description="Recurrent cell.")
    layers: Count = Field(default=1, description="Stacked layers.")
    hidden_size: Count = Field(default=256, description="Features per direction.")
    bidirectional: bool = Field(default=True, description="Read from both ends.")
    residual: bool = Field(default=False, description="Add a layer's input to its output, from the second layer on.")


class DecoderConfig(Section):
    """Writes the target."""

    cell: Literal["lstm"] = Field(default="lstm", description="Recurrent cell.")
    layers: Count = Field(default=1, description="Stacked layers.")
    hidden_size: Count = Field(default=512, description="Features of the decoder state.")
    wiring: Literal["luong", "bahdanau"] | None = Field(
        default=None,
        description="luong: update, then attend; bahdanau: attend, then update; null: as the attention's paper.",
    )
    input_feeding: bool = Field(
        default=True, description="Feed what was attended to into the next step (luong wiring)."
    )
    residual: bool = Field(default=False, description="Add a layer's input to its output, from the second layer on.")


class ModelConfig(Section):
    """The network."""

    architecture: Literal["rnn"] = Field(default="rnn", description="Family of models.")
    embedding_size: Count = Field(default=256, description="Features of an embedding.")
    tie_embeddings: Literal["none", "target", "all"] = Field(
        default="none", description="target: output layer = target embedding; all: = source embedding, too."
    )
    dropout: Annotated[
        DropoutConfig, Shorthand(_expand_dropout, {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
    ] = Field(default=DropoutConfig(), description="A number, or one number for each place.")
    encoder: EncoderConfig = Field(default=EncoderConfig(), description="Reads the source.")
    decoder: DecoderConfig = Field(default=DecoderConfig(), description="Writes the target.")
    bridge: Literal["zero", "last", "mean"] = Field(default="mean", description="How the encoder starts the decoder.")
    attention: Annotated[
        Annotated[AttentionName, Tag("<name>")] | Annotated[AttentionConfig, Tag("<parts>")],
        Discriminator(_attention_form),
    ] = Field(
        default="luong-general", description="Name of a mechanism (`seq2seq-attn attentions` lists them), or parts."
    )
