"""Threads of OpenMP that wait for each other spin for milliseconds. Beside other processes they should sleep instead.

On a machine of its own, spinning makes training a third faster. Where another process needs the cores, the spinning
threads take them from the very threads that they wait for, and training falls to a twentieth of its speed
(docs/LOG.md). GNU's OpenMP, which PyTorch's wheels for Linux use, spins 300 times shorter while the process has more
OpenMP threads than cores (`GOMP_SPINCOUNT` in its manual). So this module watches the machine, and holds sleeping
threads while other processes work.
"""

import ctypes
import os
import re
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.5
"""Seconds between two looks at the machine."""

_BUSY_OTHERS = 0.25
_QUIET_LOOKS = 6

_started = threading.Lock()
_watching = False


def share_cores_with_others() -> None:
    """Watches the machine from now on, once for the process.

    Does nothing where the environment says how threads wait (`OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`), and on other systems
    than Linux.
    """
    global _watching
    chosen = "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ
    if chosen or not sys.platform.startswith("linux"):
        return
    with _started:
        if not _watching:
            _watching = True
            threading.Thread(target=_watch, name="spinning", daemon=True).start()


@dataclass
class Crowding:
    """Whether other processes use the cores of this one, from the time used between two looks."""

    crowded: bool = False
    quiet_looks: int = 0

    def look(self, *, others: float) -> bool:
        """Takes the cores that other processes used since the last look; three quiet seconds end a crowd."""
        if others > _BUSY_OTHERS:
            self.crowded, self.quiet_looks = True, 0
        else:
            self.quiet_looks += 1
            self.crowded = self.crowded and self.quiet_looks < _QUIET_LOOKS
        return self.crowded


class SleepingTeam:
    """More OpenMP threads than the process has cores, all asleep, for as long as it is held."""

    def __init__(self, threads: int) -> None:
        self._end = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(threads,), name="sleeping team", daemon=True)
        self._thread.start()
        self._ready.wait()

    def release(self) -> None:
        """Ends the threads."""
        self._end.set()
        self._thread.join()

    def _hold(self, threads: int) -> None:
        # A team belongs to the thread that began it, and ends with that thread. The work is `free(NULL)`: nothing.
        nothing = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
        for path in openmp_libraries():
            library = ctypes.CDLL(path)
            library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            library.GOMP_parallel(nothing, None, threads, 0)
        self._ready.set()
        self._end.wait()


def openmp_libraries() -> list[str]:
    """Paths of GNU's OpenMP in this process; none before PyTorch is imported, or where it uses another one."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return []
    return sorted(set(re.findall(r"/\S*libgomp\S*\.so\S*", maps)))


def _watch() -> None:
    crowding, team = Crowding(), None
    try:
        before = _seconds_used()
        while True:
            time.sleep(INTERVAL)
            now = _seconds_used()
            machine, mine, clock = (new - old for new, old in zip(now, before, strict=True))
            before = now
            crowded = crowding.look(others=(machine - mine) / clock)
            if crowded and team is None:
                team = SleepingTeam(len(os.sched_getaffinity(0)) + 1)
            elif not crowded and team is not None:
                team.release()
                team = None
    except OSError:  # a system without these files
        return


def _seconds_used() -> tuple[float, float, float]:
    """Seconds that this process's cores were busy, that it used itself, and of the clock."""
    cores = os.sched_getaffinity(0)
    ticks = os.sysconf("SC_CLK_TCK")
    busy = 0.0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            user, nice, system, _idle, _waiting, *rest = map(int, fields)
            busy += (user + nice + system + sum(rest[:3])) / ticks
    times = os.times()
    return busy, times.user + times.system, time.perf_counter()
