"""Parameters taken over from another model, word vectors as first values, and parameters that do not learn."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import nn

from seq2seq_attn.config.schema import ModelConfig
from seq2seq_attn.data.tokenizers import SPECIALS, CharacterTokenizer, Tokenizer, WordTokenizer
from seq2seq_attn.data.tokenizers.sentencepiece import SentencePieceTokenizer
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.models.base import Seq2Seq
from seq2seq_attn.models.build import build_model
from seq2seq_attn.nn.embeddings import TokenEmbedding
from seq2seq_attn.training.freezing import freeze
from seq2seq_attn.training.initial import TakenOver, place_vectors, take_over, token_rows
from seq2seq_attn.training.optimizers import build_optimizer

RNN = {"embedding_size": 6, "tie_embeddings": "none", "encoder": {"hidden_size": 5}, "decoder": {"hidden_size": 7}}
TRANSFORMER = {
    "architecture": "transformer",
    "embedding_size": 6,
    "tie_embeddings": "none",
    "transformer": {"encoder_layers": 2, "decoder_layers": 2, "heads": 2, "feed_forward_size": 5},
}
OLD = (["red", "car", "the", "a", "drives"], ["rote", "auto", "das", "rot", "a", "the"])
NEW = (["car", "truck", "a", "old", "red"], ["das", "alte", "auto", "a", "drives"])
ROWS = ("source_embedding.table.weight", "target_embedding.table.weight", "output.weight", "output.bias")


def vocabularies(words: tuple[list[str], list[str]], *, shared: bool) -> tuple[Tokenizer, Tokenizer]:
    if not shared:
        return WordTokenizer(words[0]), WordTokenizer(words[1])
    both = WordTokenizer(list(dict.fromkeys([*words[0], *words[1]])))
    return both, both


def build(tree: dict[str, Any], tokenizers: tuple[Tokenizer, Tokenizer], seed: int, **changes: Any) -> Seq2Seq:
    torch.manual_seed(seed)
    config = ModelConfig.model_validate({**tree, **changes})
    source, target = map(len, tokenizers)
    return build_model(config, source_vocabulary=source, target_vocabulary=target, padding=0)


def taken(
    old: Seq2Seq, old_tokens: tuple[Tokenizer, Tokenizer], new: Seq2Seq, new_tokens: tuple[Tokenizer, Tokenizer]
) -> TakenOver:
    pairs = zip(new_tokens, old_tokens, strict=True)
    return take_over(new, old, dict(zip(("source", "target"), [token_rows(*pair) for pair in pairs], strict=True)))


def words_of(tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.id_to_token(number) for number in range(len(tokenizer))]


def by_token(fresh: torch.Tensor, other: torch.Tensor, new: Tokenizer, old: Tokenizer) -> list[Any]:
    """Plain Python: a row of the other table for each token that it has, the fresh row for all others."""
    there = dict(zip(words_of(old), other.tolist(), strict=True))
    return [there.get(word, row) for word, row in zip(words_of(new), fresh.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("tree", "changes", "shared"),
    [
        (RNN, {}, False),
        (RNN, {}, True),
        (RNN, {"attention": "bahdanau", "tie_embeddings": "target"}, False),
        (RNN, {"tie_embeddings": "all"}, True),
        (RNN, {"copying": True, "tie_embeddings": "all"}, True),
        (RNN, {"copying": True}, True),
        (TRANSFORMER, {}, False),
        (TRANSFORMER, {"tie_embeddings": "target"}, False),
        (TRANSFORMER, {"tie_embeddings": "all", "copying": True}, True),
    ],
    ids=str,
)
def test_same_model_with_another_vocabulary(tree: dict[str, Any], changes: dict[str, Any], shared: bool) -> None:
    old_tokens, new_tokens = vocabularies(OLD, shared=shared), vocabularies(NEW, shared=shared)
    old, new = build(tree, old_tokens, 1, **changes), build(tree, new_tokens, 2, **changes)
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    report = taken(old, old_tokens, new, new_tokens)
    values = new.state_dict()
    assert set(ROWS) < values.keys()
    for name, value in values.items():
        other = old.state_dict()[name]
        if name in ROWS:
            side = 0 if name.startswith("source") else 1
            assert value.tolist() == by_token(fresh[name], other, new_tokens[side], old_tokens[side]), name
        else:
            assert torch.equal(value, other), name
    assert report.unused == []
    assert report.count("whole") + report.count("rows") == len(list(new.parameters()))
    for one in report.parameters:
        if one.tokens:
            side = 0 if one.name.startswith("source") else 1
            common = set(words_of(new_tokens[side])) & set(words_of(old_tokens[side]))
            assert (one.how, one.rows, one.tokens) == ("rows", len(common), len(new_tokens[side]))
    if "tie_embeddings" in changes:
        assert values["output.weight"].data_ptr() == values["target_embedding.table.weight"].data_ptr()


def test_one_table_for_all_prefers_the_target_and_fills_up_from_the_source() -> None:
    old_tokens, new_tokens = vocabularies(OLD, shared=False), vocabularies(NEW, shared=True)
    old, new = build(TRANSFORMER, old_tokens, 1), build(TRANSFORMER, new_tokens, 2, tie_embeddings="all")
    fresh = new.state_dict()["output.weight"].clone()
    taken(old, old_tokens, new, new_tokens)
    theirs = old.state_dict()
    source = dict(zip(words_of(old_tokens[0]), theirs[ROWS[0]].tolist(), strict=True))
    target = dict(zip(words_of(old_tokens[1]), theirs[ROWS[1]].tolist(), strict=True))
    assert source["a"] != target["a"]
    for number, word in enumerate(words_of(new_tokens[0])):
        wanted = target.get(word, source.get(word, fresh[number].tolist()))
        assert new.state_dict()["output.weight"][number].tolist() == wanted, word


def test_what_does_not_fit_stays_fresh_and_is_listed() -> None:
    tokens = vocabularies(OLD, shared=False)
    old = build(RNN, tokens, 1, attention="bahdanau")
    new = build(RNN, tokens, 2, decoder={"hidden_size": 9})
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    report = taken(old, tokens, new, tokens)
    theirs = old.state_dict()
    for one in report.parameters:
        value = new.state_dict()[one.name]
        fits = one.name in theirs and theirs[one.name].shape == value.shape
        assert (one.how == "whole") == fits
        assert torch.equal(value, theirs[one.name] if fits else fresh[one.name])
        if not fits:
            wanted = f"{value.shape[0]}.* here, .* there" if one.name in theirs else "the other model has none"
            assert re.fullmatch(wanted, one.reason), one
    used = {one.name for one in report.parameters if one.how == "whole"}
    assert sorted(report.unused) == sorted(theirs.keys() - used)
    assert any("attention" in name for name in report.unused)
    assert {"source_embedding.table.weight", "output.bias"} <= used


def test_another_embedding_size_leaves_the_biases_only() -> None:
    tokens = vocabularies(OLD, shared=False)
    report = taken(build(RNN, tokens, 1), tokens, build(RNN, tokens, 2, embedding_size=8), tokens)
    found = {one.name: one for one in report.parameters}
    assert (found[ROWS[0]].how, found[ROWS[0]].reason) == ("fresh", "9 x 8 here, 9 x 6 there")
    assert (found["output.bias"].how, found["output.bias"].rows) == ("whole", len(OLD[1]) + 4)


def pairs(new: Tokenizer, old: Tokenizer) -> dict[str, str]:
    rows = token_rows(new, old)
    numbers = zip(rows.new.tolist(), rows.old.tolist(), strict=True)
    return {new.id_to_token(number): old.id_to_token(other) for number, other in numbers}


def test_tokens_of_other_kinds_are_compared_by_their_text() -> None:
    subwords = SentencePieceTokenizer.train(["ab ab. cd"] * 9, algorithm="bpe", vocabulary_size=13)
    assert {"▁ab", "ab", "."} <= set(words_of(subwords))
    words, letters = WordTokenizer(["ab", "￭.", "efg"]), CharacterTokenizer(["a", ".", "x", " "])
    specials = dict(zip(SPECIALS, SPECIALS, strict=True))
    assert pairs(words, subwords) == {**specials, "ab": "▁ab", "￭.": "."}
    assert pairs(subwords, words) == {**specials, "▁ab": "ab", ".": "￭."}
    assert pairs(letters, subwords) == {**specials, "a": "a", ".": ".", " ": "▁"}


def test_a_word_that_is_spelled_like_a_special_symbol_is_another_token() -> None:
    assert pairs(WordTokenizer(["</s>"]), WordTokenizer(["x"])) == dict(zip(SPECIALS, SPECIALS, strict=True))
    rows = token_rows(WordTokenizer(["</s>"]), WordTokenizer(["x", "</s>"]))
    assert rows.new.tolist() == [0, 1, 2, 3, 4]
    assert rows.old.tolist() == [0, 1, 2, 3, 5]


def test_vectors_keep_their_proportions_and_get_the_size_of_fresh_rows() -> None:
    torch.manual_seed(3)
    embedding = TokenEmbedding(7, 4, padding=0)
    fresh = embedding.table.weight.detach().clone()
    rows = [[3.0, 0.0, 4.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    vectors = torch.zeros(7, 4)
    vectors[4], vectors[6] = torch.tensor(rows[0]), torch.tensor(rows[1])
    found = torch.tensor([False, False, False, False, True, False, True])
    factor = place_vectors(embedding, vectors, found)
    mean_square = sum(number**2 for row in rows for number in row) / 8
    assert factor == pytest.approx(1 / math.sqrt(4 * mean_square))
    table = embedding.table.weight
    assert torch.equal(table[~found], fresh[~found])
    for place, row in zip((4, 6), rows, strict=True):
        assert table[place].tolist() == pytest.approx([number * factor for number in row])
    looked_up = embedding(torch.tensor([[4, 6]])).detach()
    assert float(looked_up.square().mean()) == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_vectors_of_zeros_or_of_no_numbers_are_not_placed(bad: list[float]) -> None:
    embedding = TokenEmbedding(5, 2, padding=0)
    fresh = embedding.table.weight.detach().clone()
    vectors = torch.tensor([*[[0.0, 0.0]] * 4, bad])
    assert place_vectors(embedding, vectors, torch.tensor([False] * 4 + [True])) == 0
    assert place_vectors(embedding, vectors, torch.tensor([False] * 5)) == 0
    assert torch.equal(embedding.table.weight, fresh)


def names(model: nn.Module, *, learning: bool) -> set[str]:
    return {name for name, one in model.named_parameters(remove_duplicate=False) if one.requires_grad == learning}


def test_patterns_freeze_what_they_match() -> None:
    model = build(RNN, vocabularies(OLD, shared=False), 1)
    total = model.num_parameters
    freeze(model, ["source_embedding.*", "*.bias"])
    every = {name for name, _ in model.named_parameters()}
    assert names(model, learning=False) == {name for name in every if re.search(r"^source_embedding\.|\.bias$", name)}
    frozen = sum(one.numel() for one in model.parameters() if not one.requires_grad)
    assert 0 < frozen == total - model.num_parameters


def test_a_tied_table_is_frozen_by_any_of_its_names() -> None:
    model = build(RNN, vocabularies(OLD, shared=True), 1, tie_embeddings="all")
    freeze(model, ["output.weight"])
    assert names(model, learning=False) == set(ROWS) - {"output.bias"}


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("what", ["encoder", "matrices", "vectors"])
def test_the_optimizer_does_not_know_of_them(kind: Any, what: str) -> None:
    model = build(RNN, vocabularies(OLD, shared=False), 1)
    dimensions = {name: value.dim() for name, value in model.named_parameters()}
    chosen = {
        "encoder": ["encoder.*"],
        "matrices": [name for name, dimension in dimensions.items() if dimension > 1],
        "vectors": [name for name, dimension in dimensions.items() if dimension == 1],
    }
    freeze(model, chosen[what])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = build_optimizer(model, kind=kind, learning_rate=0.1, weight_decay=0.3)
    source, target = torch.tensor([[4, 5, 6]]), torch.tensor([[2, 4, 5]])
    model(source, torch.tensor([3]), target).features.sum().add(model.output.bias.sum()).backward()
    optimizer.step()
    held = {id(one) for group in optimizer.param_groups for one in group["params"]}
    frozen = names(model, learning=False)
    assert frozen
    for name, parameter in model.named_parameters():
        assert (id(parameter) in held) == (name not in frozen)
        if name in frozen:
            assert parameter.grad is None
            assert parameter not in optimizer.state
            assert torch.equal(parameter, before[name])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("source_embeding.*", r"'source_embeding.*' matches no parameter of this model; did you mean 'source_embedd"),
        ("qqq", r"names begin with source_embedding.*, target_embedding.*, encoder.*, bridge.*, decoder.*, output.*"),
        ("Encoder.*", "did you mean 'encoder.*'"),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        freeze(build(RNN, vocabularies(OLD, shared=False), 1), [pattern])
    assert str(error.value).startswith(f"training.freeze: '{pattern}' ")


def test_freezing_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.freeze: every parameter is frozen"):
        freeze(build(RNN, vocabularies(OLD, shared=False), 1), ["*coder.*", "bridge.*", "*embedding.*", "output.*"])
