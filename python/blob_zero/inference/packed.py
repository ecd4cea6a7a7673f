"""The folded network with its weights laid out for the CPU's matrix units, which no compiler is needed for."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from blob_zero.inference.folded import FoldedLayer, FoldedNet
from blob_zero.inference.packing import Packed, pack
from blob_zero.model.blobnet import BlobNet


class _PackedLayer(NamedTuple):
    attention: Packed
    norm1: nn.LayerNorm
    linear1: Packed
    linear2: Packed
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
        self._embed = pack(folded.embed)
        self._layers: list[_PackedLayer] = []
        for layer in folded.layers:
            assert isinstance(layer, FoldedLayer)
            self._layers.append(
                _PackedLayer(pack(layer.attention), layer.norm1, pack(layer.linear1), pack(layer.linear2), layer.norm2)
            )
        self._heads, self._policy, self._value = pack(folded.heads), pack(folded.policy), pack(folded.value)
