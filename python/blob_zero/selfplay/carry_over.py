"""Rounds that self-play leaves unfinished at the end of a range, and that the next range finishes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_WIDE = {
    "round": (np.uint64, np.int64),
    "decisions": (np.uint16, np.int16),
    "recorded": (np.uint16, np.int16),
}
"""Columns whose unsigned integers PyTorch has no full support for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CarryOver:
    """C rounds, or games, between two decisions, by number; A decisions are taken in them, N rows recorded.

    Plain arrays, so that they can be saved. A round needs no random state: the randomness of each decision comes from
    the seed, the round's number and the decision's.

    Attributes:
        round: uint64[C], numbers of the rounds.
        decisions: uint16[C], decisions taken in each; they sum to A.
        recorded: uint16[C], rows recorded of each; they sum to N.
        action: uint8[A], the actions taken, round by round.
        features: uint8[N, 256], this and the rest as in `Records`.
        legal: bool[N, 52].
        policy: float16[N, 52].
        root_values: float32[N, 8].
        seat: uint8[N].
        game_round: uint8[N], number of the decision's round in its game; 0 where rounds stand alone.
    """

    round: NDArray[np.uint64]
    decisions: NDArray[np.uint16]
    recorded: NDArray[np.uint16]
    action: NDArray[np.uint8]
    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    root_values: NDArray[np.float32]
    seat: NDArray[np.uint8]
    game_round: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of rounds."""
        return len(self.round)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays as a file of tensors takes them: the same bytes, with signed integers where these are wide."""
        return {**self.arrays(), **{name: getattr(self, name).view(signed) for name, (_, signed) in _WIDE.items()}}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Restores what `state` returned.

        Raises:
            KeyError: an array is missing.
        """
        arrays = {field.name: state[field.name] for field in fields(cls)}
        return cls(**{**arrays, **{name: state[name].view(unsigned) for name, (unsigned, _) in _WIDE.items()}})
