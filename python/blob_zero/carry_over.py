"""Rounds that self-play leaves unfinished at the end of a range, for the next range to go on with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class CarryOver:
    """C rounds between two decisions, in the order of their numbers; A decisions are taken in them, N of them recorded.

    Plain arrays, so that they can be saved. A round needs no random state: the randomness of each decision comes from
    the seed, the round's number and the decision's.

    Attributes:
        round: uint64[C], numbers of the rounds.
        decisions: uint8[C], decisions taken in each; they sum to A.
        recorded: uint8[C], decisions recorded of each; they sum to N.
        action: uint8[A], the actions taken, round by round.
        features: uint8[N, 256], this and the rest as in `Records`.
        legal: bool[N, 52].
        policy: float16[N, 52].
        root_values: float32[N, 8].
        seat: uint8[N].
    """

    round: NDArray[np.uint64]
    decisions: NDArray[np.uint8]
    recorded: NDArray[np.uint8]
    action: NDArray[np.uint8]
    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    root_values: NDArray[np.float32]
    seat: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of rounds."""
        return len(self.round)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays as a file of tensors takes them: the same bytes, with signed numbers of rounds."""
        return {**self.arrays(), "round": self.round.view(np.int64)}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """The rounds that gave this state.

        Raises:
            KeyError: an array is missing.
        """
        arrays = {field.name: state[field.name] for field in fields(cls)}
        return cls(**{**arrays, "round": state["round"].view(np.uint64)})
