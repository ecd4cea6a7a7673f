"""Calibration of a run's best network on the rounds that the run never trained on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

import blob_zero as bz
from blob_zero.errors import CheckpointError
from blob_zero.metrics.calibration import Floats, NetworkCalibration, network_calibration
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import Checkpoint
from blob_zero.run.replay_files import read_replay_file, replay_files


def held_out_calibration(run: Path, checkpoint: Checkpoint, *, most_rows: int = 20_000) -> NetworkCalibration | None:
    """Calibration of a checkpoint's best network on the held-out rows of the replay ring.

    Args:
        run: the run's folder.
        checkpoint: of the run.
        most_rows: the newest rows to use.

    Returns:
        None where the ring holds no such row that can be read.

    Raises:
        CheckpointError: the checkpoint belongs to no run, or to another version.
    """
    try:
        net, files = checkpoint.networks["weights"], replay_files(checkpoint)
    except KeyError as error:
        raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from None
    if not isinstance(net, BlobNet):
        return None
    features, outcomes, rows = [], [], 0
    for file in reversed(files):
        if rows >= most_rows:
            break
        try:
            columns = read_replay_file(run, file)
        except CheckpointError:
            continue  # replaced by a run at work, or damaged, which the run itself reports
        held_out = columns["held_out"]
        features.append(columns["features"][held_out])
        outcomes.append(columns["values"][held_out])
        rows += int(held_out.sum())
    if not rows:
        return None
    encoded = np.concatenate(features)
    return network_calibration(encoded, _values(net, encoded), np.concatenate(outcomes).astype(np.float64))


def result_share(state: Mapping[str, object]) -> float:
    """The share of the game's result in a checkpoint's values; values show a bid's chance only if it is 0."""
    config = state.get("config")
    game = config.get("game") if isinstance(config, dict) else None
    if not isinstance(game, dict) or not game.get("whole_games", False):
        return 0.0
    return float(game.get("result_share", 0.0))


def root_value_weight(state: Mapping[str, object]) -> float:
    """The share of the search's own expectation in a checkpoint's replay values: outcomes proper only where it is 0."""
    config = state.get("config")
    training = config.get("training") if isinstance(config, dict) else None
    weight = training.get("root_value_weight", 0.0) if isinstance(training, dict) else 0.0
    return float(weight)


def _values(net: BlobNet, features: npt.NDArray[np.uint8]) -> Floats:
    """Values [N, V] of raw features [N, 256], in fp32 on the CPU, piece by piece to bound the memory."""
    scale = bz.feature_scale()
    with torch.inference_mode():
        pieces = [
            net(torch.from_numpy(features[at : at + 4096] * scale))[1].numpy() for at in range(0, len(features), 4096)
        ]
    return np.concatenate(pieces).astype(np.float64)
