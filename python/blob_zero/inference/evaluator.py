"""What an evaluator is: anything that judges positions for the search."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from blob_zero._core import Batch

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Policy float32[B, 52] over actions, and values float32[B, 8] in [-1, 1] by relative seat."""


class Evaluator(Protocol):
    """A function of positions: BlobNet behind `Inference`, or any other."""

    def __call__(self, features: NDArray[np.float32], legal: NDArray[np.bool_], /) -> Outputs:
        """Judges positions.

        Args:
            features: float32[B, 256], encoded observations of the seat to move (docs/observation.md).
            legal: bool[B, 52], the legal actions of that seat, cards by relative rank as in the encoding. A search with
                `own_view` also asks for rows of a seat that does not move, where none is legal and the first value
                alone counts.

        Returns:
            Policy float32[B, 52], probabilities of the actions, named as in `legal`. The search keeps the legal ones
            and scales them to sum to 1. Values float32[B, 8] in [-1, 1], one for each relative seat, the seat to move
            first, on the scale `2 * score / (10 + cards) - 1`. Values beyond the number of players are ignored.
        """
        ...


@runtime_checkable
class BatchEvaluator(Protocol):
    """An evaluator that takes whole buffers of one shape, as they lie in memory.

    An attribute `workers` above 1 lets that many threads call it at once.
    """

    def evaluate_batch(self, features: NDArray[np.uint8], legal: NDArray[np.bool_], /) -> Outputs:
        """Judges all rows of a buffer.

        Args:
            features: uint8[batch_rows, 256]; multiply by `feature_scale()`. Rows past the filled ones are stale but
                valid. Read-only, and not to be kept after the call.
            legal: bool[batch_rows, 52]. A row that was never filled has no legal action.

        Returns:
            Policy float32[batch_rows, 52] and values float32[batch_rows, 8], as for `Evaluator`.
        """
        ...


@runtime_checkable
class InPlaceEvaluator(BatchEvaluator, Protocol):
    """A batch evaluator that can write its outputs into a batch's own memory, which saves copies."""

    def in_place(self) -> AbstractContextManager[Callable[[Batch], None]]:
        """Serves the batches of one session.

        Returns:
            A context. Within it, a function that evaluates `features` and `legal` of a batch and writes `policy` and
            `values` of all its rows, and keeps none of these arrays; `workers` threads may call it at once. At its end
            nothing of the session's memory is in use.
        """
        ...


def serving_threads(evaluators: Sequence[Evaluator | BatchEvaluator]) -> int:
    """Number of threads that may call all of these evaluators at once; 1 for an evaluator without `workers`."""
    return min((getattr(evaluator, "workers", 1) for evaluator in evaluators), default=1)
