"""Crash trials for minutes: `make soak`, or `python tests/soak.py --minutes N --seed S`. Prints what happened.

With `--cluster` (`make soak CLUSTER=1`) the same time again goes to runs on a Ray cluster whose machines are killed and
stopped again and again.
"""

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table
from support.crash_trials import CONFIGS, KINDS, Trials
from support.write_trials import every_moment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--cluster", action="store_true", help="also runs on a Ray cluster that loses machines")
    options = parser.parse_args()
    console = Console()
    console.print(f"seed {options.seed}, {options.minutes:g} minutes")
    end = time.monotonic() + 60 * options.minutes
    table = Table(box=None, show_header=False)
    with tempfile.TemporaryDirectory(prefix="blob-zero-soak-") as name:
        folder = Path(name)
        # Half of the time at most goes to the writes one by one.
        tried, moments = every_moment(folder / "writes", end=time.monotonic() + 30 * options.minutes)
        table.add_row("writes tried: death there, or the disk fails", f"{tried:,} of {moments:,}")
        console.print(table)
        trials = {
            name: Trials(folder / name.replace(" ", "-"), config, seed=options.seed) for name, config in CONFIGS.items()
        }
        while time.monotonic() < end:
            for each in trials.values():
                each.one_run()
    tallies = [each.tally for each in trials.values()]
    table = Table(box=None, pad_edge=False)
    for heading in ("self-play", *trials):
        table.add_column(heading, justify="left" if heading == "self-play" else "right")
    table.add_row("runs brought to their end, all the same", *(f"{tally.runs:,}" for tally in tallies))
    table.add_row("iterations committed, none lost", *(f"{tally.commits:,}" for tally in tallies))
    for kind in KINDS:
        table.add_row(f"hit by: {kind}", *(f"{tally.faults[kind]:,}" for tally in tallies))
    table.add_row("slowest end after Ctrl-C or SIGTERM", *(f"{tally.slowest_stop:.2f} s" for tally in tallies))
    console.print(table)
    if options.cluster:
        console.print(cluster_soak(seconds=60 * options.minutes, seed=options.seed))


def cluster_soak(*, seconds: float, seed: int) -> Table:
    """Runs on a cluster that loses machines; returns what happened."""
    from support.cluster_trials import ClusterTrials  # needs Ray

    end = time.monotonic() + seconds
    table = Table(box=None, show_header=False)
    with (
        tempfile.TemporaryDirectory(prefix="blob-zero-soak-") as name,
        closing(ClusterTrials(Path(name), seed=seed)) as trials,
    ):
        while time.monotonic() < end:
            trials.one_run()
    tally = trials.tally
    table.add_row("runs on a cluster brought to their end, all the same", f"{tally.runs:,}")
    table.add_row("iterations committed, none lost", f"{tally.commits:,}")
    table.add_row("starts of the command", f"{tally.starts:,}")
    table.add_row("machines killed", f"{tally.killed:,}")
    table.add_row("machines stopped", f"{tally.stopped:,}")
    return table


if __name__ == "__main__":
    # A failure is an AssertionError that names the run and what differs.
    sys.exit(main())
