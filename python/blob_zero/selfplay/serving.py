"""The loop that feeds the batches of a session to its evaluators, and its clock."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator, serving_threads

OnProgress = Callable[[_core.Progress], None]

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
        handing_over: taking views of a batch and giving its outputs back to the core.
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
    servers = [_Server(session, evaluators) for _ in range(workers)]
    try:
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
    finally:
        session.close()
    return Serving(
        batch_sizes=np.concatenate([np.array(server.batch_sizes, dtype=np.uint32) for server in servers]),
        threads=workers,
        total=sum(server.total for server in servers),
        waiting=sum(server.waiting for server in servers),
        evaluating=sum(server.evaluating for server in servers),
        handing_over=sum(server.handing_over for server in servers),
    )


class _Server:
    """One thread's loop over batches, and its clock."""

    def __init__(self, session: _core.Session, evaluators: Sequence[Evaluator | BatchEvaluator]) -> None:
        self.session = session
        self.evaluators = evaluators
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
                evaluator = self.evaluators[batch.model]
                if isinstance(evaluator, BatchEvaluator):
                    features, legal = batch.features, batch.legal
                    given = clock()
                    outputs = evaluator.evaluate_batch(features, legal)
                else:
                    decoded = batch.decode()
                    given = clock()
                    outputs = evaluator(*decoded)
                answered = clock()
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
