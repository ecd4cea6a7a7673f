"""Runs with stand-ins for play and judging, cut off or refused at each change of a file in turn, and then continued."""

import errno
import random
import shutil
import time
from pathlib import Path

from blob_zero.errors import CheckpointError
from blob_zero.learning.loop import train
from support.disk_faults import BrokenDisk, Disk, SnapshotDisk
from support.run_equality import assert_same_end, committed
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

CONFIG = small_config(selfplay={"rounds": 3}, training={"replay_rows": 70})
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO)
FOREVER = 10**6


def run(folder, *, config=CONFIG, worker=None, judge=None, display=None, **options):
    """A whole run of three iterations, or the rest of it."""
    worker, judge, display = worker or FakeWorker(), judge or FakeJudge(), display or SilentDisplay()
    return train(config, folder, display=display, device="cpu", worker=worker, judge=judge, **options)


def snapshots(folder: Path, *, every: int, power_cut: bool) -> list[Path]:
    """The folder of one run, as the end of its process at one of `every` moments leaves it; oldest first."""
    disk = SnapshotDisk(folder / "run", folder / "snapshots", every=every, power_cut=power_cut)
    with disk.watched():
        run(folder / "run")
    return sorted((folder / "snapshots").iterdir())


def go_on(folder: Path, whole: Path) -> None:
    """Continues a run, and fails unless it plays only what was not committed, and ends like the whole one."""
    before = committed(folder)
    worker, display = FakeWorker(), SilentDisplay()
    run(folder, worker=worker, display=display)
    assert len(worker.calls) == 3 - max(before, 0), f"{folder} had iteration {before} and played {worker.calls}"
    assert not [text for text in display.messages if "damaged" in text], display.messages
    assert_same_end(folder, whole)


def break_at(folder: Path, error: int, *, at: int, times: int) -> tuple[int, CheckpointError | None]:
    """Has a disk fail from its call `at` on; gives how often it did, and what the run made of it."""
    disk = BrokenDisk(folder, error, at=at, times=times)
    try:
        with disk.watched():
            run(folder)
    except CheckpointError as caught:
        return disk.failed, caught
    return disk.failed, None


def every_moment(folder: Path, *, end: float) -> tuple[int, int]:
    """Tries all moments in random order until the clock says `end`; gives how many, and how many there are."""
    whole = folder / "whole"
    counting = Disk(whole)
    with counting.watched():
        run(whole)
    trials: list[tuple[str, object]] = []
    for power_cut in (False, True):
        copies = snapshots(folder / f"power_cut_{power_cut}", every=1, power_cut=power_cut)
        trials += [("death", copy) for copy in copies]
    trials += [
        ("failure", (error, at, times))
        for error in ERRORS
        for times in (1, FOREVER)
        for at in range(1, counting.count + 1)
    ]
    random.shuffle(trials)
    tried = 0
    for kind, what in trials:
        if time.monotonic() > end:
            break
        copy = folder / "trial"
        if kind == "death":
            copy = what
        else:
            error, at, times = what
            _, caught = break_at(copy, error, at=at, times=times)
            assert caught is None or str(copy) in str(caught)
        go_on(copy, whole)
        shutil.rmtree(copy)
        tried += 1
    return tried, len(trials)
