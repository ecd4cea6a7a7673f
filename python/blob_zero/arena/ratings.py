"""Ratings: one number for the strength of each of many players, from matches between some of them.

A deal counts as a game between two players: the better paired difference wins it. The model is Bradley-Terry, updated
online as by Weng and Lin (2011, "A Bayesian approximation method for online ranking", algorithm 1) in openskill. The
scale is Elo's: a player rated 400 higher wins ten deals for each that it loses.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from openskill.models import BradleyTerryFull, BradleyTerryFullRating

ANCHOR = "rule"
"""The player at 0 if it plays: it never changes, and even strong networks lose some deals to it."""

PRIOR_SIGMA = 350.0
"""Standard deviation of the rating of an unknown player, who may well lose nine deals of ten."""

INTERVAL_SIGMAS = 1.96
"""Standard deviations on either side of a rating that make its 95 % interval."""

# Between well-known ratings the model's odds are exp(difference / (beta * sqrt(2))); on Elo's scale 400 is 10 to 1.
_BETA = 400 / (math.log(10) * math.sqrt(2))

_ANCHOR_SIGMA = 1e-3  # the model divides by its square


class Rating(NamedTuple):
    """A normal distribution over a player's strength."""

    mean: float
    sigma: float


class Ratings:
    """Ratings by name of player, updated match by match.

    Strengths are taken as constant: a network that has learned more is another player.
    """

    def __init__(self) -> None:
        self._ratings: dict[str, Rating] = {}
        # tau = 0: strengths do not drift. gamma = 1: openskill's damping would keep sigmas larger than the evidence.
        self._model = BradleyTerryFull(mu=0.0, sigma=PRIOR_SIGMA, beta=_BETA, tau=0.0, gamma=_undamped)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ratings)

    def get(self, player: str) -> Rating | None:
        """A player's rating; None before its first match."""
        return self._ratings.get(player)

    def add_match(self, first: str, second: str, *, won: int, tied: int, lost: int) -> None:
        """Updates both ratings by a match.

        Args:
            first: a player.
            second: another; a match of a player with itself changes nothing.
            won: deals that `first` won, at least 0.
            tied: deals that neither won.
            lost: deals that `second` won.
        """
        for outcome in _spread(won=won, tied=tied, lost=lost):
            self.add_deal(first, second, outcome)

    def add_deal(self, first: str, second: str, outcome: int) -> None:
        """Updates both ratings by one deal: `outcome` is above 0 if `first` won it, 0 for a tie, else below 0."""
        if first == second:
            return  # a player's deal with itself is no evidence
        players = [[self._as_player(first)], [self._as_player(second)]]
        (one,), (other,) = self._model.rate(players, ranks=[0 if outcome >= 0 else 1, 0 if outcome <= 0 else 1])
        for name, rated in ((first, one), (second, other)):
            self._ratings[name] = _start(name, 0.0) if name == ANCHOR else Rating(rated.mu, rated.sigma)

    def begin_at(self, player: str, predecessor: str) -> None:
        """Starts a player without matches at the rating of its predecessor, with the sigma of a new player."""
        before = self._ratings.get(predecessor)
        if before is not None and player not in self._ratings:
            self._ratings[player] = _start(player, before.mean)

    def state(self) -> dict[str, list[float]]:
        """All ratings as JSON."""
        return {name: list(rating) for name, rating in self._ratings.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restores what `state` returned.

        Raises:
            TypeError: the state has another form.
            ValueError: the state has another form.
        """
        ratings = cls()
        ratings._ratings = {name: Rating(*map(float, pair)) for name, pair in state.items()}
        return ratings

    def _as_player(self, name: str) -> BradleyTerryFullRating:
        rating = self._ratings.get(name) or _start(name, 0.0)
        return self._model.rating(mu=rating.mean, sigma=rating.sigma)


def network_name(iteration: int) -> str:
    """Name of an iteration's network among the players of a run; iteration 0 is what the run began with."""
    return f"iteration {iteration}"


def _start(name: str, mean: float) -> Rating:
    """The rating of a player before its first deal."""
    return Rating(0.0, _ANCHOR_SIGMA) if name == ANCHOR else Rating(mean, PRIOR_SIGMA)


def _undamped(*_: object) -> float:
    """Openskill's gamma, a factor of the evidence that shrinks a sigma: 1."""
    return 1.0


def _spread(*, won: int, tied: int, lost: int) -> Iterator[int]:
    """Outcomes 1, 0 and -1, as many as given, evenly mixed: earlier deals would count for less than later ones."""
    counts = {1: won, 0: tied, -1: lost}
    deals = sum(counts.values())
    given = dict.fromkeys(counts, 0)
    for deal in range(1, deals + 1):
        # Integers, so that rounding cannot decide.
        outcome = max(counts, key=lambda each: counts[each] * deal - given[each] * deals)
        given[outcome] += 1
        yield outcome
