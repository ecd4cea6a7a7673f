"""Memory of the machine and of this process, in bytes."""

import contextlib
import resource
import sys
from pathlib import Path

GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux has the control groups, and where it names the groups of this process."""


def available_memory() -> tuple[int, int]:
    """Memory in total and available, both within the limits of control groups, which psutil does not know."""
    import psutil  # here, since benchmarks run without it

    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    for limit, used in _group_limits():
        total = min(total, limit)
        available = min(available, max(limit - used, 0))
    return total, available


def peak_memory() -> int:
    """The most memory that this process has held at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def forget_peak_memory() -> None:
    """Resets `peak_memory` to what the process holds now, where the system allows it; Linux mostly does."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _group_limits() -> list[tuple[int, int]]:
    """Limit and use of each control group, version 1 or 2, that limits the memory of this process."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUP.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    limits = []
    for _, controllers, name in lines:
        if controllers and "memory" not in controllers.split(","):
            continue
        top = GROUPS / "memory" if controllers else GROUPS
        files = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        own_group = top / name.lstrip("/")
        # In a container the path may be the one outside of it; the process' own group is then the top.
        for group in {top, own_group, *(path for path in own_group.parents if top in path.parents)}:
            with contextlib.suppress(OSError, ValueError):  # not there, or "max"
                limit, used = (int((group / file).read_text(encoding="ascii")) for file in files)
                limits.append((limit, used))
    return limits
