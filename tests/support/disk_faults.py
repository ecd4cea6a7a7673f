"""A disk that fails on request: every call that changes a folder is counted, and one of them may be broken."""

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir")

CAN_FAIL = {
    errno.ENOSPC: ("open", "write", "mkdir"),
    errno.EROFS: ("open", "rename", "replace", "mkdir", "unlink", "rmdir"),
    errno.EIO: CALLS,
}
"""Which calls fail how."""

_PLAIN = {name: getattr(os, name) for name in CALLS}


class Disk:
    """Watches the calls of `os` that change files below a folder.

    Attributes:
        count: such calls so far.
        names: the function of each.
        unsynced: files and folders whose last change a power cut could undo. (A deletion is none of these: what comes
            back is deleted again.)
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0
        self.names: list[str] = []
        self.unsynced: set[Path] = set()
        self._open: dict[int, Path] = {}
        self._busy = False

    def before(self, name: str, path: Path | None) -> None:
        """Called before each call; may raise, exit or look around. `path` is None inside a deletion of a tree."""

    def after_half_a_write(self) -> None:
        """Called when half of a write's bytes are written; the caller learns the count and has to write the rest."""

    def _path(self, name, args, kwargs) -> Path | None:
        if name in ("write", "fsync"):
            return self._open.get(args[0])
        return None if kwargs.get("dir_fd") is not None else Path(os.fsdecode(args[0]))

    def _call(self, name, *args, **kwargs):
        plain = _PLAIN[name]
        inside_tree = kwargs.get("dir_fd") is not None and name in ("unlink", "rmdir")
        path = self._path(name, args, kwargs)
        ours = inside_tree or (path is not None and (path == self.folder or self.folder in path.parents))
        if self._busy or not ours:
            return plain(*args, **kwargs)
        changes = name != "open" or args[1] & (os.O_WRONLY | os.O_RDWR)
        if changes:
            self.count += 1
            self.names.append(name)
            self._quietly(self.before, name, path)
        if name == "write" and len(args[1]) > 1:
            written = plain(args[0], args[1][: len(args[1]) // 2])
            self.unsynced.add(path)
            self._quietly(self.after_half_a_write)
            return written
        result = plain(*args, **kwargs)
        self._note(name, path, args, result, changes)
        return result

    def _quietly(self, action, *args):
        self._busy = True
        try:
            action(*args)
        finally:
            self._busy = False

    def _note(self, name, path, args, result, changes):
        if name == "open":
            self._open[result] = path
            if changes:
                self.unsynced.update({path, path.parent})
        elif name == "write":
            self.unsynced.add(path)
        elif name == "fsync":
            self.unsynced.discard(path)
        elif name == "mkdir":
            self.unsynced.update({path, path.parent})
        elif name in ("rename", "replace"):
            target = Path(args[1])
            moved = {entry for entry in self.unsynced if entry == path or path in entry.parents}
            self.unsynced -= moved
            self.unsynced |= {target / entry.relative_to(path) for entry in moved} | {target.parent}
        elif name in ("unlink", "rmdir") and path is not None:
            self.unsynced.discard(path)

    @contextmanager
    def watched(self):
        """Has all of `os` go through this disk."""
        for name in CALLS:
            setattr(os, name, lambda *args, _name=name, **kwargs: self._call(_name, *args, **kwargs))
        try:
            yield self
        finally:
            for name in CALLS:
                setattr(os, name, _PLAIN[name])


class SnapshotDisk(Disk):
    """Keeps the folder as a process that dies at each call, or in the middle of a write, would leave it.

    Args:
        folder: the folder.
        snapshots: where copies go, by number.
        every: of this many moments one is kept.
        power_cut: of what was not flushed to disk, half is lost.
    """

    def __init__(self, folder: Path, snapshots: Path, *, every: int = 1, power_cut: bool = False):
        super().__init__(folder)
        self.snapshots = snapshots
        self.every = every
        self.power_cut = power_cut
        self.moments = 0

    def before(self, _name, _path):
        self._snapshot()

    def after_half_a_write(self):
        self._snapshot()

    def _snapshot(self):
        self.moments += 1
        if self.moments % self.every or not self.folder.exists():
            return
        copy = self.snapshots / f"{self.moments:05d}"
        shutil.copytree(self.folder, copy)
        if self.power_cut:
            for path in self.unsynced:
                lost = copy / path.relative_to(self.folder) if self.folder in path.parents else None
                if lost is not None and lost.is_file():
                    os.truncate(lost, lost.stat().st_size // 2)


class BrokenDisk(Disk):
    """Fails from call `at` on, `times` times, with an error that such a call can have.

    A full disk refuses what takes space and no more; a read-only one refuses all; one that is breaking fails to flush.
    """

    def __init__(self, folder: Path, error: int, *, at: int, times: int = 1):
        super().__init__(folder)
        self.error = error
        self.at = at
        self.times = times
        self.failed = 0

    def before(self, name, path):
        if self.count >= self.at and self.failed < self.times and name in CAN_FAIL[self.error]:
            self.failed += 1
            raise OSError(self.error, os.strerror(self.error), None if path is None else str(path))
