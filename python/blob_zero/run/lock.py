"""One process to a run: a lock on the run's folder that the system takes back when the process dies."""

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
    """Holds a run's folder, made if it is not there, for this process alone.

    Reading a run needs no lock: its files are replaced whole. The lock is the system's (flock), so a killed process
    holds none, and the two files it leaves in the folder mean nothing.

    Raises:
        RunLockedError: another process has it; the message says which, where and since when.
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
    """Refuse a folder that another process has. The folder need not be there, and none is made.

    Raises:
        RunLockedError: as for `lock_run`.
        CheckpointError: the lock's file cannot be opened.
    """
    if (folder / LOCK).exists():
        _acquire(folder).release()


def _acquire(folder: Path) -> FileLock:
    # Threads of one process are kept apart like processes, and none may release the other's lock.
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
    """Who has the lock, in words; who took it a moment ago may not have said so yet."""
    try:
        about = json.loads((folder / HOLDER).read_bytes())
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
