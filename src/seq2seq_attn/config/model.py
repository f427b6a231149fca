"""The `model` section of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from seq2seq_attn.config.types import Count, Positive, Section, Share, Shorthand, Text, wrong

RECURRENT_DROPOUT = 0.3


class DropoutConfig(Section):
    """The share of features that is set to zero while training; a number alone sets the first three, and no other."""

    embedding: Share = Field(default=0.4, description="On embeddings.")
    state: Share = Field(default=0.4, description="On hidden states, between layers; nothing with one layer.")
    output: Share = Field(default=0.4, description="On what the output layer reads.")
    recurrent: Share | None = Field(
        default=None,
        description="On the weights between a state and the next, the same ones for all positions of a batch "
        f"(recurrent models); null: {RECURRENT_DROPOUT}.",
    )
    variational: bool = Field(default=False, description="The same mask at every time step.")

    @property
    def share_of_recurrent(self) -> float:
        """What ``recurrent`` means for a recurrent model."""
        return RECURRENT_DROPOUT if self.recurrent is None else self.recurrent


DROPOUT_NUMBER: Mapping[str, float | None] = {"embedding": None, "state": None, "output": None, "recurrent": 0.0}
"""What a number alone says of each place; None: the number."""


def _expand_dropout(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {place: value if said is None else said for place, said in DROPOUT_NUMBER.items()}
    if value is None or isinstance(value, Mapping | DropoutConfig):
        return value
    raise wrong("expected a number, or a mapping of embedding, state, output, recurrent and variational")


def _switch(on: str) -> BeforeValidator:
    """Let true and false stand for the first choice and for none."""

    def choose(value: object) -> object:
        return value if not isinstance(value, bool) else on if value else "none"

    return BeforeValidator(choose)


class AttentionConfig(Section):
    """A mechanism put together from its parts; what is left out (or null) is as in the score's paper."""

    score: Text = Field(description="How a query and a key are compared; the name of a mechanism brings all its parts.")
    normalize: Text | None = Field(
        default=None, description="How energies become weights: softmax, sparsemax or entmax-1.5."
    )
    temperature: Positive | None = Field(default=None, description="What energies are divided by before that.")
    window: Text | None = Field(default=None, description="Part of the source looked at: global, local-m or local-p.")
    window_size: Count | None = Field(
        default=None, description="Source positions on either side of a local window's center; Luong's D."
    )
    monotonic: Annotated[Literal["none", "hard", "mocha"] | None, _switch("hard")] = Field(
        default=None, description="Move over the source from left to right only: hard, or mocha (with chunks)."
    )
    chunk_size: Count | None = Field(default=None, description="Source positions in a chunk of mocha.")
    coverage: Annotated[Literal["none", "sum", "fertility", "neural"] | None, _switch("sum")] = Field(
        default=None, description="Tell the score how much each source position was looked at before."
    )
    location_sensitive: bool | None = Field(
        default=None, description="Tell the score the weights of the step before, through a convolution."
    )
    heads: Count | None = Field(default=None, description="Looks at once, each with its own projections.")
    hidden_size: Count | None = Field(default=None, description="Features inside the score; null: the decoder's.")


def _attention_form(value: object) -> str:
    return "<parts>" if isinstance(value, Mapping | AttentionConfig) else "<name>"


def _attention_name(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise wrong("expected the name of a mechanism, or a mapping of its parts (score, normalize, window, ...)")
    return value


AttentionName = Annotated[str, BeforeValidator(_attention_name)]
DEFAULT_ATTENTION = "luong-general"


class EncoderConfig(Section):
    """Reads the source (recurrent models)."""

    cell: Literal["lstm", "gru"] = Field(default="lstm", description="Recurrent cell.")
    layer_norm: bool = Field(default=False, description="Normalize inside the cell (slower: no fused layer).")
    layers: Count = Field(default=1, description="Stacked layers.")
    hidden_size: Count = Field(default=256, description="Features per direction.")
    bidirectional: bool = Field(default=True, description="Read from both ends.")
    direction: Literal["forward", "backward"] = Field(
        default="forward",
        description="Where reading begins if not at both ends; backward: at the last token, so that the first one is "
        "the freshest when the decoder starts.",
    )
    bidirectional_layers: Count | None = Field(
        default=None, description="How many of the lowest layers read from both ends; null: all (GNMT: 1)."
    )
    residual: bool = Field(default=False, description="Add a layer's input to its output, from the second layer on.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Who reads from both ends has no direction."""
        if self.bidirectional and self.direction != "forward":
            yield (
                "direction",
                "the encoder reads from both ends already; set bidirectional to false, or remove this key",
            )


class DecoderConfig(Section):
    """Writes the target (recurrent models)."""

    cell: Literal["lstm", "gru"] = Field(default="lstm", description="Recurrent cell.")
    layer_norm: bool = Field(default=False, description="Normalize inside the cell (slower: no fused layer).")
    layers: Count = Field(default=1, description="Stacked layers.")
    hidden_size: Count = Field(default=512, description="Features of the decoder state.")
    wiring: Literal["luong", "bahdanau", "conditional", "gnmt"] | None = Field(
        default=None,
        description="luong: update, then attend; bahdanau: attend, then update; conditional: update, attend, update; "
        "gnmt: the lowest layer attends, all others read the context; null: as the attention's paper.",
    )
    input_feeding: bool = Field(
        default=True, description="Feed what was attended to into the next step (luong wiring)."
    )
    residual: bool = Field(default=False, description="Add a layer's input to its output, from the second layer on.")


class TransformerConfig(Section):
    """The sizes of a Transformer; `embedding_size` is the size of its states."""

    encoder_layers: Count = Field(default=4, description="Layers of the encoder.")
    decoder_layers: Count = Field(default=4, description="Layers of the decoder.")
    heads: Count = Field(default=4, description="Looks at once; must divide embedding_size.")
    feed_forward_size: Count = Field(default=1024, description="Features inside the feed-forward sub-layers.")
    norm: Literal["pre", "post"] = Field(
        default="pre", description="Where layers normalize; post is the paper's, pre learns without a long warm-up."
    )
    alignment_layer: Count | None = Field(
        default=None, description="Decoder layer, counted from 1, whose weights are shown; null: the last but one."
    )


class ModelConfig(Section):
    """The network."""

    architecture: Literal["rnn", "transformer"] = Field(default="rnn", description="Family of models.")
    embedding_size: Count = Field(default=256, description="Features of an embedding.")
    tie_embeddings: Literal["none", "target", "all"] = Field(
        default="target", description="target: output layer = target embedding; all: = source embedding, too."
    )
    source_vectors: Text | None = Field(
        default=None,
        description="Word vectors that source embeddings begin with: a GloVe or fastText text file, or a name that "
        "torchtext knows.",
    )
    target_vectors: Text | None = Field(default=None, description="The same for target embeddings.")
    dropout: Annotated[
        DropoutConfig, Shorthand(_expand_dropout, {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
    ] = Field(default=DropoutConfig(), description="A number, or one number for each place.")
    encoder: EncoderConfig = Field(default=EncoderConfig(), description="Reads the source.")
    decoder: DecoderConfig = Field(default=DecoderConfig(), description="Writes the target.")
    transformer: TransformerConfig = Field(default=TransformerConfig(), description="Sizes of a Transformer.")
    copying: bool = Field(
        default=False, description="Pointer-generator: write a source token where the attention looks."
    )
    bridge: Literal["zero", "last", "mean"] = Field(default="mean", description="How the encoder starts the decoder.")
    attention: Annotated[
        Annotated[AttentionName, Tag("<name>")] | Annotated[AttentionConfig, Tag("<parts>")],
        Discriminator(_attention_form),
    ] = Field(
        default=DEFAULT_ATTENTION, description="Name of a mechanism (`seq2seq-attn attentions` lists them), or parts."
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Each architecture has its own attention."""
        if self.architecture == "transformer":
            if self.dropout.recurrent:
                yield "dropout.recurrent", "a Transformer has no recurrent weights; remove this key"
            if self.attention not in (DEFAULT_ATTENTION, "multi-head"):
                yield "attention", "a Transformer's attention is multi-head; remove this key, or use architecture: rnn"
            if self.embedding_size % self.transformer.heads:
                yield (
                    "transformer.heads",
                    f"{self.transformer.heads} heads do not divide embedding_size {self.embedding_size}",
                )
            if (self.transformer.alignment_layer or 1) > self.transformer.decoder_layers:
                yield (
                    "transformer.alignment_layer",
                    f"there are {self.transformer.decoder_layers} decoder layers only",
                )
        elif self.copying and self.attention == "none":
            yield "copying", "copies what the attention looks at, but model.attention is none"
        if self.tie_embeddings == "all" and self.source_vectors and self.target_vectors:
            yield "target_vectors", "tie_embeddings is 'all': there is one table only; remove this key"
        if (self.encoder.bidirectional_layers or 1) > self.encoder.layers:
            yield "encoder.bidirectional_layers", f"there are {self.encoder.layers} layers only"
