"""The two limits of self-play: the network alone, and all else alone."""

import threading
import time

import numpy as np
import numpy.typing as npt

from blob_zero.bench.settings import PlaySettings
from blob_zero.bench.timed_run import ENDLESS, ServedEvaluator
from blob_zero.inference.evaluator import Outputs


class _Captures(Exception):  # noqa: N818 - it carries a batch out of a run, and is no error
    """Ends a run at its first full batch."""

    def __init__(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> None:
        self.features = features
        self.legal = legal


def sample_batch(settings: PlaySettings) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A batch as self-play fills it: features uint8[batch_rows, 256] and legal bool[batch_rows, 52]."""

    class Capture:
        def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> Outputs:
            raise _Captures(features.copy(), legal.copy())

    try:
        settings.self_play(rounds=settings.rows).run(Capture())
    except _Captures as captured:
        return captured.features, captured.legal
    raise AssertionError("a run without a batch")


def inference_limit(settings: PlaySettings, evaluator: ServedEvaluator, *, seconds: float = 2.0) -> float:
    """Evaluations a second of the network alone: full batches, on as many threads as in self-play."""
    features, legal = sample_batch(settings)
    counts = [0] * evaluator.workers
    end = time.perf_counter() + seconds

    def serve(k: int) -> None:
        # At least one: on a busy machine the time may be over before a thread begins.
        while counts[k] == 0 or time.perf_counter() < end:
            evaluator.evaluate_batch(features, legal)
            counts[k] += 1

    threads = [threading.Thread(target=serve, args=(k,)) for k in range(evaluator.workers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) * settings.rows / (time.perf_counter() - started)


def search_limit(settings: PlaySettings, *, seconds: float = 2.0) -> float:
    """Evaluations a second that the agent requests when each returns at once: search, scheduler and queue in Rust."""
    plan = settings.self_play(rounds=ENDLESS).plan(evaluator_threads=2, record=False)
    end = time.perf_counter() + seconds
    started = time.perf_counter()
    progress = plan.play_with_null_evaluator(lambda: time.perf_counter() < end)
    return progress.rows / (time.perf_counter() - started)
