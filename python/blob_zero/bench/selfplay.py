"""`bench selfplay`: how fast rounds are played, and which limit binds."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from blob_zero import _core
from blob_zero.bench.limits import inference_limit, search_limit
from blob_zero.bench.settings import NullEvaluator, PlaySettings, build_evaluator, check_at_least_1
from blob_zero.bench.tables import Measurement
from blob_zero.bench.timed_run import ServedEvaluator, begun_rounds
from blob_zero.machine.facts import cores
from blob_zero.machine.gpu import gpu_meter
from blob_zero.machine.memory import peak_memory
from blob_zero.selfplay.serving import OnProgress

Limit = Literal["inference", "search", "rounds"]

COLUMNS = {
    "rounds_per_min": "rounds/min",
    "evaluations_per_s": "evaluations/s",
    "simulations_per_s": "simulations/s",
    "evaluations_per_simulation": "evaluations a simulation",
    "batch_fill_mean": "batch fill, mean",
    "batch_fill_p50": "batch fill, median",
    "batch_fill_p01": "batch fill, 1st percentile",
    "hand_over_us": "hand-over, µs a batch",
    "between_batches_us": "between two batches of a thread, µs",
    "python_share": "Python's share of the serving threads' time",
    "inference_limit": "inference alone, evaluations/s",
    "search_limit": "search alone, evaluations/s",
    "rounds_limit": "rounds without network and search, evaluations/s",
    "binding_limit": "the limit that binds",
    "limit_share": "share of it reached",
    "gpu_use": "GPU use",
    "peak_memory_bytes": "peak memory, bytes",
    "seconds": "seconds",
    "rounds": "rounds",
    "device": "device",
    "evaluator_threads": "threads that serve the network",
}


class _Watch:
    """Passes progress on, and measures how busy the GPU is meanwhile."""

    def __init__(self, outer: OnProgress | None, gpu_use: Callable[[], float] | None) -> None:
        self.uses: list[float] = []
        self._outer = outer
        self._gpu_use = gpu_use

    def __call__(self, progress: _core.Progress) -> None:
        if self._gpu_use is not None:
            self.uses.append(self._gpu_use())
        if self._outer is not None:
            self._outer(progress)


def bench_selfplay(
    settings: PlaySettings, *, notice: Callable[[str], None] = lambda _: None, progress: OnProgress | None = None
) -> Measurement:
    """Plays rounds and measures them, after warm-up and compilation, with both limits in the same run.

    Rounds begin and end at every stage, as in an iteration of a training run: the first ones are under way already,
    and the last ones are carried over.

    Args:
        settings: what to play.
        notice: called with a line before each step.
        progress: called about four times a second.

    Raises:
        BlobError: a setting cannot be used.
    """
    check_at_least_1(rounds=settings.rounds, threads=settings.threads, batch_rows=settings.batch_rows)
    settings.self_play()  # refuses wrong settings before anything is compiled
    evaluator = build_evaluator(settings, notice)
    return measure_selfplay(settings, evaluator, notice=notice, progress=progress)


def measure_selfplay(
    settings: PlaySettings,
    evaluator: ServedEvaluator,
    *,
    limit_seconds: float = 2.0,
    notice: Callable[[str], None] = lambda _: None,
    progress: OnProgress | None = None,
) -> Measurement:
    """Measures self-play as `bench_selfplay` does, with an evaluator that is ready."""
    device = str(getattr(evaluator, "device", "none"))
    rest: Limit = "search" if settings.agent == "search" else "rounds"
    notice(f"the limits: inference alone, {rest} alone")
    # Before and after, since the machine may not be the same in both moments.
    inference = [inference_limit(settings, evaluator, seconds=limit_seconds / 2)]
    others = [search_limit(settings, seconds=limit_seconds / 2)]
    notice(f"self-play, {settings.rounds:,} rounds")
    watch = _Watch(progress, gpu_meter(device))
    rounds, carried = begun_rounds(settings, evaluator.workers, rounds=settings.rounds)
    records = rounds.run(evaluator, carried=carried, progress=watch)
    inference.append(inference_limit(settings, evaluator, seconds=limit_seconds / 2))
    others.append(search_limit(settings, seconds=limit_seconds / 2))

    stats = records.stats
    serving = stats.serving
    fills = np.sort(serving.batch_sizes) / settings.rows
    rate = stats.rows / stats.seconds
    limits: dict[Limit, float] = {"inference": sum(inference) / 2, rest: sum(others) / 2}
    if isinstance(evaluator, NullEvaluator):
        del limits["inference"]
    binding = min(limits, key=lambda name: limits[name])
    return {
        "rounds_per_min": stats.rounds_per_minute,
        "evaluations_per_s": rate,
        "simulations_per_s": stats.simulations / stats.seconds if stats.simulations else None,
        "evaluations_per_simulation": stats.evaluations / stats.simulations if stats.simulations else None,
        "batch_fill_mean": float(fills.mean()),
        "batch_fill_p50": float(fills[len(fills) // 2]),
        "batch_fill_p01": float(fills[len(fills) // 100]),
        "hand_over_us": 1e6 * serving.handing_over / stats.batches,
        "between_batches_us": 1e6 * (serving.total - serving.evaluating) / stats.batches,
        "python_share": serving.python / serving.total,
        "inference_limit": limits.get("inference"),
        "search_limit": limits.get("search"),
        "rounds_limit": limits.get("rounds"),
        "binding_limit": binding,
        "limit_share": rate / limits[binding],
        "gpu_use": sum(watch.uses) / len(watch.uses) if watch.uses else None,
        "peak_memory_bytes": peak_memory(),
        "seconds": stats.seconds,
        "rounds": stats.rounds,
        "batches": stats.batches,
        "device": device,
        "evaluator_threads": serving.threads,
        "search_threads": settings.threads or cores(),
    }
