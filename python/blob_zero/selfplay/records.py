"""What a session of the core leaves: training rows, results of rounds, and statistics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.serving import Serving


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a session did.

    Attributes:
        rounds: rounds finished; a whole game counts as its rounds.
        decisions: decisions taken; forced actions do not count.
        simulations: simulations of all searches.
        evaluations: evaluations requested by the searches.
        repeats: evaluations that an equal row of the round had already.
        batches: batches handed to the evaluator.
        rows: filled rows in these batches.
        batch_rows: rows of a full batch.
        seconds: time from start to end.
        serving: how the threads that serve the evaluator spent that time.
    """

    rounds: int
    decisions: int
    simulations: int
    evaluations: int
    repeats: int
    batches: int
    rows: int
    batch_rows: int
    seconds: float
    serving: Serving

    @property
    def rounds_per_minute(self) -> float:
        """Rounds a minute."""
        return 60 * self.rounds / self.seconds

    @property
    def batch_fill(self) -> float | None:
        """Share of the batches' rows that were filled, above 0 and at most 1; None if there was no batch."""
        return self.rows / (self.batches * self.batch_rows) if self.batches else None


@dataclass(frozen=True, kw_only=True)
class Records:
    """Records of self-play: N rows of searched decisions, sorted by round and decision, and the results of the rounds.

    With `SearchOptions.own_view` each decision has a second row after its own: what one of the other seats knew there,
    in which no action is legal.

    Attributes:
        features: uint8[N, 256], encoded observations; multiply by `feature_scale()`.
        legal: bool[N, 52], legal actions, cards by relative rank as in the encoding.
        policy: float16[N, 52], share of each action in the root's visits, named as in `legal`; each row sums
            to 1, or is all 0 where no action is legal.
        values: float32[N, 8], result of the round in [-1, 1] for each relative seat, the row's own first; 0
            beyond the number of players. With `result_share` m: (1 - m) of the round's result plus m of the game's.
        root_values: float32[N, 8], mean value of the search's simulations, in the same order.
        round: uint64[N], number of the decision's round, or of its game.
        seat: uint8[N], the row's seat: the one that moved, unless no action is legal.
        number: uint64[rounds], numbers of the finished rounds, ascending; in whole games, of their games.
        game_round: uint8[rounds], number of the round in its game, from 0; 0 for rounds that stand alone.
        players: uint8[rounds], number of players.
        cards: uint8[rounds], cards dealt to each player.
        trump: uint8[rounds], the trump suit in the order S H C D, or 4 for no trump.
        points: int16[rounds, players], points of each seat; with `shapes` int16[rounds, 8], 0 beyond the players.
        bids: bids, in the same form.
        tricks: tricks won, in the same form.
        rounds: the rounds themselves, by column (`Session.take_records`): deal, actions and values, from which a
            `RoundStore` rebuilds any decision.
        carry_over: rounds left unfinished, with the decisions recorded in them so far.
        stats: what the session did.
    """

    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    values: NDArray[np.float32]
    root_values: NDArray[np.float32]
    round: NDArray[np.uint64]
    seat: NDArray[np.uint8]
    number: NDArray[np.uint64]
    game_round: NDArray[np.uint8]
    players: NDArray[np.uint8]
    cards: NDArray[np.uint8]
    trump: NDArray[np.uint8]
    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    rounds: dict[str, NDArray[Any]]
    carry_over: CarryOver
    stats: Stats


def stats(session: _core.Session, serving: Serving, seconds: float, *, rounds: int) -> Stats:
    """What a finished session did in `seconds`."""
    done = session.progress()
    return Stats(
        rounds=rounds,
        decisions=done.decisions,
        simulations=done.simulations,
        evaluations=done.evaluations,
        repeats=done.repeats,
        batches=done.batches,
        rows=done.rows,
        batch_rows=session.batch_rows,
        seconds=seconds,
        serving=serving,
    )
