"""Any network as it was trained, behind the interface of the forms for play."""

import torch
from torch import Tensor, nn

import blob_zero as bz
from blob_zero.config.search_options import POLICY_TEMPERATURE
from blob_zero.model.networks import Network, build_network
from blob_zero.model.outcome_net import OutcomeNet, Outcomes, expected_points, expected_trick_points


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
        outputs: Outcomes | tuple[Tensor, Tensor] = self.net(raw * self.scale)
        if not isinstance(outputs, Outcomes):
            return outputs
        return policy_logits(self.net, outputs, raw), outputs.values


def policy_logits(net: Network, outcomes: Outcomes, raw: Tensor) -> Tensor:
    """The logits of an OutcomeNet's policy, [B, 52]: expected points over `POLICY_TEMPERATURE`.

    Args:
        net: the network.
        outcomes: what it predicts.
        raw: [B, 256], encoded observations, unscaled.
    """
    points = expected_points(outcomes.make, raw)
    if isinstance(net, OutcomeNet) and net.shape.trick_points:
        points = points + expected_trick_points(outcomes.make, outcomes.missed, outcomes.lean, raw)
    return points / POLICY_TEMPERATURE
