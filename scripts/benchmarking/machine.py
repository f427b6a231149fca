"""What a measurement was made on, without which its numbers say nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from seq2seq_attn import __version__
from seq2seq_attn.runtime import Precision

CPU_FACTS = Path("/proc/cpuinfo")


def describe_machine(device: torch.device, precision: Precision) -> dict[str, object]:
    """Return processor, library versions, threads and precision."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "precision": precision.name,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "seq2seq_attn": __version__,
    }


def _cpu_model() -> str:
    if CPU_FACTS.exists():
        for line in CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
