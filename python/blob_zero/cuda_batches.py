"""Batches on a GPU: fixed memory, recorded graphs, and copies that go on beside the computing."""

import queue
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.network import ACTIONS, FEATURES

Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

# PyTorch's own classes have constructors without types.
_new_stream: Callable[[torch.device], torch.cuda.Stream] = torch.cuda.Stream
_new_event: Callable[[], torch.cuda.Event] = torch.cuda.Event

_WARM_UPS = 3
"""Runs before a graph is recorded: libraries choose their kernels and take their memory in the first ones."""


class CudaBatches:
    """Evaluates batches of one size on a GPU, as many at once as it has slots.

    A slot is a batch's memory on both sides, at addresses that never change, with a recorded graph between them. The
    thread that brings a batch takes a free slot and waits for its answer without the GIL.

    Args:
        forward: from raw features and legal actions to probabilities and values; it reads weights where they lie,
            so that new ones written in place are used by graphs recorded before.
        rows: rows of each batch.
        values: values of each row.
        device: a CUDA device.
        slots: batches at once.
        graphs: whether the operations are recorded once and replayed.
        pinned: whether host memory is page-locked, so that copies need not wait.
        copy_streams: whether copies have streams of their own beside the one that computes.
    """

    def __init__(
        self,
        forward: Forward,
        *,
        rows: int,
        values: int,
        device: torch.device,
        slots: int,
        graphs: bool,
        pinned: bool,
        copy_streams: bool,
    ) -> None:
        self._free: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        with torch.cuda.device(device):
            compute = _new_stream(device)
            # Whatever wrote the weights has to be done before another stream reads them.
            compute.wait_stream(torch.cuda.current_stream(device))
            for _ in range(slots):
                slot = _Slot(rows, values, device=device, compute=compute, pinned=pinned, copy_streams=copy_streams)
                slot.prepare(forward, graph=graphs)
                self._free.put(slot)
            torch.cuda.synchronize(device)

    def __call__(
        self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Policy float32[rows, 52] and values float32[rows, values], in memory of their own."""
        slot = self._free.get()
        try:
            return slot.evaluate(features, legal)
        finally:
            self._free.put(slot)


class _Slot:
    """The memory of one batch on host and device, and its way through the streams."""

    def __init__(
        self,
        rows: int,
        values: int,
        *,
        device: torch.device,
        compute: torch.cuda.Stream,
        pinned: bool,
        copy_streams: bool,
    ) -> None:
        self.device = device
        self.compute = compute
        self.copy_in = _new_stream(device) if copy_streams else compute
        self.copy_out = _new_stream(device) if copy_streams else compute
        self.loaded, self.computed, self.copied = (_new_event() for _ in range(3))
        shapes = {
            "features": ((rows, FEATURES), torch.uint8),
            "legal": ((rows, ACTIONS), torch.bool),
            "policy": ((rows, ACTIONS), torch.float32),
            "values": ((rows, values), torch.float32),
        }
        self.host = {
            name: torch.zeros(shape, dtype=dtype, pin_memory=pinned) for name, (shape, dtype) in shapes.items()
        }
        self.there = {name: torch.zeros(shape, dtype=dtype, device=device) for name, (shape, dtype) in shapes.items()}
        self.run: Callable[[], None] = lambda: None

    def prepare(self, forward: Forward, *, graph: bool) -> None:
        """Warm up, and record the graph if there is to be one."""

        def compute() -> None:
            policy, values = forward(self.there["features"], self.there["legal"])
            self.there["policy"].copy_(policy)
            self.there["values"].copy_(values)

        self.run = compute
        torch.cuda.synchronize(self.device)
        with torch.inference_mode(), torch.cuda.stream(self.compute):
            for _ in range(_WARM_UPS):
                compute()
            if graph:
                self.compute.synchronize()
                recorded = torch.cuda.CUDAGraph()
                # Other threads may use the device meanwhile, for training or another network.
                with torch.cuda.graph(recorded, stream=self.compute, capture_error_mode="thread_local"):
                    compute()
                self.run = recorded.replay

    def evaluate(
        self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Copy in, compute, copy out, and wait for the end of it."""
        host, there = self.host, self.there
        np.copyto(host["features"].numpy(), features)
        np.copyto(host["legal"].numpy(), legal)
        with torch.inference_mode(), torch.cuda.device(self.device):
            with torch.cuda.stream(self.copy_in):
                there["features"].copy_(host["features"], non_blocking=True)
                there["legal"].copy_(host["legal"], non_blocking=True)
                self.loaded.record(self.copy_in)
            with torch.cuda.stream(self.compute):
                self.compute.wait_event(self.loaded)
                self.run()
                self.computed.record(self.compute)
            with torch.cuda.stream(self.copy_out):
                self.copy_out.wait_event(self.computed)
                host["policy"].copy_(there["policy"], non_blocking=True)
                host["values"].copy_(there["values"], non_blocking=True)
                self.copied.record(self.copy_out)
            self.copied.synchronize()
        # The next batch writes this memory again, perhaps before the answer is read.
        return host["policy"].numpy().copy(), host["values"].numpy().copy()
