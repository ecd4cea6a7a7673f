"""The folded network with its weights laid out for the CPU's matrix units, which no compiler is needed for."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from blob_zero.inference.folded import FoldedLayer, FoldedNet
from blob_zero.model.blobnet import BlobNet


class _Packed(NamedTuple):
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


class _PackedLayer(NamedTuple):
    attention: _Packed
    norm1: nn.LayerNorm
    linear1: _Packed
    linear2: _Packed
    norm2: nn.LayerNorm


class PackedNet:
    """A folded network on the CPU whose linear layers keep their weights reordered, bias, relu and sum included.

    A plain linear layer has its weight reordered at every call, over a quarter of the time at batch 1,024
    (docs/LOG.md). The operations are those that torch.compile itself puts in place of linear layers whose weights never
    change; called directly they need no compiler, and new weights no second compilation.

    Args:
        folded: the network; its weights are read now and at each `load`.
    """

    def __init__(self, folded: FoldedNet) -> None:
        self.folded = folded
        self._pack()

    def load(self, net: BlobNet) -> None:
        """Takes the weights of a network of the same shape."""
        self.folded.load(net)
        self._pack()

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        x = self.folded.embed_norm(self._embed(raw))
        for layer in self._layers:
            x = layer.norm1(layer.attention(x))
            x = layer.norm2(layer.linear2.plus(layer.linear1(x, "relu"), x))
        hidden = self._heads(x, "relu")
        split = self.folded.policy_hidden
        return self._policy(hidden[:, :split]), torch.tanh(self._value(hidden[:, split:]))

    def _pack(self) -> None:
        folded = self.folded
        self._embed = _pack(folded.embed)
        self._layers: list[_PackedLayer] = []
        for layer in folded.layers:
            assert isinstance(layer, FoldedLayer)
            self._layers.append(
                _PackedLayer(
                    _pack(layer.attention), layer.norm1, _pack(layer.linear1), _pack(layer.linear2), layer.norm2
                )
            )
        self._heads, self._policy, self._value = _pack(folded.heads), _pack(folded.policy), _pack(folded.value)


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
        _pack(nn.Linear(16, 16, dtype=dtype))(torch.zeros(2, 16, dtype=dtype))
    except RuntimeError as error:
        return f"oneDNN refuses {dtype} on this CPU ({str(error).partition(chr(10))[0]})"
    return None


def _pack(linear: nn.Linear) -> _Packed:
    with torch.no_grad():
        weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        return _Packed(weight, linear.bias.detach())
