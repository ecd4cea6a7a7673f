"""`bench tune`: which sizes are fastest on this machine, and why."""

from collections.abc import Callable
from dataclasses import replace

from blob_zero.bench.limits import inference_limit, run_for, search_limit
from blob_zero.bench.machine import peak_memory
from blob_zero.bench.settings import PlaySettings, build_evaluator
from blob_zero.bench.tables import Row

COLUMNS = {
    "batch_rows": "rows a batch",
    "rounds_in_flight": "rounds in flight",
    "evaluations_per_s": "evaluations/s",
    "inference_limit": "inference alone",
    "limit_share": "share",
    "batch_fill_mean": "fill",
    "waiting_share": "waiting for batches",
    "milliseconds_a_batch": "ms a batch",
    "peak_memory_bytes": "peak memory",
}

BATCH_ROWS = {"cpu": (128, 256, 512, 1024, 2048), "cuda": (1024, 2048, 4096, 8192, 16384)}

BATCHES_IN_FLIGHT = (2, 5, 8)
"""Rows of all rounds in flight, in batches: below two, the search waits for the network and the network for it."""


def bench_tune(
    settings: PlaySettings, *, seconds: float = 3.0, notice: Callable[[str], None] = lambda _: None
) -> tuple[list[Row], Row]:
    """Try batch sizes, and with the fastest of them numbers of rounds in flight.

    Args:
        settings: what is played.
        seconds: seconds each try is timed for.
        notice: is told of each try.

    Returns:
        All tries, and the fastest. Among those within 2 % the smallest is taken: it needs less memory and leaves a
        shorter tail.
    """
    first = build_evaluator(replace(settings, batch_rows=BATCH_ROWS["cpu"][0]))
    device = str(getattr(first, "device", "cpu")).partition(":")[0]
    rows = [
        _try(replace(settings, batch_rows=batch_rows), BATCHES_IN_FLIGHT[1], seconds, notice)
        for batch_rows in BATCH_ROWS["cuda" if device == "cuda" else "cpu"]
    ]
    best = replace(settings, batch_rows=int(_fastest(rows)["batch_rows"] or 0))
    rows += [_try(best, batches, seconds, notice) for batches in BATCHES_IN_FLIGHT[::2]]
    return rows, _fastest(rows)


def explain(best: Row) -> list[str]:
    """What the fastest try says, in sentences, and the settings to use."""
    share = float(best["limit_share"] or 0)
    waiting = float(best["waiting_share"] or 0)
    lines = [
        f"The network alone makes {best['inference_limit']:,.0f} evaluations/s here, the search alone asks for "
        f"{best['search_limit']:,.0f}; self-play reaches {share:.0%} of the network's rate.",
        f"The network's threads waited for batches {waiting:.0%} of their time.",
    ]
    if share < 0.8 and waiting > 0.2:
        lines.append("The search is the limit: more cores, or a smaller device, would fit better.")
    elif share < 0.8:
        lines.append("Search and network share the same cores: what one takes, the other lacks.")
    lines += [
        "Settings:",
        "  [selfplay]",
        f"  batch_rows = {best['batch_rows']}",
        f"  rounds_in_flight = {best['rounds_in_flight']}",
    ]
    return lines


def _try(settings: PlaySettings, batches: float, seconds: float, notice: Callable[[str], None]) -> Row:
    leaves = settings.worlds * settings.leaves_in_flight
    in_flight = max(int(batches * settings.batch_rows / leaves), 1)
    here = replace(settings, rounds_in_flight=in_flight)
    notice(f"{here.batch_rows} rows a batch, {in_flight} rounds in flight")
    evaluator = build_evaluator(here)
    alone = [inference_limit(here, evaluator, seconds=seconds / 3)]
    run = run_for(here, evaluator, seconds=seconds)
    alone.append(inference_limit(here, evaluator, seconds=seconds / 3))
    limit, done, serving = sum(alone) / 2, run.progress, run.serving
    rate = done.rows / run.seconds
    return {
        "batch_rows": here.batch_rows,
        "rounds_in_flight": in_flight,
        "evaluations_per_s": rate,
        "inference_limit": limit,
        "search_limit": search_limit(here, seconds=seconds / 3),
        "limit_share": rate / limit,
        "batch_fill_mean": done.rows / max(done.batches, 1) / here.batch_rows,
        "waiting_share": serving.waiting / serving.total,
        "milliseconds_a_batch": 1000 * serving.evaluating / max(done.batches, 1),
        "peak_memory_bytes": peak_memory(),
        "device": str(getattr(evaluator, "device", "none")),
    }


def _fastest(rows: list[Row]) -> Row:
    rate = max(float(row["evaluations_per_s"] or 0) for row in rows)
    near = [row for row in rows if float(row["evaluations_per_s"] or 0) >= 0.98 * rate]
    return min(near, key=lambda row: (int(row["rounds_in_flight"] or 0), int(row["batch_rows"] or 0)))
