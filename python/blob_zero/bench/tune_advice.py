"""The sizes that `auto` takes and the tries around them, in words and in few digits."""

from blob_zero.bench.tables import Measurement
from blob_zero.bench.tune import Size, Tuning
from blob_zero.selfplay.sizes import batches_in_flight


def for_screen(tuning: Tuning) -> list[Measurement]:
    """The tries with few digits, by the columns of `COLUMNS`."""
    rows = []
    for row in tuning.rows:
        percent = {
            short: round(100 * float(row[name] or 0))
            for short, name in (("fill", "batch_fill_mean"), ("waiting", "waiting_share"), ("limit", "limit_share"))
        }
        short: Measurement = {
            "rounds_per_min": round(float(row["rounds_per_min"] or 0)),
            "against_auto": round(float(row["against_auto"] or 0), 2),
            "memory": round(int(row["peak_memory_bytes"] or 0) / 1e6),
        }
        rows.append(row | percent | short)
    return rows


def explain(tuning: Tuning) -> list[str]:
    """Sentences on what `auto` chooses, by which rule, and whether another size was faster."""
    sizes, cpu = tuning.sizes, tuning.device == "cpu"
    if cpu:
        batch_rule = (
            "its rule for a CPU, where each thread computes a batch of its own; where the rounds are too few to fill "
            "such batches, it takes smaller ones"
        )
        serving_rule = "one for each of PyTorch's"
    else:
        batch_rule = "its rule for a GPU, which computes all rows of a batch at once"
        serving_rule = "one copies while the other computes"
    batches = batches_in_flight(sizes.evaluator_threads)
    if sizes.rounds_in_flight == -(-batches * sizes.batch_rows // tuning.leaves):
        flight_rule = (
            f"{tuning.leaves} leaves of each wait at a time, which fills {batches} batches: one for each thread that "
            "serves the network, two at least, and three more"
        )
    else:
        flight_rule = "at least 32 for each thread of the search, though fewer would fill the batches"
    return [
        "Noise: auto was measured twice in each pass; in all passes but the worst, the two differed by up to "
        f"{tuning.noise:.1%}.",
        f"Rows a batch: auto takes {sizes.batch_rows:,}, {batch_rule}. {_verdict(tuning, 'batch_rows')}",
        f"Rounds in flight: auto takes {sizes.rounds_in_flight:,}; {flight_rule}. "
        f"{_verdict(tuning, 'rounds_in_flight')}",
        f"Threads: auto takes {sizes.search_threads} for the search, one for each core, and {sizes.evaluator_threads} "
        f"to serve the network, {serving_rule}. --threads tries others.",
    ]


def _verdict(tuning: Tuning, size: Size) -> str:
    best = tuning.best_other(size)
    gain = float(best["against_auto"] or 0) - 1
    how = f"{abs(gain):.1%} {'faster' if gain > 0 else 'slower'}"
    if gain > tuning.noise:
        return f"With {best[size]:,} it was {how}, more than noise: --set selfplay.{size}={best[size]}"
    within = ", which is within the noise" if abs(gain) <= tuning.noise else ""
    return f"The fastest other, {best[size]:,}, was {how}{within}."
