"""The device: what `auto` takes and why, and why a GPU cannot be used."""

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from blob_zero.doctor.findings import Finding, first_line, size
from blob_zero.doctor.known import Known
from blob_zero.errors import DeviceError
from blob_zero.inference.devices import resolve_device

_PATIENCE = 30
"""Seconds for nvidia-smi, which takes some on a machine with many GPUs that are not kept awake."""


@dataclass(frozen=True)
class Driver:
    """What nvidia-smi reports.

    Attributes:
        gpus: names of the GPUs, in its order.
        version: of the driver; empty if unknown.
        problem: why it reports nothing; empty if it works.
    """

    gpus: tuple[str, ...] = ()
    version: str = ""
    problem: str = ""


def check_device(known: Known) -> Iterator[Finding]:
    """PyTorch's build, the device that would be taken, and on a GPU its memory and whether it computes."""
    driver = ask_driver()
    with warnings.catch_warnings(record=True) as caught:  # PyTorch warns of a driver that is too old
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    complaint = first_line(caught[0].message) if caught and isinstance(caught[0].message, Warning) else ""
    obstacle = None if there else _obstacle(driver, complaint)

    asked = known.request.device
    try:
        device = resolve_device(asked)
    except DeviceError as error:
        found = f"{error}; {obstacle[0]}" if obstacle else str(error)
        elsewhere = "name a device that is there with --device"
        yield Finding("device", "failure", found, f"{obstacle[1]}; or {elsewhere}" if obstacle else elsewhere)
        return
    if device.type == "cpu":
        known.device = device
        if asked == "auto" and obstacle is not None:
            yield Finding("device", "warning", f"auto takes the CPU: {obstacle[0]}", obstacle[1])
        else:
            yield Finding("device", "ok", "cpu, as asked")
        return
    yield from _gpu(known, device, driver)


def ask_driver() -> Driver:
    """The GPUs and the version of NVIDIA's driver, from nvidia-smi; PyTorch need not be able to use them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Driver(problem="there is no nvidia-smi, so no NVIDIA driver")
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return Driver(problem=f"nvidia-smi fails: {first_line(error)}")
    lines = [line.rpartition(",") for line in answer.stdout.splitlines() if "," in line]
    if answer.returncode or not lines:
        said = (answer.stderr.strip() or answer.stdout.strip()).partition("\n")[0]
        return Driver(problem=f"nvidia-smi fails: {said or f'status {answer.returncode}'}")
    return Driver(tuple(name.strip() for name, _, _ in lines), lines[0][2].strip())


def _obstacle(driver: Driver, complaint: str) -> tuple[str, str]:
    """Why PyTorch has no GPU, and what would give it one."""
    build = f"PyTorch {torch.__version__}"
    gpus = ", ".join(driver.gpus)
    if torch.version.cuda is None:
        install = "a build of PyTorch with CUDA (https://pytorch.org/get-started/locally)"
        if driver.gpus:
            return f"{build} is built without CUDA, and {gpus} is here", f"install {install}"
        return (
            f"{build} is built without CUDA, and {driver.problem}",
            f"for a GPU, install its driver and {install}; to stay on the CPU, use --device cpu",
        )
    build = f"{build} is built for CUDA {torch.version.cuda}"
    if not driver.gpus:
        again = "load the driver again (after an update, reboot)"
        install = again if "fails" in driver.problem else "install its driver"
        return f"{build}, and {driver.problem}", f"for a GPU, {install}; to stay on the CPU, use --device cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return (
            f"{build}, and CUDA_VISIBLE_DEVICES={hidden!r} shows it none of {gpus}",
            "unset CUDA_VISIBLE_DEVICES, or set it to GPUs that are there",
        )
    return (
        f"{build} and cannot use {gpus} with driver {driver.version}{f': {complaint}' if complaint else ''}",
        f"install a driver for CUDA {torch.version.cuda} or newer, or a PyTorch that is built for an older CUDA",
    )


def _gpu(known: Known, device: torch.device, driver: Driver) -> Iterator[Finding]:
    asked = known.request.device
    name = torch.cuda.get_device_name(device)
    major, minor = torch.cuda.get_device_capability(device)
    free, total = torch.cuda.mem_get_info(device)
    why = "auto takes the first GPU: " if asked == "auto" else ""
    yield Finding(
        "device",
        "ok",
        f"{why}{device}, {name}, compute capability {major}.{minor}, {size(total)} of memory, {size(free)} free",
        figures={
            "device": str(device),
            "name": name,
            "capability": f"{major}.{minor}",
            "memory_bytes": total,
            "free_bytes": free,
            "gpus": torch.cuda.device_count(),
        },
    )
    yield Finding(
        "CUDA",
        "ok",
        f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda}; driver {driver.version or 'unknown'}",
        figures={"cuda": torch.version.cuda, "driver": driver.version},
    )
    try:
        ones = torch.ones(64, 64, device=device)
        computed = float((ones @ ones).sum())
    except RuntimeError as error:
        remedy = f"install a build of PyTorch for compute capability {major}.{minor}, or end other work on the GPU"
        yield Finding("GPU", "failure", f"{device} does not compute: {first_line(error)}", remedy)
        return
    if computed != 64**3:
        yield Finding("GPU", "failure", f"{device} computes {computed} for {64**3}", "reset or replace the GPU")
        return
    known.device = device
