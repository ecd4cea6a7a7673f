"""Whether the network's values come true: its predictions against the outcomes of the rounds in the replay ring.

Value: the value head's number for each seat in play, against how the round ended for that seat, both from -1 to 1.

Bids made: a bid of b scores 10 + b points when made and 0 otherwise, so once a seat has bid, its expected score over
10 + b *is* its chance of making the bid. The network's chance is read so from its value for the seat that decides, in
rows of the play of cards, and so is what came of it.

The rows are those the learner was trained on, the newest of them last. They show where the network is biased; they do
not show how well it would do on rounds it has never seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

import blob_zero as bz
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.errors import CheckpointError
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import Checkpoint

Floats = npt.NDArray[np.float64]

VALUE_BINS = np.linspace(-1, 1, 21)
CHANCE_BINS = np.linspace(0, 1, 11)

_LEAST_IN_A_BIN = 20
"""Means over fewer predictions move about more than what the chart is to show."""

# Places in the encoding (docs/observation.md).
_OWN_BID, _PLAYING, _CARDS, _TRICK_POINTS = 185, 226, 229, 255


@dataclass(frozen=True)
class Calibration:
    """Predictions in bins, and what came of them; bins with few predictions have NaN for their means."""

    edges: Floats
    """[bins + 1], rising."""
    predicted: Floats
    """[bins]: mean prediction."""
    realized: Floats
    """[bins]: mean outcome."""
    counts: npt.NDArray[np.int64]
    """[bins]: predictions."""

    @property
    def error(self) -> float:
        """Mean distance of realized from predicted, bins weighted by their predictions; NaN without any."""
        shown = np.isfinite(self.predicted)
        if not shown.any():
            return float("nan")
        distance = np.abs(self.predicted - self.realized)[shown]
        return float(np.average(distance, weights=self.counts[shown]))


@dataclass(frozen=True)
class NetworkCalibration:
    """Both calibrations of one network."""

    value: Calibration
    bids: Calibration
    rows: int
    """Rows of the replay ring they were computed from."""


def calibration(predicted: Floats, realized: Floats, edges: Floats) -> Calibration:
    """Put predictions into bins; those beyond the edges count to the outermost bins.

    Args:
        predicted: [N] predictions.
        realized: [N] what came of each.
        edges: [bins + 1], rising.
    """
    bins = len(edges) - 1
    which = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    divisor = np.where(counts >= _LEAST_IN_A_BIN, counts, np.nan)
    return Calibration(
        edges=edges,
        predicted=np.bincount(which, weights=predicted, minlength=bins) / divisor,
        realized=np.bincount(which, weights=realized, minlength=bins) / divisor,
        counts=counts,
    )


def network_calibration(checkpoint: Checkpoint, *, most_rows: int = 20_000) -> NetworkCalibration | None:
    """Calibration of a checkpoint's best network over the replay rows it keeps; None where it keeps none.

    Args:
        checkpoint: of a run.
        most_rows: of more rows, so many are taken at equal steps through the ring.

    Raises:
        CheckpointError: the checkpoint is not that of a run.
    """
    try:
        net, replay = checkpoint.networks["weights"], checkpoint.tensors["replay"]
        features, outcomes = replay["features"].numpy(), replay["values"].numpy().astype(np.float64)
    except KeyError as error:
        raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from None
    if not len(features):
        return None
    chosen = np.unique(np.linspace(0, len(features) - 1, min(most_rows, len(features))).astype(np.int64))
    features, outcomes = features[chosen], outcomes[chosen]
    predicted = _values(net, features)
    seats = np.arange(min(predicted.shape[1], outcomes.shape[1]))
    in_play = seats < features[:, PLAYERS_FEATURE, None]
    value = calibration(predicted[:, seats][in_play], outcomes[:, seats][in_play], VALUE_BINS)

    # Where each trick is a point too, the score is no chance of the bid.
    bid_stands = (features[:, _PLAYING] == 1) & (features[:, _OWN_BID] > 0) & (features[:, _TRICK_POINTS] == 0)
    of = features[bid_stands]
    chance = _chance_of_bid(predicted[bid_stands, 0], of)
    made = _chance_of_bid(outcomes[bid_stands, 0], of)
    return NetworkCalibration(value, calibration(chance, made, CHANCE_BINS), rows=len(chosen))


def result_share(state: Mapping[str, object]) -> float:
    """The share of the game's result in a checkpoint's values: they tell a bid's chance only where it is 0."""
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


def _chance_of_bid(values: Floats, features: npt.NDArray[np.uint8]) -> Floats:
    """Values [N] of the observer on the scale of -1 to 1 as a share of what its bid would score, in [0, 1]."""
    cards = features[:, _CARDS].astype(np.float64)
    bid = features[:, _OWN_BID].astype(np.float64) - 1
    score = (values + 1) / 2 * (10 + cards)
    chance: Floats = np.clip(score / (10 + bid), 0, 1)
    return chance


def _values(net: BlobNet, features: npt.NDArray[np.uint8]) -> Floats:
    """Values [N, V] of raw features [N, 256], in fp32 on the CPU, piece by piece to bound the memory."""
    scale = bz.feature_scale()
    with torch.inference_mode():
        pieces = [
            net(torch.from_numpy(features[at : at + 4096] * scale))[1].numpy() for at in range(0, len(features), 4096)
        ]
    return np.concatenate(pieces).astype(np.float64)
