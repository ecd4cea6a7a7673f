"""Matches: two agents on the same deals. Each deal is played once for each seat that the first agent can have."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.arena.agent import Agent
from blob_zero.arena.python_match import Columns, play_in_python
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator, serving_threads
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
        rounds: the rounds by column, as `Session.take_records` has them, rotation by rotation of each deal; None where
            an agent was a Python function.
    """

    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    trumps: NDArray[np.int8]
    stats: Stats
    rounds: dict[str, NDArray[Any]] | None = None


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
    return _play(
        (a, b),
        "rotate",
        players=players,
        cards=cards,
        deals=deals,
        seed=seed,
        first_deal=first_deal,
        result_share=result_share,
        rules=rules,
        threads=threads,
        batch_rows=batch_rows,
        progress=progress,
    )


def play_in_field(
    guest: Agent | None,
    field: Agent,
    *,
    players: int,
    cards: int,
    deals: int,
    seed: int,
    result_share: float | None = None,
    rules: _core.RoundRules | None = None,
    threads: int | None = None,
    batch_rows: int = 1024,
    progress: OnProgress | None = None,
) -> MatchRecord:
    """Plays `deals` deals with `guest` in each seat once and `field` in the others, or with `field` in every seat.

    The rounds of a deal share the randomness of their decisions, and they share it with the round in which `field` has
    every seat. They differ from it only from the guest's first different action.

    Args:
        guest: the agent in one seat; None plays the field alone. The arrays then have no axis of rotations.
        field: the agent in all other seats.
        players: 3 to 8.
        cards: cards dealt to each player.
        deals: number of deals.
        seed: together with the number of a deal, the source of all its randomness.
        result_share: as in `play_match`.
        rules: rule variants; Blob's own if None.
        threads: worker threads; one for each core if None.
        batch_rows: rows of a batch.
        progress: called about four times a second.

    Raises:
        ConfigError: a setting is out of its range.
        EvaluatorError: an evaluator breaks its contract.
    """
    return _play(
        (field,) if guest is None else (guest, field),
        "one" if guest is None else "field",
        players=players,
        cards=cards,
        deals=deals,
        seed=seed,
        result_share=result_share,
        rules=rules,
        threads=threads,
        batch_rows=batch_rows,
        progress=progress,
    )


def _play(
    agents: Sequence[Agent],
    seating: Literal["one", "rotate", "field"],
    *,
    players: int,
    cards: int,
    deals: int,
    seed: int,
    first_deal: int = 0,
    result_share: float | None,
    rules: _core.RoundRules | None = None,
    threads: int | None,
    batch_rows: int,
    progress: OnProgress | None,
) -> MatchRecord:
    rotations = 1 if seating == "one" else players
    # The core plays no Python function: its plan then only deals.
    in_python = any(agent.kind == "function" for agent in agents)
    evaluators = list(
        {id(agent.evaluator): agent.evaluator for agent in agents if agent.evaluator is not None}.values()
    )
    # Two agents with one evaluator share its batches.
    models = [0 if agent.evaluator is evaluators[0] else 1 for agent in agents] if evaluators else [0] * len(agents)
    specs = [agent.spec(model) for agent, model in zip(agents, models, strict=True) if not in_python]
    plan = _core.Plan(
        players=players,
        cards=cards,
        result_share=result_share,
        agents=specs or [_core.AgentSpec.rule()] * len(agents),
        rounds=rotations * deals,
        seed=seed,
        first_round=rotations * first_deal,
        seating=seating,
        rules=rules,
        threads=threads,
        batch_rows=batch_rows,
        evaluator_threads=serving_threads(evaluators),
        record=False,
    )
    rounds: dict[str, NDArray[Any]] | None = None
    if in_python:
        stream = players if seating == "field" else 1
        columns, done = play_in_python(
            plan,
            agents,
            rounds=rotations * deals,
            seed=seed,
            first_round=rotations * first_deal,
            rounds_of_a_stream=stream,
        )
    else:
        columns, rounds, done = _play_in_core(plan, evaluators, progress)
    shape = (deals, rotations, players) if result_share is None else (deals, rotations, -1, players)
    seats = {name: columns[name].reshape(shape) for name in ("points", "bids", "tricks")}
    if seating == "one":
        seats = {name: column[:, 0] for name, column in seats.items()}
    return MatchRecord(
        **seats,
        # A deal has the same trump in each rotation.
        trumps=columns["trump"].astype(np.int8).reshape(shape[:-1])[:, 0],
        stats=done,
        rounds=rounds,
    )


def _play_in_core(
    plan: _core.Plan, evaluators: Sequence[Evaluator | BatchEvaluator], progress: OnProgress | None
) -> tuple[Columns, dict[str, NDArray[Any]], Stats]:
    started = time.perf_counter()
    session = plan.start()
    serving = drive(session, evaluators, progress)
    seconds = time.perf_counter() - started
    taken = session.take_records()
    columns = {name: taken[name] for name in ("points", "bids", "tricks", "trump")}
    return columns, taken["rounds"], stats(session, serving, seconds, rounds=len(columns["trump"]))
