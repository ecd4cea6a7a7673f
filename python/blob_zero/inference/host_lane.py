"""The lane of a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from blob_zero.inference.evaluator import Outputs
from blob_zero.inference.lane import BatchMemory, Features, ForwardPass, Legal


class HostLane:
    """Computes a batch on the calling thread alone."""

    def __init__(self, rows: int, values: int, *, forward: ForwardPass) -> None:
        self.rows = rows
        self._memory = BatchMemory(rows, values, device=torch.device("cpu"))
        self._forward = forward

    def evaluate(self, features: Features, legal: Legal) -> Outputs:
        """See `Lane`."""
        self._memory.fill(features, legal)
        with _one_thread(), torch.inference_mode():
            policy, values = self._forward(self._memory.features, self._memory.legal)
        return policy[: len(features)].numpy(), values[: len(features)].numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Lets PyTorch compute on the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
