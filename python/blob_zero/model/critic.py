"""The critic: what a seat may expect when all hands are open. Training alone uses it."""

import torch
from torch import Tensor, nn

from blob_zero import _core
from blob_zero.model.blobnet import FEATURES
from blob_zero.model.outcome_net import OutcomeNet, hidden_layers, through


class Critic(nn.Module):
    """A multilayer perceptron over what a seat knows and the hands of the others, to the value of that seat.

    Args:
        width: hidden units of each layer.
        layers: hidden layers.
    """

    def __init__(self, *, width: int, layers: int) -> None:
        super().__init__()
        self.layers = hidden_layers(FEATURES + _core.OTHER_HANDS, width, layers)
        self.value = nn.Linear(width, 1)
        nn.init.normal_(self.value.weight, std=0.01)
        nn.init.zeros_(self.value.bias)

    def forward(self, features: Tensor, other_hands: Tensor) -> Tensor:
        """The value of the seat to play, [B], on the scale of `Outcomes.values`.

        Args:
            features: float32[B, 256], scaled.
            other_hands: float32[B, 364], flags.
        """
        value: Tensor = self.value(through(self.layers, torch.cat([features, other_hands], dim=1)))
        return value.squeeze(1)


class ActorCritic(nn.Module):
    """A network that plays, and a critic of its size that helps it to learn.

    Args:
        actor: the network; the critic's first weights are always the same for a size.
    """

    def __init__(self, actor: OutcomeNet) -> None:
        super().__init__()
        self.actor = actor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.critic = Critic(width=actor.shape.width, layers=actor.shape.layers)
