"""Annotations are executed in the tests that ask for it, and cost nothing in the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import shape_checks
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from seq2seq_attn.nn.masking import masked_mean

pytestmark = pytest.mark.unchecked_shapes  # of both markers, that nearer to the test counts

VALUES, MASK = torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)


@pytest.mark.checked_shapes
def test_the_package_is_checked():
    assert masked_mean(VALUES, MASK).shape == (2, 4)
    with pytest.raises(TypeCheckError, match="masked_mean"):
        masked_mean(VALUES, MASK[:, :2])
    with pytest.raises(TypeCheckError, match="masked_mean"):
        masked_mean(VALUES, MASK.float())


def test_where_nothing_is_checked_nothing_is_made(monkeypatch):
    made: list[Any] = []

    def count(function: Callable[..., Any]) -> Callable[..., Any]:
        made.append(function)
        return shape_checks.check(function)

    @shape_checks.jaxtyped(typechecker=count)
    def first(values: Float[Tensor, "batch hidden"]) -> Float[Tensor, " batch"]:
        """Return something."""
        return values[:, 0]

    assert (first.__name__, first.__doc__) == ("first", "Return something.")
    assert first(VALUES).shape == (2, 4)  # which it should not take
    assert made == []

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", False)
    with pytest.raises(TypeCheckError):
        first(VALUES)
    assert first(VALUES[0]).shape == (3,)
    at_first = len(made)
    first(VALUES[0])
    assert len(made) == at_first > 0
