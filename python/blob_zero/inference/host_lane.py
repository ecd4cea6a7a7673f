"""The lane of a CPU."""

import torch

from blob_zero.inference.devices import torch_threads
from blob_zero.inference.lane import BatchArrays, BatchMemory, ForwardPass


class HostLane:
    """Computes a batch on the calling thread alone."""

    def __init__(self, rows: int, values: int, *, forward: ForwardPass) -> None:
        self.rows = rows
        # For batches with fewer rows.
        self._memory = BatchMemory(rows, values, device=torch.device("cpu"))
        self._forward = forward

    def evaluate(self, batch: BatchArrays, *, locked: bool) -> None:
        """See `Lane`."""
        del locked
        count = len(batch.features)
        features, legal, *room = batch.tensors()
        if count < self.rows:
            self._memory.features[:count].copy_(features)
            self._memory.legal[:count].copy_(legal)
            features, legal = self._memory.features, self._memory.legal
        with torch_threads(1), torch.inference_mode():
            for output, computed in zip(room, self._forward(features, legal), strict=True):
                output.copy_(computed[:count])
