"""torch.compile for the network and for the training step: which sizes are compiled, and how many."""

import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

COMPILED_ROWS = (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
"""Rows of a batch that the network is compiled for, others are padded to the next, or split.

Each takes up to a minute to compile, so a process must not meet new ones all the time.
"""

_VARIANTS = 256


def padded_rows(rows: int) -> int:
    """The smallest of `COMPILED_ROWS` that holds `rows` rows, or the largest of them."""
    return next((size for size in COMPILED_ROWS if size >= rows), COMPILED_ROWS[-1])


def rounded_rows(rows: int) -> int:
    """A number of rows that holds `rows` rows, at most an eighth more from 128 on, and one of few.

    On a CPU oneDNN builds a kernel for each number of rows that it meets, and keeps a thousand of them: 5 ms and 2 MB
    each for a network of 256 x 3, as much as a thousand rows take (docs/LOG.md).
    """
    step = max(16, 1 << max(rows.bit_length() - 4, 0))
    return -(-rows // step) * step


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, compiled for fixed shapes, each at the first call with it.

    The compiler keeps 8 variants of a function for a whole process, and then stops compiling it. Networks of several
    sizes and precisions, each for several of `COMPILED_ROWS`, are more than that.
    """
    import torch._dynamo

    for limit in ("recompile_limit", "cache_size_limit"):
        with contextlib.suppress(AttributeError):
            setattr(torch._dynamo.config, limit, max(getattr(torch._dynamo.config, limit), _VARIANTS))
            break
    return torch.compile(function, fullgraph=True, dynamic=False)
