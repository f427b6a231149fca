"""The Transformer's parts: against their equations, against torch's own layers, and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
import transformer_references as references
from building import assert_same, mask_of, normal, numbers, randomize
from torch import Tensor, nn

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.nn.dropout import SequenceDropout
from seq2seq_attn.nn.transformer.attention import LONGEST_PLAIN, TransformerAttention
from seq2seq_attn.nn.transformer.decoder import TransformerDecoder
from seq2seq_attn.nn.transformer.encoder import TransformerEncoder
from seq2seq_attn.nn.transformer.layers import LayerSettings, NormPlace
from seq2seq_attn.nn.transformer.positions import add_positions, sinusoids

SIZE, HEADS, INSIDE = 15, 3, 7
LENGTHS = (5, 2, 7, 1)
TARGET = 6
SOURCE_MASK = mask_of(LENGTHS)

both_norms = pytest.mark.parametrize("norm", ["pre", "post"])


def settings(norm: NormPlace) -> LayerSettings:
    return LayerSettings(SIZE, HEADS, INSIDE, norm, SequenceDropout(0.0))


def attention(*, seed: int = 1) -> TransformerAttention:
    made = TransformerAttention(SIZE, heads=HEADS)
    randomize(made, seed)
    return made.double()


def encoder(norm: NormPlace, layers: int = 2) -> TransformerEncoder:
    made = TransformerEncoder(layers, settings(norm))
    randomize(made, 2, scale=0.5)
    return made.double()


def decoder(norm: NormPlace, layers: int = 3, alignment_layer: int | None = None) -> TransformerDecoder:
    made = TransformerDecoder(layers, settings(norm), alignment_layer=alignment_layer)
    randomize(made, 3, scale=0.5)
    return made.double()


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_positions_are_the_waves_of_the_paper(size):
    like = torch.empty(0, dtype=torch.float64)
    found = sinusoids(11, size, start=97, like=like)
    assert_same(found, [references.position(97 + number, size) for number in range(11)])


def test_positions_have_no_end_and_stay_exact():
    far = sinusoids(3, 8, start=99_991, like=torch.empty(0, dtype=torch.float64))
    assert_same(far, [references.position(99_991 + number, 8) for number in range(3)], 1e-10)
    near = sinusoids(1021, 64)
    assert near.dtype == torch.float32
    assert_same(near, [references.position(number, 64) for number in range(1021)], 2e-4)


def test_positions_keep_the_precision_of_what_they_are_added_to():
    embedded = normal(2, 5, 8).bfloat16()
    found = add_positions(embedded, start=3)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, embedded + sinusoids(5, 8, start=3).bfloat16())


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("look", [True, False])
def test_every_number_of_attention_is_that_of_the_equations(look, learns):
    """Looking and not looking are two ways through the code, and so is learning."""
    made, queries, memory = attention(), normal(4, TARGET, SIZE), normal(4, max(LENGTHS), SIZE, seed=2)
    with torch.set_grad_enabled(learns):
        found, weights = made(queries, made.remember(memory), SOURCE_MASK[:, None, None], look=look)
    for row, length in enumerate(LENGTHS):
        wanted = references.attend(numbers(made), HEADS, queries[row].tolist(), memory[row, :length].tolist())
        assert_same(found[row], wanted[0])
        if look:
            assert_same(weights[row, :, :, :length], wanted[1])
            assert (weights[row, :, :, length:] == 0).all()
    assert look == (weights is not None)


def test_attention_is_that_of_torch():
    made, queries, memory = attention(), normal(4, TARGET, SIZE), normal(4, max(LENGTHS), SIZE, seed=2)
    theirs = nn.MultiheadAttention(SIZE, HEADS, bias=False, batch_first=True, dtype=torch.float64)
    copy_attention(made, theirs)
    wanted, wanted_weights = theirs(queries, memory, memory, key_padding_mask=~SOURCE_MASK, average_attn_weights=False)
    found, weights = made(queries, made.remember(memory), SOURCE_MASK[:, None, None], look=True)
    assert_same(found, wanted, 1e-10)
    assert_same(weights, wanted_weights, 1e-10)


@pytest.mark.parametrize("look", [True, False])
def test_the_gradient_of_attention_is_that_of_finite_differences(look):
    made = TransformerAttention(4, heads=2)
    randomize(made, 5)
    made.double()
    mask = mask_of((3, 2))[:, None, None]

    def attend(queries: Tensor, memory: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip([name for name, _ in made.named_parameters()], parameters, strict=True))

        def call(module: TransformerAttention) -> Tensor:
            return module(queries, module.remember(memory), mask, look=look)[0]

        return torch.func.functional_call(Called(made, call), {f"module.{k}": v for k, v in named.items()}, ())

    inputs = [normal(2, 2, 4), normal(2, 3, 4, seed=2), *(part.detach() for part in made.parameters())]
    assert torch.autograd.gradcheck(attend, [part.clone().requires_grad_() for part in inputs])


@pytest.mark.parametrize("keys", [1, LONGEST_PLAIN[torch.float64], LONGEST_PLAIN[torch.float64] + 1])
def test_the_gradient_of_attention_is_that_of_torch_however_many_keys(keys):
    made, queries, memory = attention(), normal(2, TARGET, SIZE), normal(2, keys, SIZE, seed=2)
    mask = mask_of((keys, max(1, keys // 2)))
    theirs = nn.MultiheadAttention(SIZE, HEADS, bias=False, batch_first=True, dtype=torch.float64)
    copy_attention(made, theirs)
    asked = [(queries.clone().requires_grad_(), memory.clone().requires_grad_()) for _ in range(2)]
    weighting = normal(2, TARGET, SIZE, seed=3)
    found, _ = made(asked[0][0], made.remember(asked[0][1]), mask[:, None, None])
    wanted, _ = theirs(asked[1][0], asked[1][1], asked[1][1], key_padding_mask=~mask)
    (found * weighting).sum().backward()
    (wanted * weighting).sum().backward()
    assert_same(found, wanted, 1e-10)
    for ours, torchs in zip(*asked, strict=True):
        assert_same(ours.grad, torchs.grad, 1e-10)


class Called(nn.Module):
    """A function of a module as a module."""

    def __init__(self, module, function):
        super().__init__()
        self.module, self.function = module, function

    def forward(self) -> Tensor:
        return self.function(self.module)


def copy_attention(ours: TransformerAttention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        layers = (ours.query_layer, ours.key_layer, ours.value_layer)
        theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        theirs.out_proj.weight.copy_(ours.output_layer.weight)
        for bias in (theirs.in_proj_bias, theirs.out_proj.bias):
            if bias is not None:
                bias.zero_()


def copy_layers(ours: nn.Module, theirs: nn.Module) -> None:
    """Give torch's layers the numbers of ours."""
    attentions = (
        {"self_attn": "attention"}
        if isinstance(ours, TransformerEncoder)
        else {
            "self_attn": "self_attention",
            "multihead_attn": "cross_attention",
        }
    )
    for our, their in zip(ours.layers, theirs.layers, strict=True):
        for their_name, our_name in attentions.items():
            copy_attention(getattr(our, our_name), getattr(their, their_name))
        their.linear1.load_state_dict(our.feed_forward.inner.state_dict())
        their.linear2.load_state_dict(our.feed_forward.outer.state_dict())
        for number, name in enumerate([*(name.removesuffix("_attention") for name in attentions.values())], start=1):
            residual = getattr(our, f"{name}_residual")
            getattr(their, f"norm{number}").load_state_dict(residual.norm.state_dict())
        getattr(their, f"norm{len(attentions) + 1}").load_state_dict(our.feed_forward_residual.norm.state_dict())
    if theirs.norm is not None:
        theirs.norm.load_state_dict(ours.norm.state_dict())


def theirs_of(ours: nn.Module, kind: str, norm: str) -> nn.Module:
    layer_class = getattr(nn, f"Transformer{kind}Layer")
    layer = layer_class(SIZE, HEADS, INSIDE, dropout=0.0, batch_first=True, norm_first=norm == "pre")
    final = nn.LayerNorm(SIZE) if norm == "pre" else None
    extra = {"enable_nested_tensor": False} if kind == "Encoder" else {}
    theirs = getattr(nn, f"Transformer{kind}")(layer, len(ours.layers), norm=final, **extra).double()
    copy_layers(ours, theirs)
    return theirs


@both_norms
def test_the_encoder_is_that_of_torch(norm):
    ours = encoder(norm)
    theirs = theirs_of(ours, "Encoder", norm)
    embedded = normal(4, max(LENGTHS), SIZE)
    found, _ = ours(embedded, SOURCE_MASK)
    wanted = theirs(embedded, src_key_padding_mask=~SOURCE_MASK)
    assert_same(found[SOURCE_MASK], wanted[SOURCE_MASK], 1e-10)
    found.masked_fill(~SOURCE_MASK.unsqueeze(-1), 0).square().sum().backward()
    wanted.masked_fill(~SOURCE_MASK.unsqueeze(-1), 0).square().sum().backward()
    gradient = theirs.layers[0].self_attn.in_proj_weight.grad
    layer = ours.layers[0].attention
    for part, layer_part in zip(
        gradient.chunk(3), (layer.query_layer, layer.key_layer, layer.value_layer), strict=True
    ):
        torch.testing.assert_close(layer_part.weight.grad, part, rtol=1e-10, atol=1e-8)


@both_norms
def test_the_decoder_is_that_of_torch(norm):
    ours = decoder(norm)
    theirs = theirs_of(ours, "Decoder", norm)
    embedded, values = normal(4, TARGET, SIZE), normal(4, max(LENGTHS), SIZE, seed=2)
    memory = ours.memorize(values, SOURCE_MASK)
    found = ours(embedded, memory, ours.start(memory)).features
    causal = nn.Transformer.generate_square_subsequent_mask(TARGET, dtype=torch.float64)
    padding = torch.zeros_like(SOURCE_MASK, dtype=torch.float64).masked_fill(~SOURCE_MASK, -math.inf)
    wanted = theirs(embedded, values, tgt_mask=causal, memory_key_padding_mask=padding)
    assert_same(found, wanted, 1e-10)


@both_norms
def test_all_weights_are_those_of_the_equations(norm):
    ours, source = encoder(norm), decoder(norm)
    states, seen = ours(normal(4, max(LENGTHS), SIZE), SOURCE_MASK, look=True)
    embedded = normal(4, TARGET, SIZE, seed=4)
    memory = source.memorize(states, SOURCE_MASK)
    decoded = source(embedded, memory, source.start(memory), look=True)
    for row, length in enumerate(LENGTHS):
        given = normal(4, max(LENGTHS), SIZE)[row, :length].tolist()
        wanted_states, wanted = references.encode(numbers(ours), HEADS, norm, given)
        assert_same(states[row, :length], wanted_states)
        for layer, weights in enumerate(wanted):
            assert_same(seen[layer][row, :, :length, :length], weights)
        features, over_target, over_source, _ = references.decode(
            numbers(source), HEADS, norm, embedded[row].tolist(), wanted_states
        )
        assert_same(decoded.features[row], features)
        for layer in range(3):
            assert_same(decoded.self_weights[layer][row], over_target[layer])
            assert_same(decoded.cross_weights[layer][row, :, :, :length], over_source[layer])


@both_norms
def test_looking_changes_nothing(norm):
    ours, source = encoder(norm), decoder(norm)
    embedded = normal(4, max(LENGTHS), SIZE)
    assert_same(ours(embedded, SOURCE_MASK, look=True)[0], ours(embedded, SOURCE_MASK)[0])
    memory = source.memorize(embedded, SOURCE_MASK)
    plain, seen = (source(embedded[:, :TARGET], memory, source.start(memory), look=look) for look in (False, True))
    assert_same(seen.features, plain.features)
    assert_same(seen.weights, plain.weights)
    assert plain.self_weights == plain.cross_weights == ()


@both_norms
@pytest.mark.parametrize("cuts", [(1, 1, 1, 1, 1, 1), (2, 1, 3), (5, 1), (1, 5)], ids=str)
def test_a_target_piece_by_piece_is_as_the_whole(norm, cuts):
    ours = decoder(norm)
    embedded = normal(4, TARGET, SIZE)
    memory = ours.memorize(normal(4, max(LENGTHS), SIZE, seed=2), SOURCE_MASK)
    whole = ours(embedded, memory, ours.start(memory), look=True)
    past, begin = ours.start(memory), 0
    for size in cuts:
        piece = ours(embedded[:, begin : begin + size], memory, past, look=True)
        past, end = piece.past, begin + size
        for name in ("features", "context", "weights"):
            assert_same(getattr(piece, name), getattr(whole, name)[:, begin:end])
        for found, wanted in zip(piece.self_weights, whole.self_weights, strict=True):
            assert_same(found, wanted[:, :, begin:end, :end])
        begin = end
    for found, wanted in zip(past, whole.past, strict=True):
        assert_same(found.keys, wanted.keys)
        assert_same(found.values, wanted.values)


@pytest.mark.parametrize(
    ("layers", "asked", "wanted"), [(1, None, 1), (2, None, 1), (5, None, 4), (3, 1, 1), (3, 3, 3)]
)
def test_the_alignment_layer_is_the_last_but_one_unless_asked_for(layers, asked, wanted):
    ours = decoder("pre", layers, asked)
    memory = ours.memorize(normal(4, max(LENGTHS), SIZE, seed=2), SOURCE_MASK)
    found = ours(normal(4, TARGET, SIZE), memory, ours.start(memory), look=True)
    assert_same(found.weights, found.cross_weights[wanted - 1].mean(1))


@both_norms
def test_nothing_in_the_padding_is_read_nan_included(norm):
    """Neither a number nor a gradient may know of it."""
    ours, target = encoder(norm), decoder(norm)
    embedded, values = normal(4, max(LENGTHS), SIZE), normal(4, max(LENGTHS), SIZE, seed=2)

    def outcome(garbage: float) -> list[Tensor]:
        parts = [*ours.parameters(), *target.parameters()]
        inputs = [each.masked_fill(~SOURCE_MASK.unsqueeze(-1), garbage).requires_grad_() for each in (embedded, values)]
        states, seen = ours(inputs[0], SOURCE_MASK, look=True)
        memory = target.memorize(inputs[1], SOURCE_MASK)
        decoded = target(embedded[:, :TARGET], memory, target.start(memory), look=True)
        total = states[SOURCE_MASK].square().sum() + decoded.features.square().sum()
        gradients = torch.autograd.grad(total, [*inputs, *parts], allow_unused=True)
        assert (gradients[0][~SOURCE_MASK] == 0).all()
        assert (gradients[1][~SOURCE_MASK] == 0).all()
        used = [part for part in gradients if part is not None]
        return [states, *seen, *decoded.cross_weights, decoded.features, *used]

    for found, wanted in zip(outcome(math.nan), outcome(7.0), strict=True):
        assert found.isfinite().all()
        assert torch.equal(found, wanted)


@both_norms
def test_the_future_is_not_read(norm):
    ours = decoder(norm)
    memory = ours.memorize(normal(4, max(LENGTHS), SIZE, seed=2), SOURCE_MASK)
    embedded = normal(4, TARGET, SIZE)
    other = torch.cat([embedded[:, :3], normal(4, TARGET - 3, SIZE, seed=6)], 1)
    found, wanted = (ours(given, memory, ours.start(memory), look=True) for given in (other, embedded))
    assert torch.equal(found.features[:, :3], wanted.features[:, :3])
    assert not torch.equal(found.features[:, 3:], wanted.features[:, 3:])
    for weights in found.self_weights:
        assert (weights.triu(1) == 0).all()
        assert_same(weights.sum(-1), torch.ones(4, HEADS, TARGET))


@both_norms
def test_every_sub_layer_is_dropped_out_and_nothing_else(norm):
    """With everything dropped only the sums are left: what went in comes out, but for the norms."""
    everything = SequenceDropout(1.0)
    made = TransformerEncoder(2, settings(norm)._replace(dropout=everything)).double().train()
    embedded = normal(4, max(LENGTHS), SIZE).masked_fill(~SOURCE_MASK.unsqueeze(-1), 0.0)
    normed = nn.functional.layer_norm(embedded, (SIZE,))
    assert_same(made(embedded, SOURCE_MASK)[0], normed, 1e-4)
    target = TransformerDecoder(2, settings(norm)._replace(dropout=everything)).double().train()
    memory = target.memorize(embedded, SOURCE_MASK)
    assert_same(target(embedded, memory, target.start(memory)).features, normed, 1e-4)


def test_first_weights_are_glorots_and_first_biases_are_zero():
    made = TransformerEncoder(1, LayerSettings(64, 2, 256, "pre", SequenceDropout(0.0)))
    for name, parameter in made.named_parameters():
        if parameter.dim() == 2:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
        elif name.endswith("bias"):
            assert not parameter.any()


def test_heads_that_do_not_divide_and_layers_that_do_not_exist():
    with pytest.raises(ConfigError, match=r"^model\.transformer\.heads: 4 heads do not divide the 15 features"):
        TransformerAttention(15, heads=4)
    with pytest.raises(ConfigError, match=r"^model\.transformer\.alignment_layer is 4, but there are layers 1 to 3"):
        decoder("pre", 3, 4)
