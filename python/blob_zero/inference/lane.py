"""A lane: the fixed memory that one batch at a time goes through."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.inference.evaluator import Outputs
from blob_zero.model.blobnet import ACTIONS, FEATURES

Features = npt.NDArray[np.uint8]
Legal = npt.NDArray[np.bool_]
ForwardPass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Features uint8[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, values]."""


class Lane(Protocol):
    """Computes one batch at a time, for one thread at a time."""

    rows: int
    """Rows that it computes, however few of them a batch has."""

    def evaluate(self, features: Features, legal: Legal) -> Outputs:
        """Evaluates uint8[B, 256] with bool[B, 52], B at most `rows`; the outputs are in memory of their own."""


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

    def fill(self, features: Features, legal: Legal) -> None:
        """Copies the first rows of host memory from arrays."""
        np.copyto(self.features.numpy()[: len(features)], features)
        np.copyto(self.legal.numpy()[: len(legal)], legal)
