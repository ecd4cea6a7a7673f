"""Runs on a Ray cluster whose machines are killed and stopped again and again, for `tests/soak.py --cluster`.

A thread kills or stops a random machine about as often as workers take to start, whatever is happening: they start,
play, or meet in matches. When no worker is left the command ends, machines are added, and it is started again. When the
run is done, every file has to be as in the run of one process.
"""

import contextlib
import os
import random
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from blob_zero.cluster.players import players_of_run
from blob_zero.config.load import parse_config
from blob_zero.errors import ClusterError
from blob_zero.learning.loop import train
from support.ray_trial import SETTINGS, cluster_without_machines, stop_machine
from support.run_equality import assert_same_end, committed
from support.training_fakes import SilentDisplay

MACHINES = 3
ITERATIONS = 8


@dataclass
class ClusterTally:
    """What happened in all trials."""

    runs: int = 0
    """Runs that ended with the files of one process."""
    commits: int = 0
    """Iterations that they committed."""
    starts: int = 0
    """Starts of the command."""
    killed: int = 0
    """Machines killed."""
    stopped: int = 0
    """Machines stopped."""


class ClusterTrials:
    """Trials in a folder of their own; `close` ends the cluster."""

    def __init__(self, folder: Path, *, seed: int):
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.random = random.Random(seed)
        self.tally = ClusterTally()
        self.configs = [self._config(lag) for lag in (0, 1)]
        for lag, config in enumerate(self.configs):
            train(config, folder / f"whole{lag}", display=SilentDisplay(), device="cpu")
        self.cluster = cluster_without_machines()
        self.machines = []
        self.processes: list[psutil.Process] = []
        self.start_seconds = 20.0

    def one_run(self) -> None:
        """A run, with and without a lag in turn."""
        lag = self.tally.runs % 2
        run, config = self.folder / f"run{self.tally.runs}", self.configs[lag]
        reached = -1
        while True:
            self._fill_up()
            self.tally.starts += 1
            done = threading.Event()
            hurting = threading.Thread(target=self._hurt, args=(done,))
            hurting.start()
            try:
                self._start(run, config)
                break
            except ClusterError:  # no worker is left, or none could be started
                assert committed(run) >= reached, f"iteration {reached} is lost"
                reached = committed(run)
            finally:
                done.set()
                hurting.join()
        assert_same_end(run, self.folder / f"whole{lag}")
        self.tally.runs += 1
        self.tally.commits += ITERATIONS
        shutil.rmtree(run)

    def close(self) -> None:
        """Ends all machines."""
        self._end_stopped()
        self.cluster.shutdown()

    def _start(self, run: Path, config) -> None:
        display, began = SilentDisplay(), time.monotonic()
        with players_of_run(
            config, self.cluster.address, workers=None, device="cpu", notice=display.message
        ) as players:
            worker, judge = players
            self.start_seconds = time.monotonic() - began
            train(config, run, display=display, device="cpu", worker=worker, judge=judge)

    def _hurt(self, done: threading.Event) -> None:
        while not done.wait(self.random.uniform(0.1, 1.5) * self.start_seconds):
            if not self.machines:
                continue
            machine = self.machines.pop(self.random.randrange(len(self.machines)))
            if self.random.random() < 0.3:
                self.processes += stop_machine(machine)
                self.tally.stopped += 1
            else:
                self.cluster.remove_node(machine, allow_graceful=False)
                self.tally.killed += 1

    def _fill_up(self) -> None:
        """Ends the machines that are stopped, and adds new ones."""
        self._end_stopped()
        while len(self.machines) < MACHINES:
            self.machines.append(self.cluster.add_node(num_cpus=1))

    def _end_stopped(self) -> None:
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes = []

    @staticmethod
    def _config(lag: int):
        run = {**SETTINGS["run"], "iterations": ITERATIONS}
        selfplay = {**SETTINGS["selfplay"], "lag": lag, "rounds": 2000}
        return parse_config({**SETTINGS, "run": run, "selfplay": selfplay}, source="soak")
