"""What a GPU has once for the whole process: streams, the memory of graphs, and the lock of their capture."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

_WARM_UPS = 3

_gpus: dict[torch.device, "Gpu"] = {}
_making = threading.Lock()


def gpu(device: torch.device) -> "Gpu":
    """The streams and graph memory of a device, the same for all who ask.

    PyTorch hands out 32 streams for each device and then the same ones again, so that networks with streams of their
    own would wait for each other after eight.
    """
    with _making:
        if device not in _gpus:
            _gpus[device] = Gpu(device)
        return _gpus[device]


class Gpu:
    """A GPU's streams and graphs; made by `gpu`.

    Attributes:
        device: the GPU.
        compute: the stream that computes for all lanes, so that no two graphs run at the same time. They share memory,
            and cuBLAS's workspace of the stream that they were captured on.
        copy_in: the stream of copies to the GPU.
        copy_out: the stream of copies from it.
        locks_pages: whether memory of the core can be page-locked; false once the driver refused to.

    A fourth stream warms up and captures: what other threads put on `compute` meanwhile would end up in the graph.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.locks_pages = True
        with torch.cuda.device(device):
            self.compute, self.copy_in, self.copy_out, self._side = (_new_stream() for _ in range(4))
            self._pool = torch.cuda.graph_pool_handle()
        self._capturing = threading.Lock()

    def use(self) -> torch.cuda.device:
        """Makes it the thread's current device within a `with` block.

        Captures, events and compiled code take the current device, whatever device their tensors are on. It is a
        property of the thread, and 0 in each new one.
        """
        return torch.cuda.device(self.device)

    def warm_up(self, work: Callable[[], None]) -> int:
        """Runs the work three times: compilation, the choices of libraries and their workspaces come first.

        Returns:
            Bytes of memory that the last run took.
        """
        for _ in range(_WARM_UPS):
            needed = self.run_aside(work)
        return needed

    def run_aside(self, work: Callable[[], None]) -> int:
        """Runs the work on the stream that graphs are captured on; the thread's own stream waits for it.

        Returns:
            Bytes of memory that it took.
        """
        with self.use(), self._capturing:
            torch.cuda.reset_peak_memory_stats(self.device)
            before = torch.cuda.memory_allocated(self.device)
            current = torch.cuda.current_stream(self.device)
            self._side.wait_stream(current)
            with torch.cuda.stream(self._side):
                work()
            current.wait_stream(self._side)
            return max(torch.cuda.max_memory_allocated(self.device) - before, 0)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Warms the work up and captures it; returns a function that replays it on the same memory with one launch.

        These graphs share one pool of memory: each leaves its results in memory from outside the pool, and they run one
        after another on `compute`.

        Raises:
            torch.OutOfMemoryError: the GPU's memory is too small for the work, or for its graph.
        """
        needed = self.warm_up(work)
        torch.cuda.synchronize(self.device)
        return self.record(work, needed=needed, pool=self._pool)

    def record(self, work: Callable[[], None], *, needed: int, pool: "_POOL_HANDLE") -> Callable[[], None]:
        """Captures work that ran before and took `needed` bytes, which may come from a pool.

        Raises:
            torch.OutOfMemoryError: they are not there.
        """
        with self.use(), self._capturing:
            # A capture that fails leaves the allocator in doubt, so memory is asked for before it begins.
            block = torch.empty(needed, dtype=torch.uint8, device=self.device)
            del block
            graph = torch.cuda.CUDAGraph()
            # The outer block restores the thread's stream where a capture fails. Of other threads only what they do on
            # this stream counts: they may be evaluating meanwhile.
            with (
                torch.cuda.stream(self._side),
                torch.cuda.graph(graph, pool=pool, stream=self._side, capture_error_mode="thread_local"),
            ):
                work()
            return graph.replay


def _new_stream() -> torch.cuda.Stream:
    """A stream of the current device."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]
