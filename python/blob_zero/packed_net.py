"""The folded network on a CPU, its matrices laid out once as the processor's matrix units read them.

PyTorch's own linear layer brings its matrix into that layout at every call, and adds bias and ReLU in passes of their
own. oneDNN's operators, which torch.compile uses as well, take a matrix that was laid out before and do the rest at
once. Called directly they need no compiler, and new weights are laid out anew in milliseconds.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero.folded_net import FoldedLayer, FoldedNet


def packing_works(dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch has the operators, and they run here with numbers of this type."""
    if not torch._C._has_mkldnn:
        return False
    try:
        layer = _PackedLinear(nn.Linear(16, 16).to(dtype), rows=16)
        with torch.inference_mode():
            layer(torch.zeros(16, 16, dtype=dtype), "relu")
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return True


class _PackedLinear:
    """A linear layer whose matrix is laid out for batches of so many rows."""

    def __init__(self, linear: nn.Linear, *, rows: int) -> None:
        self.bias = linear.bias
        with torch.no_grad():
            self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), rows)

    def __call__(self, x: Tensor, activation: str = "none") -> Tensor:
        output: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, activation, [], "")
        return output


class _PackedLayer:
    def __init__(self, layer: FoldedLayer, *, rows: int) -> None:
        self.attention = _PackedLinear(layer.attention, rows=rows)
        self.norm1 = _Norm(layer.norm1)
        self.linear1 = _PackedLinear(layer.linear1, rows=rows)
        self.linear2 = _PackedLinear(layer.linear2, rows=rows)
        self.norm2 = _Norm(layer.norm2)

    def __call__(self, x: Tensor) -> Tensor:
        x = self.norm1(self.attention(x))
        return self.norm2(x + self.linear2(self.linear1(x, "relu")))


class _Norm:
    """A layer norm with its factors in fp32, which is as fast as in half precision."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        self.shape, self.eps = norm.normalized_shape, norm.eps
        self.weight, self.bias = norm.weight.detach().float(), norm.bias.detach().float()

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


class PackedNet:
    """A folded network with packed matrices, on a CPU.

    Args:
        folded: the network, in the precision to compute in. It is kept: after it has new weights, `load` packs them.
        rows: rows of the batches it is laid out for; others work as well.
    """

    def __init__(self, folded: FoldedNet, *, rows: int) -> None:
        self._folded = folded
        self._rows = rows
        self.load()

    def load(self) -> None:
        """Pack the weights that the folded network has now."""
        folded, rows = self._folded, self._rows
        self._embed = _PackedLinear(folded.embed, rows=rows)
        self._embed_norm = _Norm(folded.embed_norm)
        self._layers = [_PackedLayer(layer, rows=rows) for layer in folded.layers if isinstance(layer, FoldedLayer)]
        self._heads = _PackedLinear(folded.heads, rows=rows)
        self._policy = _PackedLinear(folded.policy, rows=rows)
        self._value = _PackedLinear(folded.value, rows=rows)

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        x = self._embed_norm(self._embed(raw))
        for layer in self._layers:
            x = layer(x)
        hidden = self._heads(x, "relu")
        policy_hidden = self._folded.policy_hidden
        return self._policy(hidden[:, :policy_hidden]), torch.tanh(self._value(hidden[:, policy_hidden:]))
