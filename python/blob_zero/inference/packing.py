"""Linear layers with their weights laid out for the CPU's matrix units, which no compiler is needed for."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Packed(NamedTuple):
    """A linear layer with its weights in the layout of oneDNN."""

    weight: Tensor
    """[out, in] in oneDNN's own blocked layout."""
    bias: Tensor

    def __call__(self, x: Tensor, then: str = "none") -> Tensor:
        """Maps [B, in] to [B, out]; `then` is "none" or "relu"."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, then, [], "")
        return output

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """The layer's output and [B, out] added to it."""
        output: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, self.weight, self.bias, "add")
        return output


def packing_obstacle(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why a network cannot be packed on this device with this dtype; None where it can."""
    if device.type != "cpu":
        return f"weights are packed for a CPU, and the device is {device}"
    has_mkldnn: Callable[[], bool] = torch.backends.mkldnn.is_available
    if not has_mkldnn():
        return "this build of PyTorch has no oneDNN"
    if not all(hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight")):
        return f"PyTorch {torch.__version__} has no operation for packed linear layers"
    try:
        pack(nn.Linear(16, 16, dtype=dtype))(torch.zeros(2, 16, dtype=dtype))
    except RuntimeError as error:
        return f"oneDNN refuses {dtype} on this CPU ({str(error).partition(chr(10))[0]})"
    return None


def pack(linear: nn.Linear) -> Packed:
    """The layer with its present weights."""
    with torch.no_grad():
        weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        return Packed(weight, linear.bias.detach())
