"""Where a checkpoint comes from: the versions of the packages, and the machine."""

import platform
from functools import cache
from importlib import metadata

import torch

from blob_zero.machine.facts import machine


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's results depend on."""
    packages = ("numpy", "openskill", "polars", "safetensors", "torch")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


@cache
def hardware(device: torch.device) -> dict[str, str | int]:
    """The machine, and the GPU if the run uses one."""
    found = machine()
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {**{name: found[name] for name in ("cpu", "cpu_features", "cores", "memory_bytes", "system")}, **gpu}
