"""Runs that are hurt at random until they are done, in processes of their own: few in test_crashes.py, many in soak.py.

A run is started again and again. Each time something is drawn that happens to it: `kill -9` or a signal at a random
moment, the end of the process at a random change of a file, a disk that fails from a random change on, or damage to
files while no process is at work. When it is done, every file has to be as in the run that nothing happened to.
"""

import collections
import errno
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from blob_zero.config.schema import Config
from blob_zero.errors import CheckpointError
from blob_zero.run.checkpoint import checkpoint_paths
from blob_zero.run.signals import COMMIT_GRACE, GRACE, Stopped, exit_status, stoppable
from support.disk_faults import BrokenDisk, Disk
from support.run_equality import assert_same_end, committed
from support.training_fakes import SilentDisplay, small_config

_COMMON = {
    "game": {"players": 3, "cards": 3},
    "inference": {"dtype": "fp32"},
    "evaluation": {"every": 2, "deals": 5, "final_deals": 8, "batch_rows": 32},
    "run": {"iterations": 3},
}

CONFIGS = {
    "search": small_config(
        search={"worlds": 2, "simulations": 8},
        selfplay={"rounds": 30, "batch_rows": 32, "playout_iterations": 1},
        training={"replay_rows": 500},
        promotion={"enabled": True, "deals": 6, "margin": -10.0},
        **_COMMON,
    ),
    "without search": small_config(
        selfplay={
            "agent": "policy",
            "rounds": 80,
            "batch_rows": 32,
            "rounds_in_flight": 40,
            "carry_over": 40,
            "lag": 1,
        },
        network={"kind": "outcome", "width": 16, "layers": 2},
        training={"replay_rows": 1200},
        **_COMMON,
    ),
}

DIED, DISK_FAILED = 99, 74
"""Statuses of a process that a fault ended, and of one that said that its disk fails."""

LIMIT = COMMIT_GRACE + GRACE + 0.5
"""Seconds from a signal to the end of the process, which may be in the middle of a commit to a slow disk."""

KINDS = ("kill -9", "Ctrl-C", "SIGTERM", "death at a write", "failing disk", "damage")

_PROCESSES = multiprocessing.get_context("forkserver")
# PyTorch is imported once, with what its optimizers import when they are first used; each process begins as a copy.
_PROCESSES.set_forkserver_preload(["blob_zero.learning.loop", "torch._dynamo", "torch.distributed.tensor"])


class DyingDisk(Disk):
    """Ends the process at one of its calls, or in the middle of that write."""

    def __init__(self, folder: Path, *, at: int):
        super().__init__(folder)
        self.at = at

    def before(self, _name, _path):
        if self.count == self.at:
            os._exit(DIED)

    def after_half_a_write(self):
        if self.count == self.at - 1:
            os._exit(DIED)


def play(config: Config, folder: Path, disk: Disk | None) -> None:
    """The whole run, or the rest of it; the body of a process."""
    from blob_zero.learning.loop import train

    # Kept for whoever looks into a trial that failed.
    sys.stderr = sys.stdout = folder.with_suffix(".log").open("w")
    try:
        with stoppable("ended by the watching thread"):
            if disk is None:
                train(config, folder, display=SilentDisplay(), device="cpu")
            else:
                with disk.watched():
                    train(config, folder, display=SilentDisplay(), device="cpu")
    except Stopped as stop:
        os._exit(exit_status(stop))
    except CheckpointError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        os._exit(DISK_FAILED)


@dataclass
class Tally:
    """What happened in all trials."""

    runs: int = 0
    """Runs that came to their end, the same as without faults."""
    commits: int = 0
    """Iterations that they committed."""
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    """Faults that hit a process at work, by kind."""
    slowest_stop: float = 0.0
    """Seconds from a signal to the end of the process, the longest."""


class Trials:
    """Trials in a folder of their own.

    Args:
        folder: where the runs are.
        config: of the runs, one of `CONFIGS`.
        seed: what happens follows from it, but for the timing.
    """

    def __init__(self, folder: Path, config: Config, *, seed: int):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.config = config
        self.random = random.Random(seed)
        self.tally = Tally()
        self.whole = folder / "whole"
        assert self._process(self.whole).wait() == 0
        counting = Disk(folder / "counted")
        # In this process, which has done its imports, for the time and the calls that every run takes.
        with counting.watched():
            from blob_zero.learning.loop import train

            began = time.monotonic()
            train(config, folder / "counted", display=SilentDisplay(), device="cpu")
            self.seconds = time.monotonic() - began
        assert_same_end(folder / "counted", self.whole)
        self.calls = counting.count

    def one_run(self, *, kinds: tuple[str, ...] = KINDS, attempts: int = 12) -> None:
        """Hurts one run up to `attempts` times, lets it end, and compares it."""
        run = self.folder / f"run{self.tally.runs}"
        reached = -1
        for _ in range(attempts):
            kind = self.random.choice(kinds)
            status = self._hurt(run, kind)
            now = committed(run)
            if kind == "damage":
                assert now >= reached - 1, f"damage to one checkpoint took {reached - now}"
            else:
                assert now >= reached, f"{kind} lost iteration {reached}; the newest whole one is {now}"
            reached = now
            if status == 0:
                break
        else:
            status = self._process(run).wait()
            assert status == 0, self._said(run, "nothing", status)
        assert_same_end(run, self.whole)
        self.tally.runs += 1
        self.tally.commits += self.config.run.iterations
        shutil.rmtree(run)

    def one_damaged_run(self) -> None:
        """Damages a file of a run that is done, and lets it end once more."""
        run = self.folder / "damaged"
        shutil.copytree(self.whole, run)
        self._damage(run)
        assert committed(run) >= self.config.run.iterations - 1
        status = self._process(run).wait()
        assert status == 0, self._said(run, "damage", status)
        assert_same_end(run, self.whole)
        shutil.rmtree(run)

    def _hurt(self, run: Path, kind: str) -> int:
        """One start of the run, and one fault; gives the status of the process, negative for a signal's number."""
        if kind == "damage":
            if committed(run) > 0:
                self._damage(run)
                self.tally.faults[kind] += 1
            return -1
        at = self.random.randrange(1, self.calls)
        if kind == "death at a write":
            status = self._process(run, DyingDisk(run, at=at)).wait()
            assert status in (0, DIED), self._said(run, kind, status)
        elif kind == "failing disk":
            error = self.random.choice([errno.ENOSPC, errno.EROFS, errno.EIO])
            times = self.random.choice([1, 3, 10**6])
            status = self._process(run, BrokenDisk(run, error, at=at, times=times)).wait()
            assert status in (0, DISK_FAILED), self._said(run, kind, status)
        else:
            status = self._signal(run, kind)
        if status:
            self.tally.faults[kind] += 1
        return status

    def _signal(self, run: Path, kind: str) -> int:
        number = {"kill -9": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}[kind]
        fresh = not run.exists()
        process = self._process(run)
        process.ready()
        moment = self.random.random() * self.seconds
        time.sleep(moment)
        sent = time.monotonic()
        process.send(number)
        status = process.wait()
        took = time.monotonic() - sent
        expected = -number if number == signal.SIGKILL else 128 + number
        assert status in (0, expected), self._said(run, kind, status)
        if fresh and not status:
            # The whole run was over by then: it takes less time than it did when it was timed.
            self.seconds = moment
        if status and number != signal.SIGKILL:
            assert took < LIMIT, f"{kind} took {took:.2f} s"
            self.tally.slowest_stop = max(self.tally.slowest_stop, took)
        return status

    def _damage(self, run: Path) -> None:
        """Truncates, empties, changes or deletes a file: of the newest checkpoint, or one beside the checkpoints."""
        newest = checkpoint_paths(run / "checkpoints")[-1]
        beside = [run / name for name in ("metrics.parquet", "config.toml")]
        path = self.random.choice([*newest.iterdir(), *(path for path in beside if path.exists())])
        content = path.read_bytes()
        at = self.random.randrange(len(content))
        match self.random.choice(["truncated", "empty", "changed", "deleted"]):
            case "truncated":
                path.write_bytes(content[:at])
            case "empty":
                path.write_bytes(b"")
            case "changed":
                path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            case _:
                path.unlink()

    def _said(self, run: Path, kind: str, status: int) -> str:
        return f"{kind}: the process ended with status {status}\n{run.with_suffix('.log').read_text()}"

    def _process(self, run: Path, disk: Disk | None = None) -> "_Started":
        return _Started(self.config, run, disk)


class _Started:
    """A process at work on a run."""

    def __init__(self, config: Config, run: Path, disk: Disk | None):
        self.run = run
        self.process = _PROCESSES.Process(target=play, args=(config, run, disk))
        self.process.start()

    def ready(self) -> None:
        """Waits until the process holds the lock, and so has its handlers."""
        holder = self.run / ".lock.json"
        pid = str(self.process.pid).encode()
        while self.process.is_alive() and not (holder.exists() and pid in holder.read_bytes()):
            time.sleep(0.002)

    def send(self, number: int) -> None:
        if self.process.is_alive():
            os.kill(self.process.pid, number)

    def wait(self) -> int:
        self.process.join(120)
        assert self.process.exitcode is not None, f"the process on {self.run} does not end"
        return self.process.exitcode
