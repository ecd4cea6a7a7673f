"""Hardware and versions: what a measurement was made on."""

import os
import platform
from importlib import metadata
from pathlib import Path

import blob_zero as bz

_CPU_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX",
    "asimd": "NEON",
}


def machine() -> dict[str, str | int]:
    """Name and features of the CPU, cores that this process may use, memory, system, and versions."""
    facts = _cpu_facts()
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {
        "cpu": facts.get("model name", platform.processor() or platform.machine()),
        "cpu_features": ", ".join(name for flag, name in _CPU_FEATURES.items() if flag in flags),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python_version": platform.python_version(),
        "blob_zero_version": metadata.version("blob-zero"),
        "encoding_version": bz.ENCODING_VERSION,
        "torch_version": metadata.version("torch"),
    }


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_facts() -> dict[str, str]:
    """The first processor in /proc/cpuinfo; empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
