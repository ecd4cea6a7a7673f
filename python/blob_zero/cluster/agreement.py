"""Whether workers would play the same rounds with the same bytes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import torch

from blob_zero import _core
from blob_zero.errors import ClusterError
from blob_zero.inference.devices import auto_dtype
from blob_zero.machine.facts import machine


class Identity(TypedDict):
    """What the bytes of a worker's results depend on, apart from its tasks."""

    node: str
    device: str
    gpu: str
    version: str
    core: str
    torch: str
    cpu_features: str
    dtype: str


def identity(node: str, device: torch.device) -> Identity:
    """What the results of this process on this device depend on."""
    facts = machine()
    return Identity(
        node=node,
        device=device.type,
        gpu=torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        version=str(facts["blob_zero_version"]),
        core=hashlib.sha256(Path(_core.__file__).read_bytes()).hexdigest()[:16],
        torch=str(facts["torch_version"]),
        cpu_features=f"{facts['cpu_features']} ({torch.backends.cpu.get_cpu_capability()})",
        dtype=auto_dtype(device),
    )


def check_alike(found: Sequence[Identity]) -> None:
    """Checks that all workers, and this process, would play the same rounds with the same bytes.

    Raises:
        ClusterError: they would not; the message names who differs in what.
    """
    differences = differences_among(found)
    if differences:
        raise ClusterError(
            f"{'; '.join(differences)}. All machines need the same installation and the same kind of CPU, or runs "
            "could not be repeated"
        )


def differences_among(found: Sequence[Identity]) -> list[str]:
    """A line for each worker that differs from this process, or on CPUs from the first worker."""
    here = identity("this process", torch.device("cpu"))
    lines: list[str] = []
    for other in found:
        names = ["version", "core", "torch"]
        # This process deals and judges by the same core; a learner on a GPU has CPUs of any kind beside it.
        compared = [here]
        if other["device"] == "cpu":
            names += ["cpu_features", "dtype"]
            compared.append(found[0])
        for one in compared:
            differ = [f"{name} {other[name]!r} and not {one[name]!r}" for name in names if other[name] != one[name]]  # type: ignore[literal-required]
            if differ:
                lines.append(f"the worker on {other['node']} differs from {one['node']}: {', '.join(differ)}")
                break
    return lines


def kinds_of_gpu(found: Sequence[Identity]) -> str | None:
    """A line where the workers' GPUs are of several kinds."""
    kinds = sorted({one["gpu"] for one in found if one["gpu"]})
    if len(kinds) < 2:
        return None
    return f"GPUs of several kinds ({', '.join(kinds)}): each shard counts once, but a repeated run may differ in bytes"
