"""The time that a run has left."""

import time
from collections import deque


class Clock:
    """Estimates the time left from the last iterations of this process."""

    def __init__(self) -> None:
        self.iteration = 0
        self.iterations = 0
        self._iteration_began = time.perf_counter()
        # Only two, as the first iterations of a run differ from the later ones, and every other one may be measured.
        self._seconds: deque[float] = deque(maxlen=2)
        self._last = 0

    def started(self, iteration: int, iterations: int) -> None:
        """Notes that an iteration begins."""
        self.iteration, self.iterations = iteration, iterations
        self._iteration_began = time.perf_counter()

    def finished(self) -> None:
        """Notes that the iteration is done."""
        self._last = self.iteration
        self._seconds.append(self.iteration_seconds())

    def done(self) -> bool:
        """Whether no iteration is left."""
        return self._last >= self.iterations

    def iteration_seconds(self) -> float:
        """Seconds since the iteration began."""
        return time.perf_counter() - self._iteration_began

    def left(self) -> str:
        """The time left if the next iterations take as long as the last ones; a dash before the first is done."""
        if not self._seconds:
            return "-"
        mean = sum(self._seconds) / len(self._seconds)
        since = self.iteration_seconds() if self.iteration > self._last else 0.0
        return duration(max(0.0, mean * (self.iterations - self._last) - since))


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `3 min 20 s`, `5 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
