"""Tasks on workers that may die, hang or come too late: each result counts once, and none is lost.

Tasks are pure functions, so that it does not matter which worker answers, how often one is tried, or which of two
answers counts. The pool knows nothing of Ray: it drives whatever looks like futures.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from statistics import median
from threading import Lock
from typing import Generic, Protocol, TypeVar

from blob_zero.errors import ClusterError

T = TypeVar("T")
R = TypeVar("R")
Task = TypeVar("Task", contravariant=True)
Result = TypeVar("Result", covariant=True)
Handle = TypeVar("Handle", bound=Hashable)

AT_ONCE = 2
"""Tasks that a worker holds: one at work, and one so that it need not wait for the next."""

STALLED = 4.0
"""A worker that is this many times slower than the median task is taken to be stalled."""

SHORTEST_STALL = 1.0
"""Seconds below which no worker is stalled; the times of short tasks vary."""

MOST_LOSSES = 3
"""Workers that a task may cost before it is blamed for it."""

_POLL_SECONDS = 0.1


class WorkerLostError(Exception):
    """The worker of a task is gone, and the task's result with it."""


class Futures(Protocol[Task, Result, Handle]):
    """Workers, numbered from 0, and what they are doing."""

    @property
    def workers(self) -> int:
        """Number of workers."""

    def submit(self, worker: int, task: Task) -> Handle:
        """Hands a task to a worker, which does its tasks in the order in which it gets them."""

    def wait(self, handles: Sequence[Handle], *, seconds: float) -> Sequence[Handle]:
        """The tasks among these that ended, well or not; waits up to `seconds` for one."""

    def result(self, handle: Handle) -> Result:
        """The result of a task that ended.

        Raises:
            WorkerLostError: its worker is gone.
            BaseException: whatever the task raised.
        """


@dataclass
class _Worker(Generic[Handle]):
    """A worker that is there: the tasks it holds, and when it began the first of them."""

    number: int
    since: float = 0.0
    holds: list[Handle] = field(default_factory=list)


@dataclass
class _Sent(Generic[Handle]):
    """A task at a worker. A task of an earlier call, which that call no longer needed, is None."""

    worker: _Worker[Handle]
    task: int | None


class Pool(Generic[T, R, Handle]):
    """Hands tasks out and collects their results.

    Args:
        futures: the workers.
        notice: takes a line on each worker that is lost or stalled.
        clock: seconds.
    """

    def __init__(
        self,
        futures: Futures[T, R, Handle],
        *,
        notice: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._futures = futures
        self._notice = notice
        self._clock = clock
        self._workers: list[_Worker[Handle]] = [_Worker(number) for number in range(futures.workers)]
        self._sent: dict[Handle, _Sent[Handle]] = {}
        self._one_call = Lock()
        self._closed = False

    @property
    def workers(self) -> int:
        """Workers that are there."""
        return len(self._workers)

    def run(self, tasks: Sequence[T], *, on_result: Callable[[R], None] = lambda _: None) -> list[R]:
        """The result of each task, in their order. A call on another thread waits until this one ends.

        Args:
            tasks: pure functions of what they hold.
            on_result: called with each result as it comes in, once a task.

        Raises:
            ClusterError: no worker is left, one task cost several workers, or the pool is closed.
            BaseException: whatever a task raised.
        """
        with self._one_call:
            return self._run(tasks, on_result)

    def close(self) -> None:
        """Ends a call on another thread, and all later ones, with an error."""
        self._closed = True

    def _run(self, tasks: Sequence[T], on_result: Callable[[R], None]) -> list[R]:
        for sent in self._sent.values():
            sent.task = None
        results: dict[int, R] = {}
        waiting = deque(range(len(tasks)))
        losses: Counter[int] = Counter()
        seconds: list[float] = []
        self._check_hope(losses)
        while len(results) < len(tasks):
            if self._closed:
                raise ClusterError("the workers are being ended")
            self._hand_out(tasks, waiting)
            self._help_stalled(tasks, results, seconds)
            for handle in self._futures.wait(list(self._sent), seconds=_POLL_SECONDS):
                if handle not in self._sent:  # its worker was lost by an earlier handle of this turn
                    continue
                sent = self._sent[handle]
                try:
                    result = self._futures.result(handle)
                except WorkerLostError as error:
                    for task in self._lose(sent.worker, error):
                        losses[task] += 1
                        if task not in results and task not in self._tasks_sent():
                            waiting.appendleft(task)
                    self._check_hope(losses)
                    continue
                except Exception:
                    self._returned(handle)
                    if sent.task is None or sent.task in results:
                        continue
                    raise
                took = self._returned(handle)
                if sent.task is not None and sent.task not in results:
                    seconds.append(took)
                    results[sent.task] = result
                    on_result(result)
        return [results[task] for task in range(len(tasks))]

    def _hand_out(self, tasks: Sequence[T], waiting: deque[int]) -> None:
        """Fills workers up in turns, so that few tasks are spread over all of them."""
        for held in range(AT_ONCE):
            for worker in self._workers:
                if waiting and len(worker.holds) == held:
                    self._send(worker, waiting[0], tasks)
                    waiting.popleft()

    def _help_stalled(self, tasks: Sequence[T], results: dict[int, R], seconds: list[float]) -> None:
        """Gives the tasks of stalled workers to idle ones as well."""
        idle = deque(worker for worker in self._workers if not worker.holds)
        if not idle or not seconds:
            return
        patience = max(STALLED * median(seconds), SHORTEST_STALL)
        now = self._clock()
        # A helper can stall as well: a task has help as long as one of its workers is not stalled.
        helped = {sent.task for sent in self._sent.values() if now - sent.worker.since < patience}
        for sent in list(self._sent.values()):
            if not idle:
                return
            task = sent.task
            if task is None or task in results or task in helped:
                continue
            self._notice(f"worker {sent.worker.number} is silent for {now - sent.worker.since:.0f} s: another helps")
            helped.add(task)
            self._send(idle.popleft(), task, tasks)

    def _send(self, worker: _Worker[Handle], task: int, tasks: Sequence[T]) -> None:
        if not worker.holds:
            worker.since = self._clock()
        handle = self._futures.submit(worker.number, tasks[task])
        worker.holds.append(handle)
        self._sent[handle] = _Sent(worker, task)

    def _returned(self, handle: Handle) -> float:
        """Forgets a task that ended; returns the seconds that it took."""
        worker = self._sent.pop(handle).worker
        worker.holds.remove(handle)
        now = self._clock()
        took, worker.since = now - worker.since, now
        return took

    def _lose(self, worker: _Worker[Handle], error: WorkerLostError) -> list[int]:
        """Forgets a worker; returns the tasks that it held."""
        self._workers.remove(worker)
        held = [self._sent.pop(handle).task for handle in worker.holds]
        self._notice(f"worker {worker.number} is lost ({error}); {len(self._workers)} go on")
        return [task for task in held if task is not None]

    def _tasks_sent(self) -> list[int]:
        return [sent.task for sent in self._sent.values() if sent.task is not None]

    def _check_hope(self, losses: Counter[int]) -> None:
        if not self._workers:
            raise ClusterError("no worker is left; what is committed is whole, and the same command goes on")
        if losses and max(losses.values()) >= MOST_LOSSES:
            raise ClusterError(
                f"{MOST_LOSSES} workers were lost at the same task: their memory may be too small for it, "
                "which lower selfplay.batch_rows or selfplay.rounds_in_flight help"
            )
