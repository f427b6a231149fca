"""The machine we run on: device, precision, seeds."""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from seq2seq_attn.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    Raises:
        ConfigError: if the name is another one, or CUDA is asked for and there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device {name!r} is unknown; use 'auto', 'cpu' or 'cuda'")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is 'cuda', but torch sees no CUDA device; use 'auto' or 'cpu'")
    return torch.device(name)


@dataclass(frozen=True)
class Precision:
    """What the matrix products of training are computed in, and why."""

    dtype: torch.dtype
    reason: str

    @property
    def name(self) -> str:
        """The name as the configuration writes it."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self, device: torch.device) -> torch.autocast:
        """Run a block in this precision; parameters stay float32."""
        mixed = self.dtype != torch.float32
        return torch.autocast(device.type, dtype=self.dtype if mixed else torch.bfloat16, enabled=mixed)


def choose_precision(name: str, device: torch.device) -> Precision:
    """Turn ``auto``, ``float32``, ``bfloat16`` or ``float16`` into a precision for ``device``.

    ``auto`` takes bfloat16 where the hardware multiplies it natively (there it is two
    times faster or more), float32 elsewhere.

    Raises:
        ConfigError: for float16 on a CPU, where its narrow range is not worth the time it costs.
    """
    if name == "auto":
        return _best_precision(device)
    if name == "float16" and device.type != "cuda":
        raise ConfigError("training.precision is 'float16', which needs a CUDA device; use 'bfloat16' or 'auto'")
    return Precision(getattr(torch, name), "asked for")


def _best_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return Precision(torch.bfloat16, "this GPU multiplies bfloat16 natively")
        return Precision(torch.float32, "this GPU does not multiply bfloat16 natively")
    if _cpu_multiplies_bfloat16():
        return Precision(torch.bfloat16, "this CPU multiplies bfloat16 natively")
    return Precision(torch.float32, "this CPU does not multiply bfloat16 natively")


def _cpu_multiplies_bfloat16() -> bool:
    # torch has no public question for this; the names have been stable since 2.3
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe)()) for probe in probes if hasattr(torch.cpu, probe))


def give_memory_back() -> None:
    """Return memory that is free but scattered to the system, where the C library can do it.

    Steps of ever new shapes leave holes between what stays, and a process that grows with every one of them.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), NumPy's old global generator and ``random``."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
