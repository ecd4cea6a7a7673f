"""`bench search`: the search without a network, alone and through the queue, by number of threads."""

import time
from collections.abc import Callable
from dataclasses import replace

import blob_zero as bz
from blob_zero.bench.settings import NullEvaluator, PlaySettings
from blob_zero.bench.tables import Measurement
from blob_zero.bench.timed_run import ENDLESS, run_for
from blob_zero.machine.facts import cores
from blob_zero.machine.memory import peak_memory

COLUMNS = {
    "path": "what is timed",
    "threads": "threads",
    "simulations_per_s": "simulations/s",
    "evaluations_per_s": "evaluations/s",
    "rounds_per_min": "rounds/min",
    "share": "of threads x one",
    "python_share": "Python's share",
    "hand_over_us": "µs a hand-over",
}

SECONDS = 2.0


def bench_search(settings: PlaySettings, *, notice: Callable[[str], None] = lambda _: None) -> list[Measurement]:
    """Time searches one after another, rounds through the queue in Rust, and the same with Python in the loop.

    The evaluator does nothing in all three.

    Args:
        settings: what to search; `threads` is the most that are tried.
        notice: called with a line before each step.
    """
    rows = [_alone(settings)]
    most = settings.threads or cores()
    counts = sorted({1 << k for k in range(most.bit_length()) if 1 << k <= most} | {most})
    for threads in counts:
        notice(f"{threads} threads")
        here = replace(settings, threads=threads)
        # Alternately, and twice: neighbours come and go.
        pairs = [(_in_rust(here), _in_python(here)) for _ in range(2)]
        rows += [max(side, key=_rate) for side in zip(*pairs, strict=True)]
    for row in rows:
        one = next(other for other in rows if other["path"] == row["path"] and other["threads"] == 1)
        row["share"] = _rate(row) / (_rate(one) * int(row["threads"] or 1))
        row["peak_memory_bytes"] = peak_memory()
    return rows


def _rate(row: Measurement) -> float:
    return float(row["simulations_per_s"] or 0)


def _alone(settings: PlaySettings) -> Measurement:
    """Searches of first bids with equal priors, one after the other."""
    searches = 0
    simulations = evaluations = 0
    position = bz.Round(players=settings.players, cards=settings.cards, trump="S", dealer=0, seed=settings.seed)
    started = time.perf_counter()
    while time.perf_counter() < started + SECONDS:
        found = bz.search(
            position,
            evaluator="uniform",
            worlds=settings.search.worlds,
            simulations=settings.search.simulations,
            seed=searches,
        )
        searches += 1
        simulations += found.simulations
        evaluations += found.evaluations
    seconds = time.perf_counter() - started
    return {
        "path": "searches, no queue",
        "threads": 1,
        "simulations_per_s": simulations / seconds,
        "evaluations_per_s": evaluations / seconds,
    }


def _in_rust(settings: PlaySettings) -> Measurement:
    end = time.perf_counter() + SECONDS
    started = time.perf_counter()
    plan = settings.self_play(rounds=ENDLESS).plan(evaluator_threads=2, record=False)
    done = plan.play_with_null_evaluator(lambda: time.perf_counter() < end)
    seconds = time.perf_counter() - started
    return {
        "path": "rounds, queue in Rust",
        "threads": settings.threads,
        "simulations_per_s": done.simulations / seconds,
        "evaluations_per_s": done.rows / seconds,
        "rounds_per_min": 60 * done.rounds_done / seconds,
    }


def _in_python(settings: PlaySettings) -> Measurement:
    """As `_in_rust`, each batch handed to Python and back."""
    run = run_for(settings, NullEvaluator(settings.rows), seconds=SECONDS)
    return {
        "path": "rounds, Python in the loop",
        "threads": settings.threads,
        "simulations_per_s": run.progress.simulations / run.seconds,
        "evaluations_per_s": run.progress.rows / run.seconds,
        "rounds_per_min": 60 * run.progress.rounds_done / run.seconds,
        "python_share": run.serving.python / run.serving.total,
        "hand_over_us": 1e6 * run.serving.handing_over / max(run.progress.batches, 1),
    }
