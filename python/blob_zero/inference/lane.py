"""A lane: the fixed memory that one batch at a time goes through, and the arrays of a batch."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.model.blobnet import ACTIONS, FEATURES

Features = npt.NDArray[np.uint8]
Legal = npt.NDArray[np.bool_]
ForwardPass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Features uint8[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, values]."""


class BatchArrays(NamedTuple):
    """The inputs of a batch and the room for its outputs."""

    features: Features
    """uint8[B, 256]"""
    legal: Legal
    """bool[B, 52]"""
    policy: npt.NDArray[np.float32]
    """float32[B, 52]"""
    values: npt.NDArray[np.float32]
    """float32[B, 8]"""

    def part(self, rows: slice) -> "BatchArrays":
        """Views of some rows."""
        return BatchArrays(self.features[rows], self.legal[rows], self.policy[rows], self.values[rows])

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The arrays as tensors on the same memory."""
        inputs = _readable(self.features), _readable(self.legal)
        return *inputs, torch.from_numpy(self.policy), torch.from_numpy(self.values)


class Lane(Protocol):
    """Computes one batch at a time, for one thread at a time."""

    rows: int
    """Rows that it computes, however few of them a batch has."""

    def evaluate(self, batch: BatchArrays, *, locked: bool) -> None:
        """Evaluates at most `rows` rows and writes their outputs.

        Args:
            batch: the rows.
            locked: whether their memory is page-locked for the lane's device.
        """


class BatchMemory:
    """Tensors for the inputs and outputs of a batch.

    Rows that are not filled are stale but valid: at first they have no legal action, which is harmless.
    """

    def __init__(self, rows: int, values: int, *, device: torch.device, pinned: bool = False) -> None:
        def zeros(width: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(rows, width, dtype=dtype, device=device, pin_memory=pinned)

        self.features = zeros(FEATURES, torch.uint8)
        self.legal = zeros(ACTIONS, torch.bool)
        self.policy = zeros(ACTIONS, torch.float32)
        self.values = zeros(values, torch.float32)

    def arrays(self, rows: int) -> BatchArrays:
        """Arrays on the first rows of host memory."""
        return BatchArrays(*(tensor[:rows].numpy() for tensor in (self.features, self.legal, self.policy, self.values)))


class _WritableView:
    """Says that an array can be written: PyTorch warns of one that cannot, though it only reads it."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}
        self._array = array


def _readable(array: npt.NDArray[Any]) -> Tensor:
    """A tensor to read an array by, on its memory unless its numbers are not in order there."""
    ordered = np.ascontiguousarray(array)
    return torch.from_numpy(ordered if ordered.flags.writeable else np.asarray(_WritableView(ordered)))
