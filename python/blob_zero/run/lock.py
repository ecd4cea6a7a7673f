"""One process for each run: a lock on the run's folder that the system releases when the process dies."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from blob_zero.errors import RunLockedError
from blob_zero.run.atomic_files import explained, make_folder, write_atomically

LOCK = ".lock"
HOLDER = ".lock.json"


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Locks a run's folder for this process; the folder is made if it is not there.

    Reading a run needs no lock: its files are replaced whole. The lock is the system's (flock), so a killed process
    holds none, and the two files it leaves in the folder have no effect.

    Raises:
        RunLockedError: another process holds the lock; the message says which, where and since when.
        CheckpointError: the folder cannot be made or written.
    """
    make_folder(folder)
    lock = _acquire(folder)
    try:
        about = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        write_atomically(folder / HOLDER, json.dumps(about).encode())
        yield
    finally:
        lock.release()


def check_unlocked(folder: Path) -> None:
    """Checks that no process holds a folder's lock. The folder need not exist and is not made.

    Raises:
        RunLockedError: as for `lock_run`.
        CheckpointError: the lock's file cannot be opened.
    """
    if (folder / LOCK).exists():
        _acquire(folder).release()


def _acquire(folder: Path) -> FileLock:
    # Two threads of one process exclude each other like two processes.
    lock = FileLock(folder / LOCK, thread_local=True)
    with explained("lock", folder / LOCK):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise RunLockedError(
                f"the run folder {folder} is in use by {_holder(folder)}: "
                "wait for that to end, stop it, or choose another folder"
            ) from None
    return lock


def _holder(folder: Path) -> str:
    """The holder of the lock, in words; one that took it a moment ago may not have written its name yet."""
    try:
        about = json.loads((folder / HOLDER).read_bytes())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
