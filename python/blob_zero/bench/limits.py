"""The two limits of self-play: what the network alone makes, and what the search alone makes."""

import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from blob_zero import _core
from blob_zero.bench.settings import PlaySettings
from blob_zero.selfplay.serving import Serving, drive


class _Captures(Exception):  # noqa: N818 - it carries a batch out of a run, and is no error
    """Ends a run at its first full batch."""

    def __init__(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> None:
        self.features = features
        self.legal = legal


class Workers(Protocol):
    """A batch evaluator that says how many threads call it."""

    workers: int

    def evaluate_batch(
        self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_], /
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """See `BatchEvaluator`."""


def sample_batch(settings: PlaySettings) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A batch as self-play makes them: features uint8[batch_rows, 256] and legal bool[batch_rows, 52]."""

    class Capture:
        def evaluate_batch(
            self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]
        ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
            raise _Captures(features.copy(), legal.copy())

    try:
        settings.self_play(rounds=settings.rows).run(Capture())
    except _Captures as captured:
        return captured.features, captured.legal
    raise AssertionError("a run without a batch")


def inference_limit(settings: PlaySettings, evaluator: Workers, *, seconds: float = 2.0) -> float:
    """Evaluations a second that the network makes alone: full batches, as many threads as self-play gives it."""
    features, legal = sample_batch(settings)
    counts = [0] * evaluator.workers
    end = time.perf_counter() + seconds

    def serve(k: int) -> None:
        while time.perf_counter() < end:
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
    """Evaluations a second that the search asks for when every answer is there at once: scheduler and queue in Rust."""
    plan = plan_of(settings, rounds=2**40)
    end = time.perf_counter() + seconds
    started = time.perf_counter()
    progress = plan.play_with_null_evaluator(lambda: time.perf_counter() < end)
    return progress.rows / (time.perf_counter() - started)


@dataclass(frozen=True)
class TimedRun:
    """A run that was stopped when its time was up."""

    progress: _core.Progress
    serving: Serving
    seconds: float


def run_for(settings: PlaySettings, evaluator: Workers, *, seconds: float) -> TimedRun:
    """Play rounds without an end for so long; what was in progress is dropped, and nothing is recorded.

    It begins as a long run goes on, with rounds at every stage: a thousand rounds that begin at once take seconds until
    all of their first decisions are taken, which are not like the others.
    """
    plan = plan_of(settings, rounds=2**40, evaluator_threads=evaluator.workers)
    under_way = plan.rounds_in_flight
    if under_way < 2:
        session = plan.start()
    else:
        quick = replace(settings, worlds=1, simulations=1, leaves_in_flight=1)
        carried = quick.self_play(rounds=under_way, carry_over=under_way).run("uniform").carry_over
        later = plan_of(settings, rounds=2**40, first_round=under_way, evaluator_threads=evaluator.workers)
        session = later.start(carried.arrays())
    started = time.perf_counter()

    def stop_in_time(_: _core.Progress) -> None:
        if time.perf_counter() > started + seconds:
            session.close()

    serving = drive(session, [evaluator], stop_in_time)
    return TimedRun(session.progress(), serving, time.perf_counter() - started)


def plan_of(settings: PlaySettings, *, rounds: int, first_round: int = 0, evaluator_threads: int = 2) -> _core.Plan:
    """The plan of the settings' self-play, whatever evaluator they name, for so many threads that serve it."""
    agent = _core.AgentSpec.search(
        evaluator=0,
        worlds=settings.worlds,
        simulations=settings.simulations,
        c_puct=1.5,
        fpu_reduction=0.25,
        worlds_in_flight=settings.worlds_in_flight,
        leaves_in_flight=settings.leaves_in_flight,
        virtual_loss=1,
        noise_fraction=0.25,
        noise_alpha=1.0,
        temperature=1.0,
        final_temperature=0.5,
        temperature_decisions=8,
    )
    return _core.Plan(
        players=settings.players,
        cards=settings.cards,
        agents=[agent],
        rounds=rounds,
        first_round=first_round,
        seed=settings.seed,
        threads=settings.threads,
        batch_rows=settings.rows,
        rounds_in_flight=settings.rounds_in_flight,
        evaluator_threads=evaluator_threads,
        cache_entries=settings.cache_entries,
        record=False,
    )
