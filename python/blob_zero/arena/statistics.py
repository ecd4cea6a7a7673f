"""What can be said of a match: points, bids, and the paired difference with its interval.

In a match every deal is played once from each seat by the first agent, with the second in all other seats. Luck of the
deal and of the seat is then the same for both. The difference of their points is taken deal by deal (a paired
comparison), so that luck cancels.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from blob_zero.errors import ConfigError
from blob_zero.seeds import Purpose, stream

Verdict = Literal["beats", "not told apart", "loses to"]

RESAMPLES = 2000
"""Bootstrap samples; with these the ends of an interval move by about 2 % of its width from seed to seed."""


class MatchRecords(Protocol):
    """Records of a match, in the form of `MatchRecord`."""

    @property
    def points(self) -> npt.NDArray[np.int16]:
        """Points of each seat in each round."""

    @property
    def bids(self) -> npt.NDArray[np.int16]:
        """Bid of each seat."""

    @property
    def tricks(self) -> npt.NDArray[np.int16]:
        """Tricks each seat won."""


@dataclass(frozen=True)
class Side:
    """Results of one side of a match; the three shares of its bids add up to 1."""

    points: float
    """Mean points a round."""
    exact: float
    """Share of bids made exactly."""
    over: float
    """Share with more tricks than bid."""
    under: float
    """Share with fewer tricks than bid."""


@dataclass(frozen=True)
class MatchSummary:
    """Results of a match of a first agent against a second."""

    deals: int
    first: Side
    second: Side
    difference: float
    """Points a round of the first agent less the second agent's, mean over deals."""
    low: float
    """Lower end of the difference's 95 % interval."""
    high: float
    """Upper end of that interval."""
    won: int
    """Deals in which the first did better than the second."""
    tied: int
    """Deals in which they did equally well."""
    games_won: float | None = None
    """Share of whole games that the first won from its one seat; a shared first place counts in part."""

    def exceeds(self, margin: float) -> bool:
        """Whether the match shows that the first agent scores more than the second plus `margin`, in points a round.

        The lower end of the 95 % interval has to lie above the margin. For a margin of 0 this is a test of superiority,
        for a negative one a test of non-inferiority (Walker and Nowacki 2011, "Understanding equivalence and
        noninferiority testing"). An agent exactly at the margin passes in 2.5 % of matches; how often one above it
        passes follows from its distance to the margin and the interval's width (docs/training.md).
        """
        return self.low > margin

    @property
    def verdict(self) -> Verdict:
        """`beats` or `loses to` where the interval excludes 0."""
        if self.low > 0:
            return "beats"
        return "loses to" if self.high < 0 else "not told apart"


def summarize(records: MatchRecords, *, seed: int = 0) -> MatchSummary:
    """Points, bids, and the paired difference with its bootstrap interval over deals.

    Raises:
        ConfigError: there are fewer than 2 deals, so there is no interval.
    """
    deals, players = records.points.shape[:2]
    if deals < 2:
        raise ConfigError(f"a match of {deals} deal(s) has no interval; at least 2 deals are needed")
    whole_games = records.points.ndim == 4
    own_seat = np.eye(players, dtype=bool)  # [rotation, seat]
    is_first = np.broadcast_to(own_seat[:, None] if whole_games else own_seat, records.points.shape)
    differences = deal_differences(records.points)
    low, high = bootstrap_interval(differences, stream(seed, Purpose.BOOTSTRAP))
    return MatchSummary(
        deals=deals,
        first=_side(records, is_first),
        second=_side(records, ~is_first),
        games_won=_games_won(records.points) if whole_games else None,
        difference=float(differences.mean()),
        low=low,
        high=high,
        won=int((differences > 0).sum()),
        tied=int((differences == 0).sum()),
    )


def _games_won(points: npt.NDArray[np.int16]) -> float:
    totals = points.sum(axis=2)  # [games, rotation, seat]
    most = totals == totals.max(axis=2, keepdims=True)
    return float(np.diagonal(most / most.sum(axis=2, keepdims=True), axis1=1, axis2=2).mean())


def deal_differences(points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """For each deal, the first agent's points less the mean points of the other seats, mean over rotations.

    The differences are paired: both agents play the same deals from the same seats (common random numbers).

    Args:
        points: [deals, players (rotation), players (seat)]; for whole games [games, rotation, rounds, seat].

    Returns:
        float64[deals], points a round.
    """
    players, rounds = points.shape[1], 1
    if points.ndim == 4:
        rounds = points.shape[2]
        points = points.sum(axis=2)
    first = np.diagonal(points, axis1=1, axis2=2).astype(np.int64)  # [deals, rotation]
    others = points.sum(axis=2) - first
    # Integers up to the last division, so that equal play makes exactly 0.
    difference: npt.NDArray[np.float64] = ((players - 1) * first - others).sum(axis=1) / (
        players * (players - 1) * rounds
    )
    return difference


def bootstrap_interval(
    samples: npt.NDArray[np.float64], rng: np.random.Generator, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", ch. 13).

    Args:
        samples: [N] independent values, N at least 1.
        rng: draws the resamples.
        confidence: probability that the interval holds the mean, in (0, 1).
    """
    means = np.empty(RESAMPLES)
    for index in range(RESAMPLES):  # one by one: all indices of a long match at once would be gigabytes
        means[index] = samples[rng.integers(0, len(samples), len(samples))].mean()
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _side(records: MatchRecords, mine: npt.NDArray[np.bool_]) -> Side:
    bids, tricks = records.bids[mine], records.tricks[mine]
    return Side(
        points=float(records.points[mine].mean()),
        exact=float((tricks == bids).mean()),
        over=float((tricks > bids).mean()),
        under=float((tricks < bids).mean()),
    )
