"""What an error of PyTorch means: memory that is short, a compiler that cannot work here, or a defect."""

import re
from collections.abc import Iterator

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|_STATUS_ALLOC_FAILED|unable to allocate", re.IGNORECASE
)
_DEVICE_FAILED = re.compile(r"CUDA error|CUBLAS_STATUS|CUDNN_STATUS|device-side assert")
_NO_COMPILER = re.compile(
    r"(torch\.compile|Dynamo)\b.* not (yet )?supported|supported for torch\.compile|Failed to find C compiler"
)

# By name: importing the compiler takes seconds, and releases of PyTorch keep these classes in different modules.
_CANNOT_COMPILE = {
    "BackendCompilerFailed",  # the compiler failed, whatever the reason
    "InductorError",
    "InvalidBackend",
    "InvalidCxxCompiler",  # no C++ compiler
    "CppCompileError",
    "CUDACompileError",
    "TritonMissing",
    "TritonUnavailableError",
    "GPUTooOldForTriton",
    "LoweringException",
    "Unsupported",  # this release cannot trace the network
}


def is_memory_shortage(error: BaseException) -> bool:
    """Whether an error says that the memory of a device, or of the computer, is exhausted.

    PyTorch raises `torch.OutOfMemoryError` for its own allocations only. CUDA and its libraries report a shortage as a
    plain `RuntimeError`, and an error that ends a graph's capture hides the shortage that caused it.
    """
    return any(
        isinstance(cause, MemoryError)
        or type(cause).__name__ == "OutOfMemoryError"
        or (isinstance(cause, RuntimeError) and _OUT_OF_MEMORY.search(str(cause)) is not None)
        for cause in _causes(error)
    )


def cannot_compile(error: BaseException) -> bool:
    """Whether an error says that torch.compile cannot work here, so that the same code may run without it.

    Other errors are defects, of this package or of the device, and come again without the compiler.
    """
    causes = list(_causes(error))
    if any(_DEVICE_FAILED.search(str(cause)) for cause in causes):
        return False
    return any(
        any(kind.__name__ in _CANNOT_COMPILE for kind in type(cause).__mro__)
        or (isinstance(cause, RuntimeError) and _NO_COMPILER.search(str(cause)) is not None)
        for cause in causes
    )


def one_line(error: BaseException) -> str:
    """The class of an error and the first line of its message."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, or while handling, each once."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        cause = left.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            left += [cause.__cause__, cause.__context__, getattr(cause, "inner_exception", None)]
