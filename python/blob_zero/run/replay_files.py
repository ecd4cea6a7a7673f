"""The replay ring on disk: one file for the rows of each iteration, RUN/replay/N.safetensors.

A commit writes the new rows alone, before its checkpoint. The checkpoint names the files whose rows are in the ring,
with their SHA-256; a file that no checkpoint names is deleted.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from blob_zero.errors import CheckpointError
from blob_zero.run.atomic_files import explained, make_folder, remove_partial, write_atomically
from blob_zero.run.checkpoint import Checkpoint, checkpoint_paths, load_state

REPLAY = "replay"


@dataclass(frozen=True)
class ReplayFile:
    """A file of rows, as checkpoints name it."""

    name: str
    rows: int
    sha256: str


def write_replay_file(run: Path, iteration: int, columns: Mapping[str, NDArray[Any]], *, rows: int) -> ReplayFile:
    """Writes the columns that hold the rows of an iteration; once this returns, they survive a power cut.

    Raises:
        CheckpointError: the file cannot be written.
    """
    make_folder(run / REPLAY)
    name = f"{iteration:06d}.safetensors"
    content = to_safetensors({key: np.ascontiguousarray(array) for key, array in columns.items()})
    write_atomically(run / REPLAY / name, content)
    return ReplayFile(name, rows, hashlib.sha256(content).hexdigest())


def read_replay_file(run: Path, file: ReplayFile) -> dict[str, NDArray[Any]]:
    """Reads the columns of a file.

    Raises:
        CheckpointError: it is missing, damaged, or may not be read.
    """
    path = run / REPLAY / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise CheckpointError(f"{path} is damaged: its SHA-256 differs from the checkpoint's")
    try:
        return from_safetensors(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def replay_files(checkpoint: Checkpoint) -> list[ReplayFile]:
    """The files that a checkpoint names, in order of age.

    Raises:
        KeyError: it names none.
    """
    return _replay_files(checkpoint.state)


def files_in_ring(files: Iterable[ReplayFile], *, capacity: int) -> list[ReplayFile]:
    """The newest files that fill a ring of this capacity; files are in order of age."""
    kept: list[ReplayFile] = []
    rows = 0
    for file in reversed(list(files)):
        if rows >= capacity:
            break
        kept.append(file)
        rows += file.rows
    return kept[::-1]


def remove_unnamed_replay_files(run: Path, checkpoints: Path) -> None:
    """Deletes the files that no checkpoint names, and what interrupted writes left.

    Raises:
        CheckpointError: one cannot be deleted.
    """
    named = {file.name for path in checkpoint_paths(checkpoints) for file in _named_by(path)}
    remove_partial(run / REPLAY)
    for path in sorted((run / REPLAY).glob("*.safetensors")):
        if path.name not in named:
            with explained("delete", path):
                path.unlink(missing_ok=True)


def _replay_files(state: Mapping[str, Any]) -> list[ReplayFile]:
    return [ReplayFile(**file) for file in state["replay"]]


def _named_by(checkpoint: Path) -> list[ReplayFile]:
    try:
        return _replay_files(load_state(checkpoint))
    except (CheckpointError, KeyError, TypeError):
        return []  # a damaged checkpoint, which no run goes on from
