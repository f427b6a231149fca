"""Word dropout: what is hidden, how often, and what never is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from objective_cases import MODELS, VOCABULARY, gradient_of, make_batch, make_model, padded
from torch import Tensor

from seq2seq_attn.data.batching import Batch
from seq2seq_attn.data.tokenizers.base import BOS, EOS, PAD, UNK
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.training.objectives.base import Lost, Objective
from seq2seq_attn.training.objectives.likelihood import LikelihoodObjective
from seq2seq_attn.training.objectives.word_dropout import WordDropout

REPLACEMENTS = ("unknown", "zero", "random")


class Noting(Objective):
    """Hands on to the likelihood and keeps what it was given."""

    parts = ("one",)

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
        self.batches.append(batch)
        return LikelihoodObjective(0.1)(model, batch, step)


def dropout(objective: Objective, replacement, source: float = 0.3, target: float = 0.4) -> WordDropout:
    return WordDropout(objective, source=source, target=target, replacement=replacement, source_vocabulary=VOCABULARY)


def inner(batch: Batch, side: str) -> Tensor:
    """Mark, by loops, what may be hidden."""
    tokens = batch.source if side == "source" else batch.target_in
    marked = torch.zeros_like(tokens, dtype=torch.bool)
    for row, (source, target) in enumerate(zip(batch.source_lengths, batch.target_lengths, strict=True)):
        span = range(int(source) - 1) if side == "source" else range(1, int(target))
        for place in span:
            marked[row, place] = True
    return marked


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_only_words_are_hidden_and_as_many_as_asked_for(replacement) -> None:
    torch.manual_seed(1)
    model, noting = make_model("luong"), Noting()
    batch = padded(make_batch(400, longest=9))
    dropout(noting, replacement)(model, batch, 0)
    (given,) = noting.batches
    assert torch.equal(given.target_out, batch.target_out)
    for tokens, right, side, share in (
        (given.source, batch.source, "source", 0.3),
        (given.target_in, batch.target_in, "target", 0.4),
    ):
        words, changed = inner(batch, side), tokens != right
        assert not changed[~words].any()
        found = tokens[changed]
        if replacement == "random":
            assert set(found.tolist()) == set(range(EOS + 1, VOCABULARY))
            share *= 1 - 1 / (VOCABULARY - EOS - 1)  # sometimes the same again
        else:
            assert set(found.tolist()) == {UNK if replacement == "unknown" else PAD}
        assert float(changed.sum() / words.sum()) == pytest.approx(share, abs=0.03)
    assert (given.target_in[:, 0] == BOS).all()


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_side_without_dropout_is_left_alone(side: str) -> None:
    noting, batch = Noting(), make_batch(50)
    dropout(noting, "unknown", **{side: 0.0})(make_model("luong"), batch, 0)
    (given,) = noting.batches
    assert torch.equal(given.source, batch.source) == (side == "source")
    assert torch.equal(given.target_in, batch.target_in) == (side == "target")


@pytest.mark.parametrize("name", MODELS)
def test_zero_is_an_embedding_of_zeros(name: str) -> None:
    """Also where the output layer shares the table and has moved the vector of padding: it must not be seen."""
    model, batch = make_model(name), make_batch(9)
    found, noting = [], Noting()
    for moved in (0.0, 5.0):
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, TokenEmbedding):
                    module.table.weight[PAD] = 0.0
        if name != "tied" and moved:  # where the table is no output layer, another vector must change nothing at all
            with torch.no_grad():
                for module in model.modules():
                    if isinstance(module, TokenEmbedding):
                        module.table.weight[PAD] = moved
        torch.manual_seed(3)
        source = 0.0 if "copying" in name else 0.5
        found.append(dropout(noting, "zero", source=source, target=0.5)(model, batch, 0).total)
    assert torch.equal(*found)
    assert (noting.batches[0].target_in[:, 1:] != batch.target_in[:, 1:]).any()


def test_the_vector_of_padding_does_not_show_where_the_output_layer_moves_it() -> None:
    seen: list[Tensor] = []
    model, batch = make_model("tied"), make_batch(9)
    model.target_embedding.table.weight.data[PAD] = 5.0

    class Looking(Objective):
        def __call__(self, model: Seq2Seq, batch: Batch, step: int) -> Lost:
            for tokens in (batch.source, batch.target_in):
                seen.append(model.target_embedding(tokens)[tokens == PAD])
                assert model.target_embedding(tokens)[tokens != PAD].abs().amin(-1).all()
            return LikelihoodObjective()(model, batch, step)

    dropout(Looking(), "zero")(model, batch, 0)
    assert len(seen[0]) > 0
    assert not torch.cat(seen).any()
    assert model.target_embedding(torch.tensor([[PAD]])).any(), "behind the block it is what it was"


@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("name", ["luong", "tied", "transformer"])
def test_it_is_the_loss_of_the_changed_batch(name: str, replacement) -> None:
    model, batch, noting = make_model(name), make_batch(), Noting()
    found = dropout(noting, replacement)(model, batch, 0)
    changed = noting.batches[0]
    assert not torch.equal(changed.target_in, batch.target_in)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, TokenEmbedding) and name != "tied":
                module.table.weight[PAD] = 0.0
    if name == "tied" and replacement == "zero":
        return  # the test above looks at the embeddings themselves
    wanted = LikelihoodObjective(0.1)(model, replace(batch, source=changed.source, target_in=changed.target_in), 0)
    torch.testing.assert_close(found.total, wanted.total, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient_of(model, found.total), gradient_of(model, wanted.total), rtol=0, atol=1e-11)


def test_parts_are_those_of_the_objective() -> None:
    assert dropout(Noting(), "zero").parts == ("one",)
