"""Checkpoints: folders that are either whole or not there.

A checkpoint is written under another name, its manifest (the SHA-256 of each file) last, and then renamed into place
(blob_zero.run.atomic_files). Files whose hash differs from the manifest are not used. Formats are safetensors, JSON and
Parquet.
"""

import hashlib
import json
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

import blob_zero as bz
from blob_zero.errors import CheckpointError
from blob_zero.model.networks import Network, build_network, describe, shape_of
from blob_zero.run.atomic_files import remove_folder, remove_partial, write_folder_atomically

MANIFEST = "manifest.json"
STATE = "state.json"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer"
"""The group of tensors that the learner's state is stored as."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint."""

    iteration: int
    """Iterations done; 0 is the network that the run began with."""
    networks: Mapping[str, Network]
    """By name; `weights` is the trained one."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """Groups of named tensors, one file each."""
    state: Mapping[str, Any]
    """Everything else, as JSON."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are stored as they are, by name; neither safetensors nor JSON."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint as `folder/<iteration>`; once this returns, it survives a power cut.

    Returns:
        The checkpoint's own folder.

    Raises:
        CheckpointError: it cannot be written, or a number in it is not finite; existing checkpoints are unharmed.
    """
    groups = {name: net.state_dict() for name, net in checkpoint.networks.items()} | dict(checkpoint.tensors)
    broken = [f"{name}.{key}" for name, group in groups.items() for key in not_finite(group)]
    path = folder / f"{checkpoint.iteration:06d}"
    if broken:
        raise CheckpointError(f"{path} is not written: not finite are {', '.join(broken)}")
    # Only a damaged checkpoint can be replaced here: a run continues from the newest whole one.
    write_folder_atomically(path, _files(checkpoint))
    return path


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold a NaN or an infinity."""
    return [name for name, tensor in tensors.items() if tensor.is_floating_point() and not torch.isfinite(tensor).all()]


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint's folder, and checks every file against the manifest.

    Raises:
        CheckpointError: a file is missing, damaged, or of another encoding version; the message names it.
    """
    manifest = _read_manifest(path)
    hashes = manifest["sha256"]
    _check_hashes(path, hashes, names=hashes)
    state = read_json(path / STATE)
    networks: dict[str, Network] = {}
    tensors: dict[str, dict[str, Tensor]] = {}
    files: dict[str, bytes] = {}
    for name in hashes:
        stem, _, kind = name.rpartition(".")
        if kind not in ("safetensors", "json"):
            files[name] = (path / name).read_bytes()
        if kind == "safetensors":
            metadata, group = _read_tensors(path / name)
            if "network" in metadata:
                networks[stem] = _build_network(path / name, metadata, group)
            else:
                tensors[stem] = group
    iteration = manifest.get("iteration")
    if not isinstance(iteration, int):
        raise CheckpointError(f"{path / MANIFEST} is damaged: its iteration is {iteration!r}")
    return Checkpoint(iteration=iteration, networks=networks, tensors=tensors, state=state, files=files)


def load_state(path: Path) -> dict[str, Any]:
    """Reads the state of a checkpoint's folder without its tensors, unchecked.

    Raises:
        CheckpointError: it cannot be read, or holds no JSON object.
    """
    return read_json(path / STATE)


def checked_file(path: Path, name: str) -> bytes | None:
    """A file of a checkpoint's folder as it was written, or None where it has none of that name.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    hashes = _read_manifest(path)["sha256"]
    if name not in hashes:
        return None
    _check_hashes(path, hashes, names=(name,))
    return (path / name).read_bytes()


def checked_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """A group of tensors of a checkpoint's folder; empty where it has none of that name.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    file = f"{name}.safetensors"
    hashes = _read_manifest(path)["sha256"]
    if file not in hashes:
        return {}
    _check_hashes(path, hashes, names=(file,))
    return _read_tensors(path / file)[1]


def latest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a folder, and a line for each newer one that is damaged.

    Raises:
        CheckpointError: there are checkpoints and none is whole, or one may not be read: that is no damage, and
            a run that continued from an older one would overwrite it.
    """
    damaged: list[str] = []
    for path in reversed(checkpoint_paths(folder)):
        try:
            return load_checkpoint(path), damaged
        except CheckpointError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"no checkpoint in {folder} is whole: " + "; ".join(damaged))
    return None, []


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints of a folder, whole or not, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def prune_checkpoints(folder: Path, *, newest: int, keep: int, pinned: Collection[int]) -> None:
    """Deletes the checkpoints that a run at iteration `newest` no longer needs, and what interrupted writes left.

    Args:
        folder: the checkpoints.
        newest: later checkpoints are deleted; they are damaged, or the run would have continued from them.
        keep: number of the newest of the others that stay.
        pinned: iterations that always stay.

    Raises:
        CheckpointError: something cannot be deleted.
    """
    paths = checkpoint_paths(folder)
    valid = [path for path in paths if int(path.name) <= newest]
    kept = {path for path in valid if int(path.name) in pinned} | set(valid[-keep:])
    for path in paths:
        if path not in kept:
            remove_folder(path)
    remove_partial(folder)


def read_network(path: Path) -> Network:
    """The trained network of a weights file, a checkpoint's folder, or a run's folder (see `network_folder`).

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    path = network_folder(path)
    if path.is_dir():
        _check_hashes(path, _read_manifest(path)["sha256"], names=(WEIGHTS,))
        path = path / WEIGHTS
    metadata, tensors = _read_tensors(path)
    return _build_network(path, metadata, tensors)


def network_folder(path: Path) -> Path:
    """For a run's folder the newest checkpoint whose network is whole; any other path is returned unchanged.

    A warning names each newer checkpoint that is damaged.

    Raises:
        CheckpointError: the run has no checkpoint, none is whole, or one may not be read, which is no damage.
    """
    if not (path / "checkpoints").is_dir():
        return path
    damaged: list[str] = []
    for checkpoint in reversed(checkpoint_paths(path / "checkpoints")):
        try:
            _check_hashes(checkpoint, _read_manifest(checkpoint)["sha256"], names=(WEIGHTS, STATE))
        except CheckpointError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            damaged.append(str(error))
        else:
            for line in damaged:
                warnings.warn(f"skipping a damaged checkpoint: {line}", RuntimeWarning, stacklevel=2)
            return checkpoint
    if damaged:
        raise CheckpointError(f"no checkpoint in {path / 'checkpoints'} is whole: " + "; ".join(damaged))
    raise CheckpointError(f"{path} has no checkpoint yet")


def _read_manifest(checkpoint: Path) -> dict[str, Any]:
    manifest = read_json(checkpoint / MANIFEST)
    hashes = manifest.get("sha256")
    if not isinstance(hashes, dict) or STATE not in hashes:
        raise CheckpointError(f"{checkpoint / MANIFEST} lists no files")
    return manifest


def _check_hashes(checkpoint: Path, expected: Mapping[str, str], *, names: Iterable[str]) -> None:
    for name in names:
        if _hash(checkpoint / name) != expected.get(name):
            raise CheckpointError(f"{checkpoint / name} is damaged: its SHA-256 differs from the manifest")


def _files(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Yields name and content of each file, the manifest last; one content is in memory at a time."""
    hashes: dict[str, str] = {}
    for name, content in _contents(checkpoint):
        hashes[name] = hashlib.sha256(content).hexdigest()
        yield name, content
    yield MANIFEST, json.dumps({"iteration": checkpoint.iteration, "sha256": hashes}, indent=2).encode()


def _contents(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    for name, net in checkpoint.networks.items():
        yield f"{name}.safetensors", serialize_network(net)
    for name, tensors in checkpoint.tensors.items():
        yield f"{name}.safetensors", _serialize(tensors, None)
    yield from checkpoint.files.items()
    yield STATE, json.dumps(checkpoint.state, indent=2).encode()


def serialize_network(net: Network, *, dtype: torch.dtype = torch.float32) -> bytes:
    """A network as the content of a weights file, which `read_network` reads; `dtype` is that of its numbers."""
    about = {"encoding": bz.ENCODING_VERSION, **describe(net.shape)}
    tensors = {name: tensor.to(dtype) for name, tensor in net.state_dict().items()}
    # A single entry: safetensors writes several in varying order, and the same weights should be the same bytes.
    return _serialize(tensors, {"network": json.dumps(about)})


def _serialize(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None) -> bytes:
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return to_safetensors(on_cpu, metadata=metadata)


def _build_network(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Network:
    try:
        about = json.loads(metadata["network"])
        version = about.pop("encoding")
        if version != bz.ENCODING_VERSION:
            raise CheckpointError(f"{path} is of encoding version {version}; this is version {bz.ENCODING_VERSION}")
        net = build_network(shape_of(about))
        net.load_state_dict(dict(tensors))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold a network: {error}") from error
    return net


def _read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            # Copies: the mapped file may vanish under the tensors when a run prunes old checkpoints.
            return file.metadata() or {}, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        CheckpointError: it cannot be read, or is none.
    """
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
