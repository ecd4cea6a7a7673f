"""One network as a file of its own, and the one that comes with the package."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from blob_zero.errors import CheckpointError
from blob_zero.model.networks import Network
from blob_zero.run.atomic_files import write_atomically
from blob_zero.run.checkpoint import Checkpoint, load_checkpoint, network_folder, read_network, serialize_network
from blob_zero.run.folder import METRICS

SHIPPED = Path(__file__).parents[1] / "model" / "shipped" / "network.safetensors"
"""The network that comes with the package; network.json beside it tells where it comes from."""

_CURVE = ("iteration", "rounds", "selfplay_points", "selfplay_exact", "held_out_make_loss", "held_out_bid_explained")


def load_network(path: str | PathLike[str] | None = None) -> Network:
    """A trained network: that of a run, a checkpoint or a weights file, or without a path the one of this package.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    return read_network(SHIPPED if path is None else Path(path))


def write_weights(run: Path, path: Path) -> None:
    """Writes a run's network as a weights file in half precision, and its lineage as JSON beside it.

    The lineage has the settings with the seed, the rounds played, the versions and the hardware, and the curve of the
    metrics.

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
    lineage = json.dumps(_lineage(checkpoint), indent=2)
    write_atomically(path.with_suffix(".json"), f"{lineage}\n".encode())


def _lineage(checkpoint: Checkpoint) -> dict[str, Any]:
    known = ("rounds", "steps", "best_iteration", "encoding_version", "versions", "hardware", "config")
    lineage = {name: checkpoint.state[name] for name in known if name in checkpoint.state}
    lineage.get("hardware", {}).pop("system", None)
    if METRICS in checkpoint.files:
        import polars as pl

        frame = pl.read_parquet(checkpoint.files[METRICS]).select(_CURVE)
        lineage["curve"] = frame.gather_every(max(len(frame) // 20, 1)).to_dict(as_series=False)
    return lineage
