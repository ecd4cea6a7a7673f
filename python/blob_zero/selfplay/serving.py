"""The loop that feeds the batches of a session to its evaluators, and its clock."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator, InPlaceEvaluator, serving_threads


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far the shards of a range are, in the words of `Progress`."""

    rounds_done: int
    rounds: int
    batches: int
    rows: int


OnProgress = Callable[[_core.Progress], None]
OnCounts = Callable[[_core.Progress | Counts], None]

PROGRESS_INTERVAL = 0.25
"""Seconds between two calls of a progress callback."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How the time of the threads that serve an evaluator was spent, in seconds summed over these threads.

    Attributes:
        batch_sizes: uint32[batches], the filled rows of each batch.
        threads: threads that served.
        total: from the start of each thread to its end.
        waiting: waiting for a batch that was not ready.
        evaluating: in the evaluator.
        handing_over: taking views or copies of a batch and giving its outputs back to the core.
    """

    batch_sizes: NDArray[np.uint32]
    threads: int
    total: float
    waiting: float
    evaluating: float
    handing_over: float

    @property
    def python(self) -> float:
        """Seconds in the loop's own Python code: the total without waiting, evaluating and handing over."""
        return max(self.total - self.waiting - self.evaluating - self.handing_over, 0.0)


def drive(
    session: _core.Session, evaluators: Sequence[Evaluator | BatchEvaluator], on_progress: OnProgress | None
) -> Serving:
    """Evaluates the batches of a session until every round is finished, and closes it however that ends.

    Args:
        session: the rounds in progress.
        evaluators: the evaluator of each model.
        on_progress: called about four times a second on this thread, and once at the end.

    Returns:
        How the time was spent.

    Raises:
        EvaluatorError: if an evaluator returns the wrong shape, no numbers, or nothing on a legal action.
        BaseException: whatever an evaluator or `on_progress` raises.
    """
    workers = serving_threads(evaluators)
    with ExitStack() as stack:
        stack.callback(session.close)
        judges = [_Judge.of(evaluator, stack) for evaluator in evaluators]
        servers = [_Server(session, judges) for _ in range(workers)]
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="evaluator") as pool:
            try:
                others = [pool.submit(server.serve, None) for server in servers[1:]]
                servers[0].serve(on_progress)
            finally:
                # Ends the waits of the other threads.
                session.close()
            for other in others:
                other.result()
        if on_progress is not None:
            on_progress(session.progress())
    return Serving(
        batch_sizes=np.concatenate([np.array(server.batch_sizes, dtype=np.uint32) for server in servers]),
        threads=workers,
        total=sum(server.total for server in servers),
        waiting=sum(server.waiting for server in servers),
        evaluating=sum(server.evaluating for server in servers),
        handing_over=sum(server.handing_over for server in servers),
    )


@dataclass(frozen=True)
class _Judge:
    """An evaluator of any kind.

    Attributes:
        inputs: what it is called with for a batch.
        evaluate: the evaluator.
        in_place: whether it writes its outputs to the batch's own memory and returns nothing.
    """

    inputs: Callable[[_core.Batch], tuple[Any, ...]]
    evaluate: Callable[..., Any]
    in_place: bool = False

    @staticmethod
    def of(evaluator: Evaluator | BatchEvaluator, stack: ExitStack) -> "_Judge":
        """The evaluator at its fastest; what it needs for a session lasts as long as the stack."""
        if isinstance(evaluator, InPlaceEvaluator):
            return _Judge(lambda batch: (batch,), stack.enter_context(evaluator.in_place()), in_place=True)
        if isinstance(evaluator, BatchEvaluator):
            return _Judge(lambda batch: (batch.features, batch.legal), evaluator.evaluate_batch)
        return _Judge(lambda batch: batch.decode(), evaluator)


class _Server:
    """One thread's loop over batches, and its clock."""

    def __init__(self, session: _core.Session, judges: Sequence[_Judge]) -> None:
        self.session = session
        self.judges = judges
        self.batch_sizes: list[int] = []
        self.total = self.waiting = self.evaluating = self.handing_over = 0.0

    def serve(self, on_progress: OnProgress | None) -> None:
        """Evaluates batches until there are no more; if that fails, ends the session for the other threads as well."""
        clock = time.perf_counter
        due = clock() + PROGRESS_INTERVAL

        def report() -> None:
            nonlocal due
            if on_progress is not None and clock() >= due:
                on_progress(self.session.progress())
                due = clock() + PROGRESS_INTERVAL

        started = clock()
        try:
            while True:
                asked = clock()
                batch = self.session.next_batch(report)
                ready = clock()
                self.waiting += ready - asked
                if batch is None:
                    break
                self.batch_sizes.append(batch.rows)
                judge = self.judges[batch.model]
                inputs = judge.inputs(batch)
                given = clock()
                outputs = judge.evaluate(*inputs)
                answered = clock()
                if judge.in_place:
                    batch.complete_in_place()
                else:
                    batch.complete(outputs)
                done = clock()
                self.evaluating += answered - given
                self.handing_over += given - ready + done - answered
                report()
        except BaseException:
            self.session.close()
            raise
        finally:
            self.total = clock() - started
