"""A whole optimizer step as one CUDA graph: some 300 small kernels with one launch."""

from collections.abc import Callable

import torch
from torch import Tensor

from blob_zero.inference.gpu import Gpu
from blob_zero.learning.objective import Batch

_WARM_UPS = 3


class StepGraph:
    """Takes steps on batches of one size: the first three as they are, the fourth captured, and then replays.

    All of them read the same memory, which the batch is copied to. A number that changes from step to step, such as the
    learning rate, must be a tensor: a replay repeats the numbers that Python had at the capture.

    Args:
        step: takes a step on a batch and returns its result, float64[N], without waiting for the device.
        like: a batch of the size.
        results: numbers in a result, N.
        gpu: where it runs.
    """

    def __init__(self, step: Callable[[Batch], Tensor], like: Batch, *, results: int, gpu: Gpu) -> None:
        self._gpu = gpu
        self._batch = type(like)(*(torch.empty_like(part, memory_format=torch.contiguous_format) for part in like))
        self._result = torch.zeros(results, dtype=torch.float64, device=like.features.device)
        self._pool = torch.cuda.graph_pool_handle()
        self._left = _WARM_UPS
        self._needed = 0
        self._replay: Callable[[], None] | None = None

        def work() -> None:
            self._result.copy_(step(self._batch))

        self._work = work

    def __call__(self, batch: Batch) -> Tensor:
        """Takes a step.

        Raises:
            torch.OutOfMemoryError: the memory is too small; no step was taken.
        """
        with self._gpu.use():
            for fixed, column in zip(self._batch, batch, strict=True):
                fixed.copy_(column)
            if self._left:
                self._needed = self._gpu.run_aside(self._work)
                self._left -= 1
            else:
                if self._replay is None:
                    self._replay = self._gpu.record(self._work, needed=self._needed, pool=self._pool)
                self._replay()
            return self._result.clone()
