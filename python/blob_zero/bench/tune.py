"""`bench tune`: the sizes that `auto` chooses on this machine, and the speed of others around them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from blob_zero.bench.limits import inference_limit, search_limit
from blob_zero.bench.settings import PlaySettings, build_inference
from blob_zero.bench.tables import Measurement
from blob_zero.bench.timed_run import ENDLESS, ServedEvaluator, run_for
from blob_zero.machine.memory import forget_peak_memory, peak_memory
from blob_zero.selfplay.sizes import Sizes

COLUMNS = {
    "batch_rows": "batch",
    "rounds_in_flight": "in flight",
    "choice": "",
    "rounds_per_min": "rounds/min",
    "against_auto": "x auto",
    "fill": "fill, %",
    "waiting": "waiting, %",
    "memory": "peak MB",
    "binding_limit": "limit",
    "limit": "reached, %",
}
"""Columns of the screen. `waiting` is the share of the serving threads' time, `limit` the limit that binds."""

Size = Literal["batch_rows", "rounds_in_flight"]

BATCH_ROWS = (0.25, 0.5, 2, 4)
"""Rows of a batch to try, as factors of `auto`; rounds in flight change by the same factor."""

ROUNDS_IN_FLIGHT = (0.4, 0.6, 1.6)
"""Rounds in flight to try with the batches of `auto`, as factors of `auto`."""

PASSES = 5

WARM_UP_ROUNDS = 200


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The result of a tuning.

    Attributes:
        rows: the tries, from small to large.
        sizes: the sizes of `auto`.
        leaves: leaves of a round that wait at the same time.
        noise: largest relative difference of the two measurements of `auto` in a pass, without the worst pass, which
            other work on the machine may have disturbed.
        device: `cpu`, `cuda:0`, ...
    """

    rows: list[Measurement]
    sizes: Sizes
    leaves: int
    noise: float
    device: str

    def best_other(self, size: Size) -> Measurement:
        """The fastest try in which only this size differs from `auto`."""
        with_its_batch = [row for row in self.rows if row["batch_rows"] == self.sizes.batch_rows]
        tries = self.rows if size == "batch_rows" else with_its_batch
        others = [row for row in tries if row[size] != getattr(self.sizes, size)]
        return max(others, key=lambda row: float(row["against_auto"] or 0))


@dataclass(frozen=True)
class _Pass:
    """One measurement of one try: rows a second through the evaluator, shares in 0 to 1."""

    rate: float
    fill: float
    waiting: float
    network: float
    search: float
    memory: int


def bench_tune(
    settings: PlaySettings, *, seconds: float = 1.5, notice: Callable[[str], None] = lambda _: None
) -> Tuning:
    """Measures the sizes of `auto` and others around them, alternately.

    Each pass measures `auto` first and last: the two differ by noise alone.

    Args:
        settings: what is played; their sizes are ignored.
        seconds: seconds that each try is timed for in each of five passes.
        notice: called with a line before each step.
    """
    settings = replace(settings, rounds=ENDLESS, batch_rows=None, rounds_in_flight=None)
    notice("making the network ready")
    inference = build_inference(settings)
    sizes = settings.self_play().sizes(inference.workers)
    settings = replace(settings, batch_rows=sizes.batch_rows, rounds_in_flight=sizes.rounds_in_flight)
    tries = [settings, *_around(sizes, settings)]
    for count in sorted({each.rows for each in tries}):
        notice(f"making the network ready for {count:,} rows a batch")
        inference.prepare(count)
    warm_up = settings.self_play(rounds=WARM_UP_ROUNDS).run(inference).stats
    measured: list[list[_Pass]] = []
    for turn in range(PASSES):
        passes = []
        for each in (*tries, settings):
            notice(f"pass {turn + 1} of {PASSES}: {each.rows:,} rows a batch, {each.rounds_in_flight:,} in flight")
            passes.append(_measure(each, inference, seconds))
        measured.append(passes)
    rates = np.array([[each.rate for each in passes] for passes in measured])  # [pass, try]
    against_auto = np.median(rates / rates[:, [0, -1]].mean(axis=1, keepdims=True), axis=0)
    against_auto[0] = 1.0
    rows = [
        _row(
            each,
            [passes[j] for passes in measured for j in ((k,) if k else (0, -1))],
            60 * warm_up.rounds / warm_up.rows,
        )
        | {"choice": "" if k else "auto", "against_auto": float(against_auto[k])}
        for k, each in enumerate(tries)
    ]
    return Tuning(
        rows=sorted(rows, key=lambda row: (int(row["batch_rows"] or 0), int(row["rounds_in_flight"] or 0))),
        sizes=sizes,
        leaves=settings.search.leaves,
        noise=float(np.sort(np.abs(rates[:, -1] / rates[:, 0] - 1))[-2]),
        device=str(inference.device),
    )


def _around(sizes: Sizes, settings: PlaySettings) -> list[PlaySettings]:
    def changed(batch: float, in_flight: float) -> PlaySettings:
        return replace(
            settings,
            batch_rows=max(round(batch * sizes.batch_rows), 1),
            rounds_in_flight=max(round(in_flight * sizes.rounds_in_flight), 1),
        )

    return [changed(factor, factor) for factor in BATCH_ROWS] + [changed(1, factor) for factor in ROUNDS_IN_FLIGHT]


def _measure(settings: PlaySettings, evaluator: ServedEvaluator, seconds: float) -> _Pass:
    forget_peak_memory()
    run = run_for(settings, evaluator, seconds=seconds)
    memory = peak_memory()
    done, serving = run.progress, run.serving
    return _Pass(
        rate=done.rows / run.seconds,
        fill=done.rows / max(done.batches, 1) / settings.rows,
        waiting=serving.waiting / serving.total,
        network=inference_limit(settings, evaluator, seconds=max(seconds / 4, 0.1)),
        search=search_limit(settings, seconds=max(seconds / 4, 0.1)),
        memory=memory,
    )


def _row(settings: PlaySettings, passes: list[_Pass], rounds_per_min: float) -> Measurement:
    """The medians of a try's passes; `rounds_per_min` is per row a second."""

    def median(name: str) -> float:
        return float(np.median([getattr(each, name) for each in passes]))

    rate, network, search = median("rate"), median("network"), median("search")
    return {
        "batch_rows": settings.rows,
        "rounds_in_flight": settings.rounds_in_flight,
        "rounds_per_min": rate * rounds_per_min,
        "evaluations_per_s": rate,
        "batch_fill_mean": median("fill"),
        "waiting_share": median("waiting"),
        "peak_memory_bytes": int(median("memory")),
        "inference_limit": network,
        "search_limit": search,
        "binding_limit": "inference" if network < search else "search",
        "limit_share": rate / min(network, search),
    }
