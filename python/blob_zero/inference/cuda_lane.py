"""The lane of a GPU: copies to it, one replay of a graph, copies back."""

import numpy as np
import torch

from blob_zero.inference.gpu import Gpu
from blob_zero.inference.lane import BatchArrays, BatchMemory, ForwardPass


class CudaLane:
    """Copies a batch to a GPU, has it computed on fixed memory, and copies the outputs back.

    A lane waits for its own batch only, so two or more lanes, each on its thread, keep the GPU busy.

    Args:
        rows: rows of the fixed memory.
        values: values of the network.
        forward: the network.
        gpu: its streams.
        graphs: whether the work of a batch is captured once and replayed with one launch.
        pinned: whether batches in memory that is not page-locked go through memory that is, which lets copies run
            beside other work.
        copy_streams: whether copies have streams of their own.
    """

    def __init__(
        self,
        rows: int,
        values: int,
        *,
        forward: ForwardPass,
        gpu: Gpu,
        graphs: bool = True,
        pinned: bool = True,
        copy_streams: bool = True,
    ) -> None:
        self.rows = rows
        self._gpu = gpu
        self._copy_in = gpu.copy_in if copy_streams else gpu.compute
        self._copy_out = gpu.copy_out if copy_streams else gpu.compute
        with gpu.use(), torch.inference_mode():
            self._between = BatchMemory(rows, values, device=torch.device("cpu"), pinned=True) if pinned else None
            self._fixed = fixed = BatchMemory(rows, values, device=gpu.device)
            self._arrived, self._computed, self._returned = _new_event(), _new_event(), _new_event()

            def work() -> None:
                policy, values = forward(fixed.features, fixed.legal)
                fixed.policy.copy_(policy)
                fixed.values.copy_(values)

            if graphs:
                self._work = gpu.capture(work)
            else:
                gpu.warm_up(work)
                # The lanes' streams do not wait for this thread's.
                torch.cuda.synchronize(gpu.device)
                self._work = work

    def evaluate(self, batch: BatchArrays, *, locked: bool) -> None:
        """See `Lane`."""
        if locked or self._between is None:
            self._evaluate(batch)
            return
        between = self._between.arrays(len(batch.features))
        np.copyto(between.features, batch.features)
        np.copyto(between.legal, batch.legal)
        self._evaluate(between)
        np.copyto(batch.policy, between.policy)
        np.copyto(batch.values, between.values)

    def _evaluate(self, batch: BatchArrays) -> None:
        """Copies from and to the batch's memory. It must not change, or be freed, before this returns."""
        gpu, fixed, count = self._gpu, self._fixed, len(batch.features)
        features, legal, policy, values = batch.tensors()
        with gpu.use(), torch.inference_mode():
            with torch.cuda.stream(self._copy_in):
                fixed.features[:count].copy_(features, non_blocking=True)
                fixed.legal[:count].copy_(legal, non_blocking=True)
            self._arrived.record(self._copy_in)
            with torch.cuda.stream(gpu.compute):
                gpu.compute.wait_event(self._arrived)
                self._work()
            self._computed.record(gpu.compute)
            with torch.cuda.stream(self._copy_out):
                self._copy_out.wait_event(self._computed)
                policy.copy_(fixed.policy[:count], non_blocking=True)
                values.copy_(fixed.values[:count], non_blocking=True)
            self._returned.record(self._copy_out)
            self._returned.synchronize()


def _new_event() -> torch.cuda.Event:
    """An event that lets a thread that waits for it sleep: its core is the search's."""
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
