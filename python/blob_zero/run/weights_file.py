"""One network as a file of its own, and the one that comes with the package."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from blob_zero.errors import CheckpointError
from blob_zero.model.networks import Network
from blob_zero.run.atomic_files import write_atomically
from blob_zero.run.checkpoint import (
    STATE,
    checked_file,
    load_checkpoint,
    load_state,
    network_folder,
    read_json,
    read_network,
    serialize_network,
)
from blob_zero.run.folder import METRICS

SHIPPED = Path(__file__).parents[1] / "model" / "shipped" / "network.safetensors"
"""The network that comes with the package; network.json beside it tells where it comes from."""

SHIPPED_NAME = "shipped"
"""The name of that network."""

_CURVE = ("iteration", "rounds", "selfplay_points", "selfplay_exact", "held_out_make_loss", "held_out_bid_explained")


def load_network(path: str | PathLike[str] | None = None) -> Network:
    """A trained network: that of a run, a checkpoint or a weights file, or without a path the one of this package.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    return read_network(SHIPPED if path is None else Path(path))


def network_path(name: str) -> Path:
    """The path of a network by its name: `shipped`, unless there is a file of that name, or a path."""
    return SHIPPED if name == SHIPPED_NAME and not Path(name).exists() else Path(name)


def write_weights(run: Path, path: Path) -> None:
    """Writes a run's network as a weights file in half precision, and its lineage as JSON beside it.

    The lineage has the settings with the seed, the rounds played, the versions and the hardware, the curve of the
    metrics, and of a run that began with the weights of another (`run.start`) the lineage of these.

    Args:
        run: a run's folder, or a checkpoint of it.
        path: the file; the lineage has the suffix .json in place of the file's own.

    Raises:
        CheckpointError: the run has no whole checkpoint, or a file cannot be written.
    """
    folder = network_folder(run)
    checkpoint = load_checkpoint(folder)
    net = checkpoint.networks.get("weights")
    if net is None:
        raise CheckpointError(f"{folder} holds no network")
    write_atomically(path, serialize_network(net, dtype=torch.float16))
    lineage = json.dumps(_lineage(checkpoint.state, checkpoint.files.get(METRICS)), indent=2)
    write_atomically(path.with_suffix(".json"), f"{lineage}\n".encode())


def lineage_of(path: Path) -> dict[str, Any]:
    """Where the network of a run, a checkpoint or a weights file comes from; empty if that is not known.

    Raises:
        CheckpointError: what tells it is damaged.
    """
    folder = network_folder(path)
    if not folder.is_dir() and (folder.parent / STATE).exists():
        folder = folder.parent  # the weights of a checkpoint
    if folder.is_dir():
        # Checked: a damaged Parquet file can end the process in the library that reads it.
        return _lineage(load_state(folder), checked_file(folder, METRICS))
    beside = folder.with_suffix(".json")
    return read_json(beside) if beside.exists() else {}


def _lineage(state: Mapping[str, Any], metrics: bytes | None) -> dict[str, Any]:
    known = ("rounds", "steps", "best_iteration", "encoding_version", "versions", "hardware", "config", "start")
    lineage = {name: state[name] for name in known if state.get(name) is not None}
    lineage.get("hardware", {}).pop("system", None)
    if metrics is not None:
        import polars as pl

        frame = pl.read_parquet(metrics).select(_CURVE)
        lineage["curve"] = frame.gather_every(max(len(frame) // 20, 1)).to_dict(as_series=False)
    return lineage
