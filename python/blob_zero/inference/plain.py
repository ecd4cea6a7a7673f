"""Any network as it was trained, behind the interface of the forms for play."""

import torch
from torch import Tensor, nn

import blob_zero as bz
from blob_zero.model.networks import Network, build_network


class PlainNet(nn.Module):
    """A network that is neither folded nor packed. The folded form is checked against it, and it plays your own."""

    scale: Tensor

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = build_network(net.shape)
        self.register_buffer("scale", torch.from_numpy(bz.feature_scale()))

    @torch.no_grad()
    def load(self, net: Network) -> None:
        """Takes the weights of a network of the same shape, in place."""
        self.net.load_state_dict(net.state_dict())

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Maps raw features [B, 256], in the network's dtype, to logits [B, 52] and values [B, values]."""
        logits, values, *_ = self.net(raw * self.scale)
        return logits, values
