"""The processor: how many cores there are to use, and what they can compute with."""

import os
import platform
from collections.abc import Iterator

import torch

import blob_zero as bz
from blob_zero.doctor.findings import Finding
from blob_zero.doctor.known import Known
from blob_zero.inference.devices import cpu_has_bf16
from blob_zero.machine.facts import cores, machine


def check_cpu(known: Known) -> Iterator[Finding]:
    """Cores, instructions, and whether the settings start more threads than there are cores."""
    usable = usable_cores()
    total = os.cpu_count() or usable
    found = f"{usable} usable" if usable == total else f"{usable} of {total} usable, by affinity or quota"
    yield Finding("cores", "ok", found, figures={"usable": usable, "total": total})
    yield _instructions()
    config = known.config
    if config is None:
        return
    wanted = {
        "run.torch_threads": config.run.torch_threads or torch.get_num_threads(),
        "selfplay.threads": config.selfplay.threads or usable,
    }
    for name, threads in wanted.items():
        if threads > usable:
            found = f"{name}: {threads} threads on {usable} cores would wait for each other"
            yield Finding("threads", "warning", found, f"set {name} to {usable}", {"threads": threads})


def usable_cores() -> int:
    """Cores that this process may use, as the search (affinity, quotas) and as PyTorch (affinity) count them."""
    return min(bz.SelfPlay(players=4, cards=5).sizes().search_threads, cores())


def _instructions() -> Finding:
    about = machine()
    capability = torch.backends.cpu.get_cpu_capability()
    half = cpu_has_bf16()
    features = about["cpu_features"] or "none of those that matter"
    found = f"{about['cpu']}: {features}; PyTorch uses {capability}, and " + (
        "bf16" if half else "fp32, as bf16 would be emulated"
    )
    figures = {"cpu": about["cpu"], "features": about["cpu_features"], "capability": capability, "bf16": half}
    if capability == "DEFAULT" and platform.machine() in ("x86_64", "AMD64"):
        slow = f"{found}. Without AVX2 the network is several times slower"
        remedy = "use a newer CPU or a GPU; if ATEN_CPU_CAPABILITY is set, unset it"
        return Finding("instructions", "warning", slow, remedy, figures)
    return Finding("instructions", "ok", found, figures=figures)
