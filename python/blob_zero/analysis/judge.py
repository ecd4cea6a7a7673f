"""Judges: what each legal action of a position is worth, without a search."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import Evaluator

Floats = NDArray[np.float64]

MAX_WORLDS = 1 << 16
"""Most worlds of a playout judge: some seconds for one decision."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the legal actions of one observation are worth. Rows are the A legal actions in ascending order.

    Attributes:
        actions: the legal actions.
        policy: [A] probability that the judge takes the action, summing to 1.
        points: [A] expected own points of the round after the action.
        make: [A] chance that the own bid is made exactly.
        tricks: [A, 14] distribution of the own tricks at the end of the round.
        seat_points: [A, players] expected points of each seat, absolute.
        evaluations: what it cost: rows through a network, or playouts.
    """

    actions: tuple[int, ...]
    policy: Floats
    points: Floats
    make: Floats
    tricks: Floats
    seat_points: Floats
    evaluations: int

    @property
    def best(self) -> int:
        """The row with most expected points."""
        return int(self.points.argmax())


class Judge(Protocol):
    """Judges positions by what the seat to play knows."""

    @property
    def name(self) -> str:
        """How a user names this judge."""

    @property
    def evaluator(self) -> Literal["rollout"] | Evaluator:
        """What judges the positions of a search that this judge is asked for."""

    def judge(self, observations: Sequence[_core.Observation]) -> list[Judgement]:
        """The judgement of each observation; each is of the seat to play.

        A judgement depends on its observation alone, not on those beside it.
        """


class PlayoutJudge:
    """Judges without a network: each legal action in the same sampled worlds, played out by the rule bot in every seat.

    Its policy is a softmax over expected points at a temperature of one point.

    Args:
        worlds: worlds of each position, 1 to 65,536. The error of a difference falls with their square root.
        seed: of the worlds.
    """

    def __init__(self, worlds: int = 64, seed: int = 0) -> None:
        if not 1 <= worlds <= MAX_WORLDS:
            raise ConfigError(f"{worlds} worlds; a judge by playouts takes 1 to {MAX_WORLDS}")
        self.worlds = worlds
        self.seed = seed

    @property
    def name(self) -> str:
        """Such as `flat:64`."""
        return f"flat:{self.worlds}"

    @property
    def evaluator(self) -> Literal["rollout"]:
        """Random playouts."""
        return "rollout"

    def judge(self, observations: Sequence[_core.Observation]) -> list[Judgement]:
        """The judgement of each observation."""
        seeds = [seed_of(observation, self.seed) for observation in observations]
        found = _core.action_playouts(observations, seeds=seeds, worlds=self.worlds)
        return [
            self._judgement(observation, tricks, made, points)
            for observation, (tricks, made, points) in zip(observations, found, strict=True)
        ]

    def _judgement(
        self, observation: _core.Observation, tricks: NDArray[np.uint32], made: NDArray[np.uint32], points: Floats
    ) -> Judgement:
        own = points[:, observation.seat]
        weights = np.exp(own - own.max())
        return Judgement(
            actions=tuple(observation.legal_actions()),
            policy=weights / weights.sum(),
            points=own,
            make=made / self.worlds,
            tricks=tricks / self.worlds,
            seat_points=points,
            evaluations=self.worlds * len(own),
        )


def seed_of(observation: _core.Observation, seed: int) -> int:
    """A seed for the randomness of one decision, which depends on what the seat knows and on nothing before it."""
    known = seed.to_bytes(8, "little") + observation.encode_bytes().tobytes()
    return int.from_bytes(hashlib.blake2b(known, digest_size=8).digest(), "little") >> 1
