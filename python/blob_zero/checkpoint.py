"""Checkpoints: folders that are either whole or not there.

A checkpoint is written under another name, its files are flushed to disk, its manifest (the SHA-256 of each
file) last, and then it is renamed into place. What the manifest does not vouch for is not used. Files are
safetensors and JSON.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

import blob_zero as bz
from blob_zero.errors import CheckpointError
from blob_zero.network import BlobNet, NetworkShape

MANIFEST = "manifest.json"
STATE = "state.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds."""

    iteration: int
    """Iterations done; 0 is the untrained network."""
    networks: Mapping[str, BlobNet]
    """By name; `weights` is the trained one."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """Groups of named tensors, one file each."""
    state: Mapping[str, Any]
    """All else, as JSON."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint as `folder/<iteration>`; when this returns, it survives a power cut.

    Returns:
        The checkpoint's own folder.

    Raises:
        CheckpointError: it cannot be written; what was there before is unharmed.
    """
    final = folder / f"{checkpoint.iteration:06d}"
    partial = folder / f".{final.name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        hashes: dict[str, str] = {}
        for name, content in _files(checkpoint):
            _write_synced(partial / name, content)
            hashes[name] = hashlib.sha256(content).hexdigest()
        manifest = {"iteration": checkpoint.iteration, "sha256": hashes}
        _write_synced(partial / MANIFEST, json.dumps(manifest, indent=2).encode())
        _sync_folder(partial)
        # Only a damaged checkpoint can stand here: a run goes on from the newest whole one.
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        _sync_folder(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoint {final}: {error.strerror or error}") from error
    return final


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's folder, every file checked against the manifest.

    Raises:
        CheckpointError: a file is missing, damaged, or of another encoding version; the message names it.
    """
    manifest = _read_json(path / MANIFEST)
    hashes = manifest.get("sha256")
    if not isinstance(hashes, dict) or STATE not in hashes:
        raise CheckpointError(f"{path / MANIFEST} lists no files")
    for name, expected in hashes.items():
        if _hash(path / name) != expected:
            raise CheckpointError(f"{path / name} is damaged: its SHA-256 differs from the manifest")
    state = _read_json(path / STATE)
    networks: dict[str, BlobNet] = {}
    tensors: dict[str, dict[str, Tensor]] = {}
    for name in hashes:
        stem, _, kind = name.rpartition(".")
        if kind == "safetensors":
            metadata, group = _read_tensors(path / name)
            if "blobnet" in metadata:
                networks[stem] = _build_network(path / name, metadata, group)
            else:
                tensors[stem] = group
    return Checkpoint(iteration=manifest["iteration"], networks=networks, tensors=tensors, state=state)


def latest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a folder, and a line for each newer one that is damaged.

    Raises:
        CheckpointError: there are checkpoints and none is whole.
    """
    damaged: list[str] = []
    for path in reversed(checkpoint_paths(folder)):
        try:
            return load_checkpoint(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"no checkpoint in {folder} is whole: " + "; ".join(damaged))
    return None, []


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints of a folder, whole or not, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def prune_checkpoints(folder: Path, *, keep: int, pinned: Collection[int]) -> None:
    """Delete all but the newest `keep` and the pinned iterations, and what interrupted writes left."""
    numbered = checkpoint_paths(folder)
    for path in numbered[: max(0, len(numbered) - keep)]:
        if int(path.name) not in pinned:
            shutil.rmtree(path)
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path)


def load_network(path: Path) -> BlobNet:
    """The trained network of a weights file, a checkpoint's folder, or a run's folder (the newest there).

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    if (path / "checkpoints").is_dir():
        checkpoints = checkpoint_paths(path / "checkpoints")
        if not checkpoints:
            raise CheckpointError(f"{path} has no checkpoint yet")
        path = checkpoints[-1]
    if path.is_dir():
        expected = _read_json(path / MANIFEST).get("sha256", {}).get(WEIGHTS)
        path = path / WEIGHTS
        if _hash(path) != expected:
            raise CheckpointError(f"{path} is damaged: its SHA-256 differs from the manifest")
    metadata, tensors = _read_tensors(path)
    return _build_network(path, metadata, tensors)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by one rename, so that a reader or a power cut sees the old content or the new.

    Raises:
        CheckpointError: it cannot be written; the old content is unharmed.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        _write_synced(partial, content)
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error


def _files(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, made one after the other to hold one in memory at a time."""
    for name, net in checkpoint.networks.items():
        about = {"encoding": bz.ENCODING_VERSION, "shape": net.shape._asdict()}
        # One entry, as safetensors writes several in an order that changes: same weights, same bytes.
        yield f"{name}.safetensors", _serialize(net.state_dict(), {"blobnet": json.dumps(about)})
    for name, tensors in checkpoint.tensors.items():
        yield f"{name}.safetensors", _serialize(tensors, None)
    yield STATE, json.dumps(checkpoint.state, indent=2).encode()


def _serialize(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None) -> bytes:
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return to_safetensors(on_cpu, metadata=metadata)


def _build_network(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> BlobNet:
    try:
        about = json.loads(metadata["blobnet"])
        version = about["encoding"]
        if version != bz.ENCODING_VERSION:
            raise CheckpointError(f"{path} is of encoding version {version}; this is version {bz.ENCODING_VERSION}")
        net = BlobNet(**NetworkShape(**about["shape"])._asdict())
        net.load_state_dict(dict(tensors))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold a BlobNet: {error}") from error
    return net


def _read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            # A mapped file may change or vanish under the tensors; a run prunes old checkpoints.
            return file.metadata() or {}, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: should hold a JSON object")
    return value


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename in it is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
