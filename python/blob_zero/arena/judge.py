"""Who is stronger: matches on paired deals, and what can be said of them.

In a match every deal is played once from each seat by the first agent, with the second in all other seats.
Luck of the deal and of the seat is then the same for both, and the difference of their points is taken deal
by deal.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.config.schema import BatchRows, InferenceConfig, SearchConfig, parse_search
from blob_zero.errors import ConfigError
from blob_zero.inference.devices import auto_workers, resolve_device
from blob_zero.inference.inference import Inference
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import load_network
from blob_zero.seeds import Purpose, stream
from blob_zero.selfplay.sizes import auto_batch_rows

Verdict = Literal["beats", "not told apart", "loses to"]

RESAMPLES = 2000
"""Bootstrap samples; the interval's ends then move by about 2 % of its width from seed to seed."""


class MatchRecords(Protocol):
    """What a match leaves, each int16[deals, players, players] by deal, rotation and seat.

    In rotation r the first agent has seat r, and the second all others.
    """

    @property
    def points(self) -> npt.NDArray[np.int16]:
        """Points of each seat in each round."""

    @property
    def bids(self) -> npt.NDArray[np.int16]:
        """Tricks each seat said it would win."""

    @property
    def tricks(self) -> npt.NDArray[np.int16]:
        """Tricks each seat won."""


@dataclass(frozen=True)
class Side:
    """How one side of a match did; shares are of its bids and add up to 1."""

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
    """The first agent against the second."""

    deals: int
    first: Side
    second: Side
    difference: float
    """Points a round of the first less those of the second, mean over deals."""
    low: float
    """Lower end of the difference's 95 % interval."""
    high: float
    """Upper end of it."""
    won: int
    """Deals in which the first did better than the second."""
    tied: int
    """Deals in which they did equally well."""
    games_won: float | None = None
    """Share of games that the first won from its one seat, shared first places counted in part; None for rounds."""

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the first agent: it beats or loses to the second where 0 lies outside."""
        if self.low > 0:
            return "beats"
        return "loses to" if self.high < 0 else "not told apart"


def summarize(records: MatchRecords, *, seed: int = 0) -> MatchSummary:
    """Points, bids and the paired difference of a match, with its bootstrap interval by deal.

    Raises:
        ConfigError: fewer than 2 deals, of which no interval can be made.
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
    """For each deal the first agent's points less the mean of the other seats', mean over rotations.

    Args:
        points: [deals, players (rotation), players (seat)]; of whole games [games, rotation, rounds, seat].

    Returns:
        float64[deals], points a round.
    """
    players, rounds = points.shape[1], 1
    if points.ndim == 4:
        rounds = points.shape[2]
        points = points.sum(axis=2)
    first = np.diagonal(points, axis1=1, axis2=2).astype(np.int64)  # [deals, rotation]
    others = points.sum(axis=2) - first
    # Whole numbers to the end: equal play makes exactly 0.
    difference: npt.NDArray[np.float64] = ((players - 1) * first - others).sum(axis=1) / (
        players * (players - 1) * rounds
    )
    return difference


def bootstrap_interval(
    samples: npt.NDArray[np.float64], rng: np.random.Generator, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani 1993, chapter 13).

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


class Judge(Protocol):
    """Plays matches between a network and an opponent."""

    def match(self, net: BlobNet, opponent: "BlobNet | str", *, deals: int, seed: int) -> MatchSummary:
        """The network against another, or an agent named as in `parse_agent`, on the deals of a seed."""


class LocalJudge:
    """A judge that plays in this process.

    Args:
        players: seats.
        cards: cards dealt to each.
        search: the search that every network uses.
        inference: how networks answer it.
        device: where they do.
        batch_rows: rows in one batch; `auto` leaves them to the device and the number of rounds.
        threads: search threads; none is one for each core.
        result_share: None judges by single rounds; a share by whole games, as in `bz.play_match`.
    """

    def __init__(
        self,
        *,
        players: int,
        cards: int,
        search: SearchConfig,
        inference: InferenceConfig,
        device: str,
        batch_rows: BatchRows,
        threads: int | None = None,
        result_share: float | None = None,
    ) -> None:
        self.players = players
        self.cards = cards
        self.search = search
        self.inference = inference
        self.device = device
        self.batch_rows = batch_rows
        self.threads = threads
        self.result_share = result_share
        self._evaluators: dict[int, Inference] = {}

    def match(self, net: BlobNet, opponent: BlobNet | str, *, deals: int, seed: int) -> MatchSummary:
        """The network against another, or an agent named as in `parse_agent`, on the deals of a seed."""
        first = self.network_agent(net, side=0)
        second = self.network_agent(opponent, side=1) if isinstance(opponent, BlobNet) else self.agent(opponent, side=1)
        return self.play(first, second, deals=deals, seed=seed)

    def play(self, first: bz.Agent, second: bz.Agent, *, deals: int, seed: int) -> MatchSummary:
        """Any agent against any other."""
        return summarize(self.records(first, second, cards=self.cards, deals=deals, seed=seed), seed=seed)

    def records(self, first: bz.Agent, second: bz.Agent, *, cards: int, deals: int, seed: int) -> bz.MatchRecord:
        """What a match of any agent against any other left, with this many cards dealt to each."""
        rows = self._rows((first, second), rounds=self.players * deals)
        for agent in (first, second):
            if isinstance(agent.evaluator, Inference):
                agent.evaluator.prepare(rows)  # before the match is timed
        return bz.play_match(
            first,
            second,
            players=self.players,
            cards=cards,
            deals=deals,
            seed=seed,
            result_share=self.result_share,
            threads=self.threads,
            batch_rows=rows,
        )

    def _rows(self, agents: tuple[bz.Agent, bz.Agent], *, rounds: int) -> int:
        if self.batch_rows != "auto":
            return self.batch_rows
        device = resolve_device(self.device).type
        leaves = rounds * max(agent.worlds * agent.leaves_in_flight for agent in agents)
        return auto_batch_rows(device, workers=auto_workers(device), leaves=leaves)

    def agent(self, text: str, *, side: Literal[0, 1]) -> bz.Agent:
        """The agent of a name, as in `parse_agent`, for one side of the next match."""
        spec = parse_agent(text)
        match spec:
            case "random":
                return bz.Agent.random()
            case "rule":
                return bz.Agent.rule()
            case SearchConfig():
                # With the constants of every run, not this one's: a fixed opponent is the same everywhere.
                return bz.Agent.rollout(worlds=spec.worlds, simulations=spec.simulations)
            case Path():
                return self.network_agent(load_network(spec), side=side)

    def network_agent(self, net: BlobNet, *, side: Literal[0, 1], search: SearchConfig | None = None) -> bz.Agent:
        """A network with a search, the judge's if none; one evaluator a side is kept, so that compiled code stays."""
        search = search or self.search
        evaluator = self._evaluators.get(side)
        if evaluator is None or evaluator.shape != net.shape:
            evaluator = Inference(net, device=self.device, **self.inference.model_dump())
            self._evaluators[side] = evaluator
        else:
            evaluator.load(net)
        return bz.Agent.network(
            evaluator,
            worlds=search.worlds,
            simulations=search.simulations,
            c_puct=search.c_puct,
            fpu_reduction=search.fpu_reduction,
            leaves_in_flight=search.leaves_in_flight,
            virtual_loss=search.virtual_loss,
        )


def parse_agent(text: str) -> Literal["random", "rule"] | SearchConfig | Path:
    """Read an agent's name: `random`, `rule`, `rollout:WxS` (random rollouts), or the path of a network.

    Raises:
        ConfigError: it is none of these.
    """
    if text == "random":
        return "random"
    if text == "rule":
        return "rule"
    if text.startswith("rollout:"):
        return parse_search(text.removeprefix("rollout:"))
    path = Path(text)
    if not path.exists():
        raise ConfigError(
            f"unknown agent {text!r}: should be random, rule, rollout:WxS, or a path of a run or checkpoint"
        )
    return path


def _side(records: MatchRecords, mine: npt.NDArray[np.bool_]) -> Side:
    bids, tricks = records.bids[mine], records.tricks[mine]
    return Side(
        points=float(records.points[mine].mean()),
        exact=float((tricks == bids).mean()),
        over=float((tricks > bids).mean()),
        under=float((tricks < bids).mean()),
    )
