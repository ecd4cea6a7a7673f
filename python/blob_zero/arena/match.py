"""Matches: two agents on the same deals. Each deal is played once for each seat that the first agent can have."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.arena.agent import Agent
from blob_zero.inference.evaluator import serving_threads
from blob_zero.selfplay.records import Stats, stats
from blob_zero.selfplay.serving import OnProgress, drive


@dataclass(frozen=True, kw_only=True)
class MatchRecord:
    """Results of a match: arrays int16[deals, players (rotation), players (seat)].

    In rotation r of a deal the first agent has seat r, and the second agent all other seats. Arrays of whole games are
    int16[games, players (rotation), rounds, players (seat)].

    Attributes:
        points: points of each seat.
        bids: bid of each seat.
        tricks: tricks that each seat won.
        trumps: int8[deals], or int8[games, rounds]: suits in the order S H C D, 4 for no trump.
        stats: what the match did.
    """

    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    trumps: NDArray[np.int8]
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
    """Plays `deals` deals, each `players` times: `a` has each seat once, and `b` has the others.

    Args:
        a: the agent in one seat.
        b: the agent in all other seats.
        players: 3 to 8.
        cards: cards dealt to each player.
        deals: number of deals; trump and dealer of each are drawn uniformly.
        seed: together with the number of a deal, the source of all its randomness.
        first_deal: number of the first deal.
        result_share: None plays single rounds. A share of 0 to 1, in steps of 0.01, plays whole games from `cards` down
            to 1 and up again, each in place of a deal; the share is the one of `SelfPlay`.
        rules: rule variants; Blob's own if None.
        threads: worker threads; one for each core if None.
        batch_rows: rows of a batch.
        progress: called about four times a second.

    Raises:
        ConfigError: a setting is out of its range.
        EvaluatorError: an evaluator breaks its contract.
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
        seating="rotate",
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
        # A deal has the same trump in each rotation.
        trumps=columns["trump"].astype(np.int8).reshape(shape[:-1])[:, 0],
        stats=stats(session, serving, seconds, rounds=len(columns["number"])),
    )
