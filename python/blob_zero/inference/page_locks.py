"""Memory of the core that is page-locked, so that a GPU copies from and to it beside other work."""

import contextlib
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from types import ModuleType

import torch

from blob_zero._core import MemoryBlock
from blob_zero.inference.gpu import Gpu

_PORTABLE = 1
"""cudaHostRegisterPortable: locked for every GPU of the process."""

_users: Counter[int] = Counter()
"""How many sessions' locks each address has: CUDA refuses to lock memory twice."""

_kept: list[MemoryBlock] = []
"""Blocks that could not be unlocked. Freed, their addresses would mean other memory while CUDA knows the old."""

_changing = threading.Lock()


class PageLocks:
    """The page-locked blocks of one session. Each is locked when it is first seen, and kept until it is unlocked."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._blocks: dict[int, MemoryBlock] = {}

    def lock(self, block: MemoryBlock) -> bool:
        """Page-locks a block, unless that is done; returns whether it is locked.

        Where CUDA refuses, a warning says so, and no other block of this process is tried.
        """
        with _changing:
            address = block.address
            if address not in self._blocks:
                if not (_users[address] or self._register(block)):
                    return False
                self._blocks[address] = block
                _users[address] += 1
            return True

    def unlock_all(self) -> None:
        """Unlocks the blocks that no other session has locked. None may be at the GPU."""
        with _changing, self._gpu.use():
            while self._blocks:
                address, block = self._blocks.popitem()
                _users[address] -= 1
                if not _users[address]:
                    del _users[address]
                    if int(_runtime().cudaHostUnregister(address)):
                        _kept.append(block)

    def _register(self, block: MemoryBlock) -> bool:
        gpu = self._gpu
        if not gpu.locks_pages:
            return False
        with gpu.use():
            code = int(_runtime().cudaHostRegister(block.address, block.nbytes, _PORTABLE))
            if code:
                gpu.locks_pages = False
                # The failed call's error waits for the next kernel, which would seem to have failed.
                with contextlib.suppress(RuntimeError):
                    torch.ones(1, device=gpu.device)
                warnings.warn(
                    f"cannot page-lock the memory of batches for {gpu.device} (CUDA error {code}): they are copied "
                    "through memory that is, which is slower",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return not code


@contextlib.contextmanager
def page_locks(gpu: Gpu) -> Iterator[PageLocks]:
    """Page locks that are gone when the context ends, however it ends."""
    locks = PageLocks(gpu)
    try:
        yield locks
    finally:
        locks.unlock_all()


def _runtime() -> ModuleType:
    """CUDA's runtime; its functions return the number of an error as an enumeration, 0 for none."""
    runtime: ModuleType = torch.cuda.cudart()  # type: ignore[no-untyped-call]
    return runtime
