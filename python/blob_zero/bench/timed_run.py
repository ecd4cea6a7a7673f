"""Self-play for a given time, begun in the middle: with rounds at every stage, as a long run has them."""

import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero import _core
from blob_zero.bench.settings import PlaySettings
from blob_zero.config.search_options import SearchOptions
from blob_zero.inference.evaluator import Outputs
from blob_zero.selfplay.serving import Serving, drive

ENDLESS = 2**40
"""More rounds than any benchmark finishes."""


class ServedEvaluator(Protocol):
    """A batch evaluator that `workers` threads call at once."""

    workers: int

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_], /) -> Outputs:
        """See `BatchEvaluator`."""


@dataclass(frozen=True)
class TimedRun:
    """A run that was stopped when its time was up."""

    progress: _core.Progress
    serving: Serving
    seconds: float


def run_for(settings: PlaySettings, evaluator: ServedEvaluator, *, seconds: float) -> TimedRun:
    """Plays rounds until the time is up. Rounds in progress are dropped, and nothing is recorded."""
    rounds, carried = begun_rounds(settings, evaluator.workers)
    plan = rounds.plan(evaluator_threads=evaluator.workers, record=False)
    session = plan.start(None if carried is None else carried.arrays())
    started = time.perf_counter()

    def stop_in_time(_: _core.Progress) -> None:
        if time.perf_counter() > started + seconds:
            session.close()

    serving = drive(session, [evaluator], stop_in_time)
    return TimedRun(session.progress(), serving, time.perf_counter() - started)


def begun_rounds(
    settings: PlaySettings, workers: int, *, rounds: int = ENDLESS
) -> tuple[bz.SelfPlay, bz.CarryOver | None]:
    """Self-play that begins and ends with rounds at every stage, and the rounds that it begins with.

    A thousand rounds that begin together all take their first decisions first, which are not like the others, and at
    the end batches run empty. A training run has neither, except at its very start and end.

    Args:
        settings: what is played.
        workers: threads that serve the evaluator.
        rounds: rounds to begin; as many are finished.
    """
    in_flight = min(settings.self_play().sizes(workers).rounds_in_flight, rounds)
    if in_flight < 2:
        return settings.self_play(rounds=rounds), None
    quick = replace(settings, search=SearchOptions(worlds=1, simulations=1), rounds_in_flight=None)
    carried = quick.self_play(rounds=in_flight, carry_over=in_flight).run(quick.even_evaluator()).carry_over
    return settings.self_play(rounds=rounds, first_round=in_flight, carry_over=in_flight), carried
