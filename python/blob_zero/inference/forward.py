"""The network's forward pass with the softmax over legal actions, compiled or not."""

import threading
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from blob_zero.inference.compilation import compiled
from blob_zero.inference.device_errors import cannot_compile, is_memory_shortage, one_line
from blob_zero.inference.folded import FoldedNet
from blob_zero.inference.outcome_forms import OutcomeForm, PackedOutcomeNet
from blob_zero.inference.packed import PackedNet
from blob_zero.inference.plain import PlainNet

Form = FoldedNet | PlainNet | PackedNet | OutcomeForm | PackedOutcomeNet
"""A network in the form it is computed in."""

_LEAST = torch.finfo(torch.float32).min


class Forward:
    """Maps raw features and legal actions to policies and values.

    Args:
        net: the network on its device.
        dtype: the numbers that it computes with.
        device: named in the warning where compiling fails.
        compile: whether the network is compiled. Where it cannot be, a warning names the cause and it runs without.
    """

    def __init__(self, net: Form, *, dtype: torch.dtype, device: torch.device, compile: bool) -> None:  # noqa: A002
        self.net = net
        self.dtype = dtype
        self.compiled = compile
        self._device = device
        self._ready: set[int] = set()
        self._compiling = threading.Lock()

    def __call__(self, raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """Maps features uint8[B, 256] and legal bool[B, 52] to policy float32[B, 52] and values float32[B, values]."""
        if not self.compiled:
            return self.plain(raw, legal)
        if len(raw) not in self._ready:
            with self._compiling:
                return self._first(raw, legal)
        return _compiled_answer()(self.net, raw, legal, self.dtype)

    def plain(self, raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """The same without the compiler, for any number of rows."""
        return _answer(self.net, raw, legal, self.dtype)

    def _first(self, raw: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """The first call with this number of rows, which compiles."""
        if not self.compiled:
            return self.plain(raw, legal)
        try:
            answer = _compiled_answer()(self.net, raw, legal, self.dtype)
        except Exception as error:
            if is_memory_shortage(error) or not cannot_compile(error):
                raise
            self.compiled = False
            warnings.warn(
                f"cannot compile the network for {self._device}, going on without: {one_line(error)}",
                RuntimeWarning,
                stacklevel=3,
            )
            return self.plain(raw, legal)
        self._ready.add(len(raw))
        return answer


def _answer(net: Form, raw: Tensor, legal: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    logits, values = net(raw.to(dtype))
    # The finite lowest number and not -inf, which would make a row without a legal action NaN.
    policy = torch.softmax(logits.float().masked_fill(~legal, _LEAST), dim=1) * legal
    return policy, values.float()


@cache
def _compiled_answer() -> Callable[[Form, Tensor, Tensor, torch.dtype], tuple[Tensor, Tensor]]:
    """`_answer`, compiled. Networks of the same shape, whose weights are inputs, share the code."""
    return compiled(_answer)
