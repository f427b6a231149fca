"""Devices, precisions, seeds and optional libraries: what is chosen, and what is said about it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from seq2seq_attn import runtime
from seq2seq_attn.errors import ConfigError, MissingExtra
from seq2seq_attn.libraries import optional_import
from seq2seq_attn.runtime import choose_device, choose_precision, seed_everything

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_an_installed_library_is_imported():
    assert optional_import("json.decoder", feature="pictures", extra="plot").__name__ == "json.decoder"


def test_a_missing_library_says_how_to_install_it():
    with pytest.raises(MissingExtra) as caught:
        optional_import("no_such_library.part", feature="pictures", extra="plot")
    assert str(caught.value) == "pictures needs no_such_library: pip install 'seq2seq-attn[plot]'"
    assert caught.value.exit_status == 2


def test_a_library_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    """Installing it again would not help: what it needs itself is what lacks."""
    (tmp_path / "broken_library.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        optional_import("broken_library", feature="pictures", extra="plot")


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_the_gpu_where_there_is_one(monkeypatch, available, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device("auto") == torch.device(device)
    assert choose_device("cpu") == CPU


def test_cuda_without_a_gpu_names_the_key_and_the_mend(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError) as caught:
        choose_device("cuda")
    assert str(caught.value) == "training.device is 'cuda', but torch sees no CUDA device; use 'auto' or 'cpu'"


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_on_a_cpu(monkeypatch, native, dtype):
    monkeypatch.setattr(runtime, "_cpu_multiplies_bfloat16", lambda: native)
    chosen = choose_precision("auto", CPU)
    assert chosen.dtype == dtype
    assert chosen.reason == f"this CPU {'multiplies' if native else 'does not multiply'} bfloat16 natively"


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_auto_precision_on_a_gpu(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", CUDA).dtype == dtype


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_precision_that_is_asked_for(name):
    chosen = choose_precision(name, CPU)
    assert (chosen.name, chosen.reason) == (name, "asked for")
    with chosen.autocast(CPU):
        product = torch.ones(2, 3) @ torch.ones(3, 2)
    assert product.dtype == chosen.dtype


def test_float16_needs_a_gpu():
    assert choose_precision("float16", CUDA).dtype == torch.float16
    with pytest.raises(ConfigError, match=r"training\.precision is 'float16', which needs a CUDA device; use"):
        choose_precision("float16", CPU)


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 7])
def test_one_seed_for_every_generator(seed):
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), float(np.random.random()), random.random()

    seed_everything(seed)
    first = draw()
    seed_everything(seed)
    assert draw() == first
    seed_everything(seed + 1)
    assert all(a != b for a, b in zip(draw(), first, strict=True))
