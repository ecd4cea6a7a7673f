"""Whether a network's values come true: predictions against the outcomes of rounds.

Value: the value head's number for each seat in play against how the round ended for that seat, both from -1 to 1.

Bids made: a bid of b scores 10 + b points when made and 0 otherwise, so once a seat has bid, its expected score over
10 + b *is* its chance of making the bid. The network's chance is computed so from its value for the row's own seat, in
rows of the play of cards, and so is the outcome. With `search.own_view` half of the rows are of who looks on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blob_zero._core import PLAYERS_FEATURE

Floats = npt.NDArray[np.float64]

VALUE_BINS = np.linspace(-1, 1, 21)
CHANCE_BINS = np.linspace(0, 1, 11)

_LEAST_IN_A_BIN = 20
"""Means over fewer predictions vary more than the differences of interest."""

# Places in the encoding (docs/observation.md).
_OWN_BID, _PLAYING, _CARDS, _TRICK_POINTS = 185, 226, 229, 255


@dataclass(frozen=True)
class Calibration:
    """Predictions in bins, and their outcomes; bins with few predictions have NaN for their means."""

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
        """Expected calibration error: mean distance of realized from predicted, bins weighted by their predictions.

        NaN without any bin of enough predictions.
        """
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
    """Rows they were computed from."""


def calibration(predicted: Floats, realized: Floats, edges: Floats) -> Calibration:
    """Puts predictions into bins; those beyond the edges count in the outermost bins.

    Args:
        predicted: [N] predictions.
        realized: [N] outcome of each.
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


def network_calibration(features: npt.NDArray[np.uint8], predicted: Floats, outcomes: Floats) -> NetworkCalibration:
    """Calibration of a network's values.

    Args:
        features: uint8[N, 256], encoded observations.
        predicted: [N, V], the network's values by relative seat.
        outcomes: [N, 8], how the rounds ended.
    """
    seats = np.arange(min(predicted.shape[1], outcomes.shape[1]))
    in_play = seats < features[:, PLAYERS_FEATURE, None]
    value = calibration(predicted[:, seats][in_play], outcomes[:, seats][in_play], VALUE_BINS)
    # Where each trick scores a point too, the expected score is not the chance of the bid.
    bid_stands = (features[:, _PLAYING] == 1) & (features[:, _OWN_BID] > 0) & (features[:, _TRICK_POINTS] == 0)
    of = features[bid_stands]
    chance = chance_of_bid(predicted[bid_stands, 0], of)
    made = chance_of_bid(outcomes[bid_stands, 0], of)
    return NetworkCalibration(value, calibration(chance, made, CHANCE_BINS), rows=len(features))


def chance_of_bid(values: Floats, features: npt.NDArray[np.uint8]) -> Floats:
    """Values [N] of the observer on the scale of -1 to 1 as a share of what its bid would score, in [0, 1]."""
    cards = features[:, _CARDS].astype(np.float64)
    bid = features[:, _OWN_BID].astype(np.float64) - 1
    score = (values + 1) / 2 * (10 + cards)
    chance: Floats = np.clip(score / (10 + bid), 0, 1)
    return chance
