"""Lanes: the fixed memory that one batch at a time goes through, on the CPU or to a GPU and back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.model.blobnet import ACTIONS, FEATURES

# PyTorch leaves the constructors of these two without types.
_new_stream: Callable[[torch.device], torch.cuda.Stream] = torch.cuda.Stream
_new_event: Callable[..., torch.cuda.Event] = torch.cuda.Event

Legal = npt.NDArray[np.bool_]
Answer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Raw features uint8[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, values]."""


class Lane(Protocol):
    """Takes one batch at a time, of always the same number of rows."""

    def evaluate(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate uint8[rows, 256] with bool[rows, 52]; the answer is in memory of its own."""


class _Memory:
    """Tensors for the inputs and outputs of a batch."""

    def __init__(self, rows: int, values: int, *, device: torch.device, pinned: bool = False) -> None:
        def zeros(width: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(rows, width, dtype=dtype, device=device, pin_memory=pinned)

        self.features = zeros(FEATURES, torch.uint8)
        self.legal = zeros(ACTIONS, torch.bool)
        self.policy = zeros(ACTIONS, torch.float32)
        self.values = zeros(values, torch.float32)

    def fill(self, features: npt.NDArray[np.uint8], legal: Legal) -> None:
        np.copyto(self.features.numpy(), features)
        np.copyto(self.legal.numpy(), legal)


class HostLane:
    """Computes a batch on the CPU, on the thread that brings it and no other."""

    def __init__(self, rows: int, values: int, *, forward: Forward) -> None:
        self._memory = _Memory(rows, values, device=torch.device("cpu"))
        self._forward = forward

    def evaluate(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate uint8[rows, 256] with bool[rows, 52]; the answer is in memory of its own."""
        self._memory.fill(features, legal)
        with _one_thread(), torch.inference_mode():
            policy, values = self._forward(self._memory.features, self._memory.legal)
            return policy.numpy(), values.numpy()


class Mark(Protocol):
    """A point in a stream's work, as `torch.cuda.Event`."""

    def synchronize(self) -> None:
        """Wait until the work before it is done."""


class Runtime(Protocol):
    """The three streams of a device, and what is asked of them; `CudaRuntime`, or a test's stand-in.

    The stages of a batch are "copy_in", "compute" and "copy_out", each a stream that all lanes share: while one lane
    computes, another's copies run.
    """

    device: torch.device
    pinned: bool

    def stage(self, name: str, after: Mark | None) -> AbstractContextManager[None]:
        """Within it, work goes to the stream of that stage, behind `after`."""

    def mark(self, name: str) -> Mark:
        """The point that a stage's stream has got to."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Warm the work up, and give what does it again on the same memory."""


class DeviceLane:
    """Copies a batch to a device, has it computed on fixed memory, and copies the answer back.

    A lane waits for its own batch only; so two or more lanes, each on its thread, keep the device busy.
    """

    def __init__(self, rows: int, values: int, *, forward: Forward, runtime: Runtime) -> None:
        self._runtime = runtime
        self._host = _Memory(rows, values, device=torch.device("cpu"), pinned=runtime.pinned)
        self._fixed = fixed = _Memory(rows, values, device=runtime.device)

        def work() -> None:
            policy, values = forward(fixed.features, fixed.legal)
            fixed.policy.copy_(policy)
            fixed.values.copy_(values)

        with torch.inference_mode():
            self._work = runtime.capture(work)

    def evaluate(self, features: npt.NDArray[np.uint8], legal: Legal) -> Answer:
        """Evaluate uint8[rows, 256] with bool[rows, 52]; the answer is in memory of its own."""
        runtime, host, fixed = self._runtime, self._host, self._fixed
        host.fill(features, legal)
        with torch.inference_mode():
            with runtime.stage("copy_in", None):
                fixed.features.copy_(host.features, non_blocking=True)
                fixed.legal.copy_(host.legal, non_blocking=True)
            arrived = runtime.mark("copy_in")
            with runtime.stage("compute", arrived):
                self._work()
            computed = runtime.mark("compute")
            with runtime.stage("copy_out", computed):
                host.policy.copy_(fixed.policy, non_blocking=True)
                host.values.copy_(fixed.values, non_blocking=True)
            runtime.mark("copy_out").synchronize()
        # The lane's next batch writes this memory again, perhaps before the answer is read.
        return host.policy.numpy().copy(), host.values.numpy().copy()


class CudaRuntime:
    """The streams of a GPU.

    Args:
        device: the GPU.
        graphs: whether work is captured in a CUDA graph and replayed, one launch for each batch.
        pinned: whether host memory is page-locked, which lets copies run beside everything else.
        copy_streams: whether copies have streams of their own.
    """

    def __init__(self, device: torch.device, *, graphs: bool, pinned: bool, copy_streams: bool) -> None:
        self.device = device
        self.pinned = pinned
        self.graphs = graphs
        compute = _new_stream(device)
        self._streams = {
            # One stream computes for all lanes: graphs captured on one stream share cuBLAS's workspace there,
            # and must not run at the same time.
            "compute": compute,
            "copy_in": _new_stream(device) if copy_streams else compute,
            "copy_out": _new_stream(device) if copy_streams else compute,
        }
        # Never the stream that computes: what other threads put there would end up in the graph.
        self._side = _new_stream(device)
        self._capturing = threading.Lock()

    @contextmanager
    def stage(self, name: str, after: Mark | None) -> Iterator[None]:
        """Within it, work goes to the stream of that stage, behind `after`."""
        stream = self._streams[name]
        with torch.cuda.stream(stream):
            if isinstance(after, torch.cuda.Event):
                stream.wait_event(after)
            yield

    def mark(self, name: str) -> Mark:
        """The point that a stage's stream has got to."""
        # A blocking event lets the waiting thread sleep; the core is the search's.
        event = _new_event(blocking=True)
        event.record(self._streams[name])
        return event

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Warm the work up on a side stream and, with graphs, capture it there."""
        with self._capturing:
            # The memory was cleared, and weights copied, on the current stream.
            self._side.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self._side):
                # Compilation, cuBLAS's choices and its workspace: none of it may happen during the capture.
                for _ in range(3):
                    work()
            self._side.synchronize()
            if not self.graphs:
                return work
            graph = torch.cuda.CUDAGraph()
            # Of other threads, only what they do on this stream counts: they may be evaluating meanwhile.
            with torch.cuda.graph(graph, stream=self._side, capture_error_mode="thread_local"):
                work()
            return graph.replay


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets PyTorch compute on the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
