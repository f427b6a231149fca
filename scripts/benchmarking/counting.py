"""The products of a search, counted, and the time that they take when nothing is done between them."""

from __future__ import annotations

import time
from collections import defaultdict
from statistics import median

import torch
from torch import Tensor

from seq2seq_attn.products.learned import MakeProduct, Product

REPEAT_SECONDS = 0.05  # that a matrix is multiplied by, to time it


class ProductCounter:
    """Counts the rows that every matrix of a model is multiplied by.

    Attributes:
        rows: of every product with a matrix, by the number of the matrix.
    """

    def __init__(self) -> None:
        self._matrices: list[tuple[Product, int]] = []
        self.rows: dict[int, list[int]] = defaultdict(list)

    def watch(self, make: MakeProduct) -> MakeProduct:
        """Return a way to multiply that is counted."""

        def counted(weight: Tensor, bias: Tensor | None = None) -> Product:
            number = len(self._matrices)
            product = make(weight, bias)
            self._matrices.append((product, weight.shape[1]))

            def multiply(inputs: Tensor) -> Tensor:
                self.rows[number].append(inputs.numel() // inputs.shape[-1])
                return product(inputs)

            return multiply

        return counted

    def fastest_seconds(self) -> float:
        """Return the time that all products counted take when nothing is done between them."""
        total = 0.0
        for number, rows in self.rows.items():
            product, inputs = self._matrices[number]
            typical = max(1, int(median(rows)))
            vectors = torch.rand(typical, inputs).sub_(0.5)
            with torch.inference_mode():
                product(vectors)
                done, begin = 0, time.perf_counter()
                while time.perf_counter() - begin < REPEAT_SECONDS:
                    product(vectors)
                    done += 1
                total += (time.perf_counter() - begin) / done / typical * sum(rows)
        return total
