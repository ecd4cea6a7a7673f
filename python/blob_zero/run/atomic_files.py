"""Files and folders that are either whole or not there.

Everything that a run must not lose is written here: under another name in the same folder, flushed to disk, renamed
into place, and the folder flushed too. So neither a killed process nor a power cut leaves half a file.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blob_zero.errors import CheckpointError

PARTIAL = ".partial"
"""Suffix of files and folders that are being written; leftovers of earlier processes may be deleted."""

_REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of the quota there",
    errno.EFBIG: "choose a file system that takes files of this size",
    errno.EROFS: "make its file system writable, or choose another folder,",
    errno.EACCES: "let this user write there, or choose another folder,",
    errno.EPERM: "let this user write there, or choose another folder,",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.EIO: "check the disk",
}


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file by one rename, so that a reader or a power cut sees the old content or the new.

    Raises:
        CheckpointError: it cannot be written; the old content is unharmed.
    """
    partial = _partial(path)
    with explained("write", path):
        try:
            _write_synced(partial, content)
            partial.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def write_folder_atomically(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes a folder's files in order, and gives the folder its name when the last one is on disk.

    A folder of that name is replaced. Contents are taken one at a time; a generator needs memory for one.

    Raises:
        CheckpointError: it cannot be written; what was there before is unharmed.
    """
    partial = _partial(path)
    with explained("write", path):
        make_folder(path.parent)
        try:
            _remove_tree(partial)
            partial.mkdir()
            for name, content in files:
                with explained("write", path / name):
                    _write_synced(partial / name, content)
            _sync_folder(partial)
            remove_folder(path)
            partial.rename(path)
        except (OSError, CheckpointError):
            # On a full disk the space matters, and a partial folder is of no use.
            with contextlib.suppress(OSError):
                _remove_tree(partial)
            raise
        _sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Makes a folder and its parents where they are missing.

    Raises:
        CheckpointError: it cannot be made; the message says why.
    """
    with explained("make the folder", path):
        if not path.is_dir():
            make_folder(path.parent)
            with contextlib.suppress(FileExistsError):
                path.mkdir()
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            _sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Deletes a folder, if it is there. It loses its name first, so that nobody finds half of it.

    Raises:
        CheckpointError: it cannot be deleted.
    """
    doomed = _partial(path.with_name(f"{path.name}.old"))
    with explained("delete", path):
        if path.exists():
            _remove_tree(doomed)
            path.rename(doomed)
            _sync_folder(path.parent)
            _remove_tree(doomed)


def remove_partial(folder: Path) -> None:
    """Deletes what interrupted writes and deletions left in a folder.

    Raises:
        CheckpointError: something cannot be deleted.
    """
    for path in folder.glob(f".*{PARTIAL}"):
        with explained("delete", path):
            if path.is_dir():
                _remove_tree(path)
            else:
                path.unlink()


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one that says what failed, why, and what would help.

    Raises:
        CheckpointError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        remedy = remedy_of(error)
        then = f"; {remedy} and give the same command again: what was saved before is whole" if remedy else ""
        raise CheckpointError(f"cannot {action} {path}: {error.strerror or error}{then}") from error


def remedy_of(error: OSError) -> str | None:
    """The remedy for an error of the operating system, as the start of a sentence; None where it is unknown."""
    return _REMEDIES.get(error.errno or 0)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}{PARTIAL}")


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = memoryview(content)
        while left:  # a write may be partial
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """Flushes a folder's entries, so that a rename in it is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_tree(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
