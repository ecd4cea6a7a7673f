"""`bench compare`: designs that were tried before, as settings of this system, side by side."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.bench.designs import designs
from blob_zero.bench.settings import PlaySettings, build_evaluator
from blob_zero.bench.tables import Measurement
from blob_zero.bench.timed_run import ServedEvaluator, run_for
from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.inference.evaluator import Outputs
from blob_zero.machine.facts import cores
from blob_zero.machine.memory import peak_memory

if TYPE_CHECKING:
    from blob_zero.selfplay.records import Records

LEVELS = {"light": "2x20", "medium": "3x30", "heavy": "5x50"}

COLUMNS = {
    "level": "search",
    "threads": "threads",
    "design": "design",
    "rounds_per_min": "rounds/min",
    "speedup": "x sequential",
    "evaluations_per_s": "evals/s",
    "evaluations_per_simulation": "evals a simulation",
    "batch_fill_mean": "fill",
    "batch_size_mean": "rows a batch",
    "policy_tv_mean": "TV mean",
    "policy_tv_p95": "TV p95",
    "exact_tv_max": "TV, exact numbers",
    "points_difference": "points a round",
    "points_low": "from",
    "points_high": "to",
}


class ExactEvaluator:
    """A judge that computes in integers, so that its answer to a row does not depend on the rows around it.

    A network's answer does, in the last bits: matrix products of other sizes round differently. With this judge any
    difference between two designs comes from the search.
    """

    workers = 1

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self._policy = rng.integers(-99, 99, (256, 52))
        self._values = rng.integers(-99, 99, (256, 8))

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> Outputs:
        """A fixed function of the features."""
        del legal
        rows = features.astype(np.int64)
        policy = 1 + np.abs(rows @ self._policy) % 1024
        values = (np.abs(rows @ self._values) % 2049) / 1024 - 1
        return policy.astype(np.float32), values.astype(np.float32)


def bench_compare(
    settings: PlaySettings,
    *,
    levels: Sequence[str] = tuple(LEVELS),
    threads: Sequence[int] | None = None,
    seconds: float = 4.0,
    policy_rounds: int = 8,
    deals: int = 200,
    notice: Callable[[str], None] = lambda _: None,
) -> list[Measurement]:
    """Measures every design at every level and number of threads.

    Args:
        settings: what the designs change.
        levels: names of `LEVELS`.
        threads: numbers of threads; 1 and one for each core if None.
        seconds: seconds each design is timed for.
        policy_rounds: rounds in which policies are compared with the sequential design's.
        deals: deals, each from every seat, in which a design with virtual loss meets the sequential one.
        notice: called with a line before each step.
    """
    rows: list[Measurement] = []
    for level in levels:
        search = parse_search(LEVELS.get(level, level))
        for count in threads or sorted({1, cores()}):
            rows += _level(replace(settings, search=search, threads=count), seconds, policy_rounds, deals, notice)
    return rows


def _level(
    settings: PlaySettings, seconds: float, policy_rounds: int, deals: int, notice: Callable[[str], None]
) -> list[Measurement]:
    rows: list[Measurement] = []
    exact = ExactEvaluator()
    decisions = _decisions_a_round(settings)
    first: tuple[Records, Records] | None = None
    sequential_rate = 0.0
    for design in designs(settings.search.worlds, settings.where.type):
        here = design.of(settings)
        notice(f"{settings.search}, {here.threads} threads: {design.name}")
        evaluator = build_evaluator(here)
        run = run_for(here, evaluator, seconds=seconds)
        done = run.progress
        played = here.self_play(rounds=policy_rounds).run(evaluator)
        # Few rounds end in such a short time, so their rate follows from the rows: rows of a decision are counted in
        # whole rounds, and decisions of a round in many rounds.
        rows_a_decision = played.stats.rows / len(played.round)
        rate = 60 * done.rows / run.seconds / (decisions * rows_a_decision)
        sequential_rate = sequential_rate or rate
        exactly = here.self_play(rounds=policy_rounds).run(exact)
        first = first or (played, exactly)
        distances = policy_distances(played, first[0])
        row: Measurement = {
            "level": str(settings.search),
            "threads": here.threads,
            "design": design.name,
            "rounds_per_min": rate,
            "speedup": rate / sequential_rate,
            "evaluations_per_s": done.rows / run.seconds,
            "evaluations_per_simulation": played.stats.evaluations / played.stats.simulations,
            "batch_fill_mean": done.rows / max(done.batches, 1) / here.rows,
            "batch_size_mean": done.rows / max(done.batches, 1),
            "policy_tv_mean": float(distances.mean()),
            "policy_tv_p95": float(np.quantile(distances, 0.95)),
            "policies_compared": len(distances),
            "exact_tv_max": float(policy_distances(exactly, first[1]).max()),
            "device": str(getattr(evaluator, "device", "none")),
            "peak_memory_bytes": peak_memory(),
        }
        if here.search.leaves_in_flight > 1:
            row |= _points(here, settings, build_evaluator(replace(settings, batch_rows=256)), deals)
        rows.append(row)
    return rows


def policy_distances(played: "Records", reference: "Records") -> npt.NDArray[np.float64]:
    """Total variation distance, 0 to 1, between the policies of each decision that both runs met.

    Decisions are the same if their round and encoded state are. After a different action a round goes on differently
    and is no longer compared.
    """
    known = {
        (number, features.tobytes()): policy
        for number, features, policy in zip(reference.round, reference.features, reference.policy, strict=True)
    }
    distances = [
        0.5 * np.abs(policy.astype(np.float64) - known[number, features.tobytes()]).sum()
        for number, features, policy in zip(played.round, played.features, played.policy, strict=True)
        if policy.any()  # not a row of who looks on
        and (number, features.tobytes()) in known
    ]
    return np.array(distances)


def _decisions_a_round(settings: PlaySettings) -> float:
    """Searched decisions a round, counted in other rounds of the same size with the uniform judge."""
    quick = replace(
        settings, search=SearchOptions(worlds=1, simulations=8), rounds=500, batch_rows=256, rounds_in_flight=None
    )
    records = quick.self_play().run("uniform")
    return len(records.round) / 500


def _points(design: PlaySettings, settings: PlaySettings, evaluator: ServedEvaluator, deals: int) -> Measurement:
    """Points a round of a design against the same search with one leaf in flight, on paired deals."""
    from blob_zero.arena.statistics import summarize

    def agent(leaves: int) -> bz.Agent:
        return bz.Agent.network(evaluator, search=settings.search, leaves_in_flight=leaves)

    match = bz.play_match(
        agent(design.search.leaves_in_flight),
        agent(1),
        players=settings.players,
        cards=settings.cards,
        deals=deals,
        seed=settings.seed,
        threads=settings.threads,
        batch_rows=256,
    )
    summary = summarize(match)
    return {
        "points_difference": summary.difference,
        "points_low": summary.low,
        "points_high": summary.high,
    }
