"""Packed products: the numbers of plain loops, the same for a row in any company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq_attn.errors import ConfigError
from seq2seq_attn.inference.products import choose_products, packed_float32

CPU = torch.device("cpu")
ROWS, INPUTS, OUTPUTS = 67, 48, 80


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def makers() -> list[object]:
    found = []
    for precision in ("float32", "bfloat16", "int8"):
        try:
            found.append(pytest.param(choose_products(precision, CPU)[0], id=precision))
        except ConfigError as error:
            found.append(pytest.param(None, id=precision, marks=pytest.mark.skip(reason=str(error))))
    return found


every_maker = pytest.mark.parametrize("make", makers())


def exact(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return inputs.double() @ weight.double().T + bias.double()


@every_maker
def test_products_are_near_the_exact_ones(make):
    weight, bias, inputs = drawn(OUTPUTS, INPUTS), drawn(OUTPUTS, seed=2), drawn(ROWS, INPUTS, seed=3)
    found = make(weight, bias)(inputs)
    assert found.dtype == torch.float32
    # 8 bits of each factor: an error of 0.07 in the mean of sums of 48 products of numbers around 1, here of 5,360
    torch.testing.assert_close(found.double(), exact(inputs, weight, bias), rtol=0, atol=0.4)


def test_float32_is_exact_to_its_last_digits():
    weight, bias, inputs = drawn(OUTPUTS, INPUTS), drawn(OUTPUTS, seed=2), drawn(ROWS, INPUTS, seed=3)
    found = choose_products("float32", CPU)[0](weight, bias)(inputs)
    torch.testing.assert_close(found.double(), exact(inputs, weight, bias), rtol=0, atol=1e-5)


def test_int8_is_what_rounding_in_plain_loops_gives():
    weight, bias, inputs = drawn(7, 13), drawn(7, seed=2), drawn(5, 13, seed=3)
    found = choose_products("int8", CPU)[0](weight, bias)(inputs)
    for i in range(5):
        x = inputs[i].numpy()
        x_scale = np.abs(x).max() / 127
        for j in range(7):
            w = weight[j].numpy()
            w_scale = np.abs(w).max() / 127
            total = sum(int(np.rint(a / x_scale)) * int(np.rint(b / w_scale)) for a, b in zip(x, w, strict=True))
            wanted = total * float(x_scale) * float(w_scale) + float(bias[j])
            # a number that stands between two whole ones may be rounded to either
            step = float(x_scale) * np.abs(w).max() + float(w_scale) * np.abs(x).max()
            assert min(abs(float(found[i, j]) - wanted), abs(abs(float(found[i, j]) - wanted) - step)) < 1e-4


def test_int8_of_nothing_is_the_bias():
    bias = drawn(7)
    found = choose_products("int8", CPU)[0](torch.zeros(7, 13), bias)(drawn(3, 13))
    torch.testing.assert_close(found, bias.expand(3, -1))
    found = choose_products("int8", CPU)[0](drawn(7, 13), bias)(torch.zeros(3, 13))
    torch.testing.assert_close(found, bias.expand(3, -1))


@every_maker
@pytest.mark.parametrize("sizes", [(48, 80), (47, 79), (1024, 512)], ids=str)
def test_a_row_has_the_same_numbers_in_any_company(make, sizes):
    inputs, outputs = sizes
    product = make(drawn(outputs, inputs), drawn(outputs, seed=2))
    rows = drawn(ROWS, inputs, seed=3)
    together = product(rows)
    for first, last in [(0, 1), (66, 67), (5, 7), (20, 23), (1, 6), (3, 67)]:
        assert torch.equal(product(rows[first:last]), together[first:last])


@every_maker
def test_leading_axes_stay_and_may_be_empty(make):
    product = make(drawn(OUTPUTS, INPUTS), None)
    inputs = drawn(2, 3, 5, INPUTS)
    assert torch.equal(product(inputs), product(inputs.flatten(0, 2)).view(2, 3, 5, OUTPUTS))
    assert product(inputs[:0]).shape == (0, 3, 5, OUTPUTS)


def test_what_was_packed_does_not_follow_the_parameters():
    weight = torch.nn.Parameter(drawn(OUTPUTS, INPUTS))
    if not choose_products("float32", CPU)[1].endswith("oneDNN"):
        pytest.skip("nothing is packed on this CPU")
    product, inputs = packed_float32(weight), drawn(3, INPUTS)
    before = product(inputs)
    with torch.no_grad():
        weight.zero_()
    assert torch.equal(product(inputs), before)


def test_auto_is_float32():
    assert choose_products("auto", CPU) == choose_products("float32", CPU)


@pytest.mark.parametrize(
    ("precision", "device", "words"),
    [("float8", CPU, "float8.*unknown"), ("int8", torch.device("cuda"), "int8.*no such products on this cuda")],
)
def test_what_cannot_be_is_refused(precision, device, words):
    with pytest.raises(ConfigError, match=words):
        choose_products(precision, device)
