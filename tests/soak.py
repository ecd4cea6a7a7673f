"""Crash trials for minutes: `make soak`, or `python tests/soak.py --minutes N --seed S`. Prints what happened."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from support.crash_trials import CONFIGS, KINDS, Trials
from support.write_trials import every_moment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
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


if __name__ == "__main__":
    # A failure is an AssertionError that names the run and what differs.
    sys.exit(main())
