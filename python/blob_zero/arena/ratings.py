"""Ratings: one number for the strength of each of many players, from matches between some of them.

A deal is a game between two players: who has the better paired difference wins it. Ratings are those of openskill's
Bradley-Terry model (Weng and Lin 2011, "A Bayesian approximation method for online ranking"), on the scale of Elo: a
player rated 400 higher wins ten deals for each that it loses.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from openskill.models import BradleyTerryFull, BradleyTerryFullRating

ANCHOR = "rule"
"""The player at 0, where it plays: it never changes, and trained networks are near enough to lose some deals to it."""

PRIOR_SIGMA = 350.0
"""Standard deviation of a rating of which nothing is known: a player may well lose nine deals of ten."""

INTERVAL_SIGMAS = 1.96
"""Standard deviations on either side of a rating that make its 95 % interval."""

# Between well-known ratings the model's odds are exp(difference / (beta * sqrt(2))); on Elo's scale 400 is 10 to 1.
_BETA = 400 / (math.log(10) * math.sqrt(2))

_ANCHOR_SIGMA = 1e-3  # the model divides by its square


class Rating(NamedTuple):
    """What is believed of a player's strength: a normal distribution."""

    mean: float
    sigma: float


class Ratings:
    """Ratings by name of player, which change match by match.

    Everybody's strength is taken to stay as it is: a network that has learned more is another player.
    """

    def __init__(self) -> None:
        self._ratings: dict[str, Rating] = {}
        # tau: strengths do not drift. gamma: without openskill's own damping a sigma is what the evidence leaves of it.
        self._model = BradleyTerryFull(mu=0.0, sigma=PRIOR_SIGMA, beta=_BETA, tau=0.0, gamma=_undamped)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ratings)

    def get(self, player: str) -> Rating | None:
        """A player's rating; none if it has met nobody."""
        return self._ratings.get(player)

    def add_match(self, first: str, second: str, *, won: int, tied: int, lost: int) -> None:
        """Take in a match.

        Args:
            first: a player.
            second: another; a match of a player with itself changes nothing.
            won: deals that `first` won, at least 0.
            tied: deals that nobody won.
            lost: deals that `second` won.
        """
        for outcome in _spread(won=won, tied=tied, lost=lost):
            self.add_deal(first, second, outcome)

    def add_deal(self, first: str, second: str, outcome: int) -> None:
        """Take in one deal: `outcome` is above 0 where `first` did better, 0 for a tie, below 0 otherwise."""
        if first == second:
            return  # says nothing of it
        players = [[self._as_player(first)], [self._as_player(second)]]
        (one,), (other,) = self._model.rate(players, ranks=[0 if outcome >= 0 else 1, 0 if outcome <= 0 else 1])
        for name, rated in ((first, one), (second, other)):
            self._ratings[name] = _start(name, 0.0) if name == ANCHOR else Rating(rated.mu, rated.sigma)

    def begin_at(self, player: str, predecessor: str) -> None:
        """Expect of a player that has met nobody what its predecessor was worth, with all doubt."""
        before = self._ratings.get(predecessor)
        if before is not None and player not in self._ratings:
            self._ratings[player] = _start(player, before.mean)

    def state(self) -> dict[str, list[float]]:
        """All ratings as JSON."""
        return {name: list(rating) for name, rating in self._ratings.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Ratings that `state` gave.

        Raises:
            TypeError: it is of another form.
            ValueError: likewise.
        """
        ratings = cls()
        ratings._ratings = {name: Rating(*map(float, pair)) for name, pair in state.items()}
        return ratings

    def _as_player(self, name: str) -> BradleyTerryFullRating:
        rating = self._ratings.get(name) or _start(name, 0.0)
        return self._model.rating(mu=rating.mean, sigma=rating.sigma)


def network_name(iteration: int) -> str:
    """What the network that iteration `iteration` made is called among a run's players; 0 is the untrained one."""
    return f"iteration {iteration}"


def _start(name: str, mean: float) -> Rating:
    """What is believed of a player before its first deal."""
    return Rating(0.0, _ANCHOR_SIGMA) if name == ANCHOR else Rating(mean, PRIOR_SIGMA)


def _undamped(*_: object) -> float:
    """Return openskill's gamma, the share of the evidence by which a sigma shrinks: all of it."""
    return 1.0


def _spread(*, won: int, tied: int, lost: int) -> Iterator[int]:
    """Outcomes 1, 0 and -1 as often as given, evenly mixed: a row of wins first would count for less than the rest."""
    counts = {1: won, 0: tied, -1: lost}
    deals = sum(counts.values())
    given = dict.fromkeys(counts, 0)
    for deal in range(1, deals + 1):
        # Whole numbers, so that no rounding decides.
        outcome = max(counts, key=lambda each: counts[each] * deal - given[each] * deals)
        given[outcome] += 1
        yield outcome
