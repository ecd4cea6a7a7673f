"""Which devices are there, their threads, and which precision each is fast in. What is missing is an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from blob_zero.errors import DeviceError


def resolve_device(name: str) -> torch.device:
    """The device of a name: `auto` (CUDA if there is any), `cpu`, `cuda` or `cuda:N`.

    Raises:
        DeviceError: it is not there, or the name is none of these; the message lists what is there.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if gpus else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    there = ", ".join(["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(gpus))])
    if kind != "cuda" or (name != "cuda" and not index.isdecimal()):
        raise DeviceError(f"unknown device {name!r}: should be auto, cpu, cuda or cuda:N; here: {there}")
    number = int(index or 0)
    if number >= gpus:
        reason = "" if torch.version.cuda else " (this build of PyTorch has no CUDA)"
        raise DeviceError(f"device {name!r} is not there; here: {there}{reason}")
    return torch.device("cuda", number)


def auto_workers(device: str) -> int:
    """Threads that serve a network: on a CPU one for each of PyTorch's threads, on CUDA 2.

    On a CPU each thread computes a batch alone. PyTorch's own threads would share a batch and wait for each other at
    every operation, which is slower on two cores and many times slower where another process needs a core too. On CUDA
    one thread copies while the other computes.

    Args:
        device: `cpu` or `cuda`.
    """
    return torch.get_num_threads() if device == "cpu" else 2


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Lets PyTorch compute the calling thread's work on `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def auto_dtype(device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """The precision for inference: fp16 on CUDA, bf16 on a CPU that multiplies in it, else fp32."""
    if device.type == "cuda":
        return "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


def auto_precision(device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """The precision for training: bf16 where the device has it, fp16 on older GPUs, else fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


def cpu_has_bf16() -> bool:
    """Whether the CPU has AVX-512 BF16 or AMX; without them bf16 is emulated and slower than fp32."""
    # These two queries are older and finer than the public get_cpu_capability, which stops at AVX512.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
