"""Sizes chosen for the machine: what `auto` and None mean. Sizes affect speed only, up to floating-point rounding.

- Threads of the search: one for each core (`SchedulerConfig` of the core).
- Threads that serve the network: `blob_zero.inference.devices.auto_workers`.
- Rows of a batch: `auto_batch_rows`.
- Rounds in flight: enough for a batch at each of these threads, two at least, and three more batches; and at least 32
  for each thread of the search (`SchedulerConfig` of the core).
- Batch buffers and host memory of the network: made on demand, one for each batch in flight.

`blob-zero bench tune` measures other sizes around these choices; docs/performance.md has the results.
"""

from dataclasses import dataclass

MOST_BATCH_ROWS = {"cpu": 2048, "cuda": 4096}
"""Rows of a batch to a network if enough rounds are in progress to fill them.

On a CPU each thread computes a batch alone. With fewer rows it turns more often from the network to the search, with
which it shares its caches; 2,048 was the fastest with the full network (docs/LOG.md). A GPU computes all rows
of a batch at once, and needs thousands to be busy; that was not measured.
"""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a run of self-play.

    Attributes:
        batch_rows: rows of a batch.
        rounds_in_flight: rounds in progress at the same time, while enough are left.
        search_threads: threads of the search.
        evaluator_threads: threads that serve the evaluator.
    """

    batch_rows: int
    rounds_in_flight: int
    search_threads: int
    evaluator_threads: int

    def __str__(self) -> str:
        """In words."""
        return (
            f"batches of {self.batch_rows:,} rows, {self.rounds_in_flight:,} rounds in flight, "
            f"{_threads(self.search_threads)} of search, {_threads(self.evaluator_threads)} that serve the network"
        )


def batches_in_flight(workers: int) -> int:
    """Batches in flight when `workers` threads serve the network; the core has the same rule."""
    return max(workers, 2) + 3


def auto_batch_rows(device: str, *, workers: int, leaves: int) -> int:
    """Rows of a batch to a network: `MOST_BATCH_ROWS`, or on a CPU fewer if the rounds cannot fill them.

    On a CPU a batch costs the same however few of its rows are filled, so that a short match is played with as many as
    its rounds can fill. On CUDA another number of rows would have to be compiled.

    Args:
        device: `cpu` or `cuda`.
        workers: threads that serve the network.
        leaves: leaves that wait at a time when all rounds are in progress.

    Returns:
        On a CPU a multiple of 64, at least 128: with fewer the network is much slower.
    """
    most = MOST_BATCH_ROWS[device]
    if device != "cpu":
        return most
    return min(max(leaves // batches_in_flight(workers) // 64 * 64, 128), most)


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"
