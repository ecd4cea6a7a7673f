"""Calibration of a run's best network on the rounds that the run never trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import blob_zero as bz
from blob_zero.errors import CheckpointError
from blob_zero.learning.replay import HELD_OUT_EVERY
from blob_zero.learning.round_replay import RoundReplay
from blob_zero.metrics.calibration import (
    CHANCE_BINS,
    VALUE_BINS,
    Floats,
    NetworkCalibration,
    calibration,
    network_calibration,
)
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import OutcomeNet
from blob_zero.run.checkpoint import Checkpoint
from blob_zero.run.replay_files import ReplayFile, read_replay_file, replay_files

Columns = Mapping[str, npt.NDArray[Any]]


def held_out_calibration(run: Path, checkpoint: Checkpoint, *, most_rows: int = 20_000) -> NetworkCalibration | None:
    """Calibration of a checkpoint's best network on the held-out rows of the replay.

    An OutcomeNet predicts the chance of a bid itself, after each action; the rows are rebuilt from their rounds.

    Args:
        run: the run's folder.
        checkpoint: of the run.
        most_rows: the newest rows to use.

    Returns:
        None where the replay holds no such row that can be read.

    Raises:
        CheckpointError: the checkpoint belongs to no run, or to another version.
    """
    try:
        net, files = checkpoint.networks["weights"], replay_files(checkpoint)
    except KeyError as error:
        raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from None
    outcome = isinstance(net, OutcomeNet)
    found: list[tuple[ReplayFile, Columns]] = []
    rows = 0
    for file in reversed(files):
        if rows >= most_rows:
            break
        try:
            columns = read_replay_file(run, file)
        except CheckpointError:
            continue  # replaced by a run at work, or damaged, which the run itself reports
        found.append((file, columns))
        rows += _held_out_decisions(columns) if outcome else int(columns["held_out"].sum())
    if not rows:
        return None
    return _of_rounds(net, found[::-1]) if isinstance(net, OutcomeNet) else _of_rows(net, found)


def _of_rows(net: Network, files: list[tuple[ReplayFile, Columns]]) -> NetworkCalibration:
    encoded, outcomes = (
        np.concatenate([columns[name][columns["held_out"]] for _, columns in files]) for name in ("features", "values")
    )
    return network_calibration(encoded, _values(net, encoded), outcomes.astype(np.float64))


def _of_rounds(net: OutcomeNet, files: list[tuple[ReplayFile, Columns]]) -> NetworkCalibration:
    replay = RoundReplay(max(sum(file.rows for file, _ in files), 1))
    for file, columns in files:
        replay.restore(columns, source=file.name)
    values, outcomes, chances, made = [], [], [], []
    with torch.inference_mode():
        for batch in replay.held_out(device=torch.device("cpu")):
            predicted = net(batch.features)
            in_play = torch.arange(predicted.values.shape[1]) < batch.players[:, None]
            values.append(predicted.values[in_play])
            outcomes.append(batch.values[in_play])
            chances.append(torch.sigmoid(predicted.make).gather(1, batch.action[:, None]).squeeze(1))
            made.append(batch.made)
    value, outcome, chance, is_made = (torch.cat(parts).double().numpy() for parts in (values, outcomes, chances, made))
    return NetworkCalibration(
        calibration(value, outcome, VALUE_BINS), calibration(chance, is_made, CHANCE_BINS), rows=len(chance)
    )


def _held_out_decisions(rounds: Columns) -> int:
    held_out = rounds["number"] % np.uint64(HELD_OUT_EVERY) == HELD_OUT_EVERY - 1
    return int(rounds["decisions"][held_out].sum(dtype=np.int64))


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


def _values(net: Network, features: npt.NDArray[np.uint8]) -> Floats:
    """Values [N, V] of raw features [N, 256], in fp32 on the CPU, piece by piece to bound the memory."""
    scale = bz.feature_scale()
    with torch.inference_mode():
        pieces = [
            net(torch.from_numpy(features[at : at + 4096] * scale))[1].numpy() for at in range(0, len(features), 4096)
        ]
    return np.concatenate(pieces).astype(np.float64)
