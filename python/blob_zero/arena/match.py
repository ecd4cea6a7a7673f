"""Matches: two agents on the same deals, each deal once with the first agent in every seat."""

import time
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.selfplay.engine import Stats, stats
from blob_zero.selfplay.serving import BatchEvaluator, Evaluator, OnProgress, drive, serving_threads


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A way to choose actions. Searching agents play the most visited action, without noise.

    Attributes:
        kind: "random", "rule", "rollout" or "network".
        evaluator: judges positions, for a network.
        worlds: worlds drawn for each search.
        simulations: simulations in each world.
        c_puct: weight of the prior against the value.
        fpu_reduction: how much less than its parent an unvisited action is taken to be worth.
        leaves_in_flight: leaves of one tree that may wait at once.
        virtual_loss: lost visits that a waiting leaf counts as.
    """

    kind: Literal["random", "rule", "rollout", "network"]
    evaluator: Evaluator | BatchEvaluator | None = None
    worlds: int = 3
    simulations: int = 30
    c_puct: float = 1.5
    fpu_reduction: float = 0.25
    leaves_in_flight: int = 1
    virtual_loss: int = 1

    @classmethod
    def random(cls) -> Self:
        """Uniformly over the legal actions."""
        return cls(kind="random")

    @classmethod
    def rule(cls) -> Self:
        """The rule bot."""
        return cls(kind="rule")

    @classmethod
    def rollout(cls, *, worlds: int = 3, simulations: int = 30, c_puct: float = 1.5) -> Self:
        """A search that judges positions by random playouts."""
        return cls(kind="rollout", worlds=worlds, simulations=simulations, c_puct=c_puct)

    @classmethod
    def network(
        cls,
        evaluator: Evaluator | BatchEvaluator,
        *,
        worlds: int = 3,
        simulations: int = 30,
        c_puct: float = 1.5,
        fpu_reduction: float = 0.25,
        leaves_in_flight: int = 1,
        virtual_loss: int = 1,
    ) -> Self:
        """A search that judges positions by an evaluator."""
        return cls(
            kind="network",
            evaluator=evaluator,
            worlds=worlds,
            simulations=simulations,
            c_puct=c_puct,
            fpu_reduction=fpu_reduction,
            leaves_in_flight=leaves_in_flight,
            virtual_loss=virtual_loss,
        )

    def spec(self, model: int) -> _core.AgentSpec:
        """The agent as the core takes it; `model` is the number its batches ask."""
        if self.kind == "random":
            return _core.AgentSpec.random()
        if self.kind == "rule":
            return _core.AgentSpec.rule()
        return _core.AgentSpec.search(
            evaluator=model if self.kind == "network" else "rollout",
            worlds=self.worlds,
            simulations=self.simulations,
            c_puct=self.c_puct,
            fpu_reduction=self.fpu_reduction,
            worlds_in_flight=None,
            leaves_in_flight=self.leaves_in_flight,
            virtual_loss=self.virtual_loss,
            noise_fraction=0.0,
            noise_alpha=1.0,
            temperature=0.0,
            final_temperature=0.0,
            temperature_decisions=0,
        )


@dataclass(frozen=True, kw_only=True)
class MatchRecord:
    """Results of a match, int16[deals, rotations, seats] each; rotations and seats are both the number of players.

    Of whole games, int16[games, rotations, rounds, seats]: each round of a game. In rotation r of a deal, seat r is
    played by the first agent and all other seats by the second.

    Attributes:
        points: points of each seat.
        bids: bid of each seat.
        tricks: tricks of each seat.
        stats: what the match did.
    """

    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    stats: Stats


def play_match(
    a: Agent,
    b: Agent,
    *,
    players: int,
    cards: int,
    deals: int,
    seed: int,
    first_deal: int = 0,
    result_share: float | None = None,
    rules: _core.RoundRules | None = None,
    threads: int | None = None,
    batch_rows: int = 1024,
    progress: OnProgress | None = None,
) -> MatchRecord:
    """Plays `deals` deals, each `players` times: once with `a` in every seat, `b` in the others.

    Args:
        a: the agent that sits alone.
        b: the agent in all other seats.
        players: 3 to 8.
        cards: cards dealt to each.
        deals: number of deals; trump and dealer of each are drawn uniformly.
        seed: with the number of a deal, all its randomness.
        first_deal: number of the first deal.
        result_share: None plays single rounds. A share of 0 to 1, in steps of 0.01, plays whole games from `cards` down
            to 1 and up again, each in place of a deal; searches play for so much of its result, as in `SelfPlay`.
        rules: rule variants; Blob's own if None.
        threads: worker threads; one for each core if None.
        batch_rows: rows of a batch.
        progress: called about four times a second.

    Raises:
        ConfigError: for a setting out of its range.
        EvaluatorError: if an evaluator breaks its contract.
    """
    started = time.perf_counter()
    evaluators = [agent.evaluator for agent in (a, b) if agent.evaluator is not None]
    # Two agents with one evaluator share its batches.
    shared = a.evaluator is b.evaluator or len(evaluators) < 2
    plan = _core.Plan(
        players=players,
        cards=cards,
        result_share=result_share,
        agents=[a.spec(0), b.spec(0 if shared else 1)],
        rounds=players * deals,
        seed=seed,
        first_round=players * first_deal,
        rotate=True,
        rules=rules,
        threads=threads,
        batch_rows=batch_rows,
        evaluator_threads=serving_threads(evaluators),
        record=False,
    )
    session = plan.start()
    serving = drive(session, evaluators, progress)
    seconds = time.perf_counter() - started
    columns = session.take_records()
    shape = (deals, players, players) if result_share is None else (deals, players, -1, players)
    return MatchRecord(
        points=columns["points"].reshape(shape),
        bids=columns["bids"].reshape(shape),
        tricks=columns["tricks"].reshape(shape),
        stats=stats(session, serving, seconds, rounds=len(columns["number"])),
    )
