"""Matches with an agent that is a Python function: rounds move on together, a decision of each at a time.

Deals, seats and randomness are named as in the core, so that the same seed is the same deals with any agents.
"""

import hashlib
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.arena.agent import Agent
from blob_zero.arena.choose import choose
from blob_zero.selfplay.records import Stats
from blob_zero.selfplay.serving import Serving

Columns = dict[str, NDArray[Any]]
"""Results of rounds by name."""

_TOGETHER = 256
"""Rounds, or games, in progress at once: enough to fill the batches of an evaluator that the other agent has."""


class _Table:
    """A round or a whole game in progress."""

    def __init__(self, game: _core.Game, seats: Sequence[int], *, seed: int, stream: int) -> None:
        self.game = game
        self.seats = seats
        self.finished: list[_core.Round] = []
        self.decisions = 0
        self._seed, self._stream = seed, stream
        self.round = game.round
        self._play_forced()

    def decide(self, action: int) -> None:
        """Plays the action of a decision, and the forced ones after it."""
        self.decisions += 1
        self._play(action)
        self._play_forced()

    def decision_seed(self) -> int:
        """A seed for the decision that is due."""
        name = struct.pack("<QQQ", self._seed, self._stream, self.decisions)
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1

    def _play_forced(self) -> None:
        while len(legal := self.game.legal_actions()) == 1:
            self._play(legal[0])

    def _play(self, action: int) -> None:
        done = self.game.rounds_done
        self.game.play(action)
        if self.game.rounds_done > done:
            self.round.play(action)
            self.finished.append(self.round)
        self.round = self.game.round


def play_in_python(
    plan: _core.Plan, agents: Sequence[Agent], *, rounds: int, seed: int, first_round: int, rounds_of_a_stream: int
) -> tuple[Columns, Stats]:
    """Plays the rounds of a plan with agents of any kind.

    Args:
        plan: deals and seats.
        agents: the agents that the plan's seats name.
        rounds: rounds, or games, of the plan.
        seed: of the plan.
        first_round: of the plan.
        rounds_of_a_stream: rounds in a row whose decisions draw the same randomness.

    Returns:
        `points`, `bids` and `tricks` of each seat, int16[rounds, players], and `trump` int16[rounds]; and the
        statistics, which count no evaluations.
    """
    started = time.perf_counter()
    finished: list[_core.Round] = []
    decisions = 0
    for start in range(0, rounds, _TOGETHER):
        tables = [
            _Table(plan.deal(index), plan.seats(index), seed=seed, stream=(first_round + index) // rounds_of_a_stream)
            for index in range(start, min(start + _TOGETHER, rounds))
        ]
        _play_all(tables, agents)
        finished += [round_ for table in tables for round_ in table.finished]
        decisions += sum(table.decisions for table in tables)
    trumps = ["SHCD".index(round_.trump) if round_.trump else 4 for round_ in finished]
    return {
        "points": np.array([round_.scores() for round_ in finished], np.int16),
        "bids": np.array([round_.bids for round_ in finished], np.int16),
        "tricks": np.array([round_.tricks_won for round_ in finished], np.int16),
        "trump": np.array(trumps, np.int16),
    }, _stats(len(finished), decisions, time.perf_counter() - started)


def _stats(rounds: int, decisions: int, seconds: float) -> Stats:
    serving = Serving(
        batch_sizes=np.zeros(0, np.uint32), threads=1, total=seconds, waiting=0.0, evaluating=0.0, handing_over=0.0
    )
    return Stats(
        rounds=rounds,
        decisions=decisions,
        simulations=0,
        evaluations=0,
        repeats=0,
        batches=0,
        rows=0,
        batch_rows=1,
        seconds=seconds,
        serving=serving,
    )


def _play_all(tables: Sequence[_Table], agents: Sequence[Agent]) -> None:
    running = [table for table in tables if not table.game.done]
    while running:
        for number, agent in enumerate(agents):
            due = [table for table in running if table.seats[table.round.to_play or 0] == number]
            observations = [table.round.observe() for table in due]
            for table, action in zip(
                due, choose(agent, observations, [table.decision_seed() for table in due]), strict=True
            ):
                table.decide(action)
            running = [table for table in running if not table.game.done]
