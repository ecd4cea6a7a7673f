"""The critic: what a seat may expect when all hands are open. Training alone uses it."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero import _core
from blob_zero.config.schema import TrainingConfig
from blob_zero.model.outcome_net import OutcomeNet, OutcomeShape, hidden_layers, through


class Critic(nn.Module):
    """A multilayer perceptron over what a seat would know with all hands open, to the value of that seat.

    Args:
        width: hidden units of each layer.
        layers: hidden layers.
    """

    scale: Tensor

    def __init__(self, *, width: int, layers: int) -> None:
        super().__init__()
        self.layers = hidden_layers(_core.OPEN_FEATURES, width, layers)
        self.value = nn.Linear(width, 1)
        nn.init.normal_(self.value.weight, std=0.01)
        nn.init.zeros_(self.value.bias)
        scale = np.ones(_core.OPEN_FEATURES, np.float32)
        scale[: _core.FEATURES] = _core.feature_scale()
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """The value of the seat to play, [B], on the scale of `Outcomes.values`.

        Args:
            features: uint8[B, 620], unscaled: its encoded observation, then flags for the cards of the other seats.
        """
        device = features.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        first, *others = self.layers
        assert isinstance(first, nn.Linear)
        # The numbers are scaled in the weights, of which there are fewer. Bytes are exact in half precision.
        x = functional.relu(functional.linear(features.to(dtype), first.weight * self.scale, first.bias))
        value: Tensor = self.value(through(others, x))
        return value.squeeze(1)


def critic_size(shape: OutcomeShape, config: TrainingConfig) -> tuple[int, int]:
    """Width and layers of the critic of a network by these settings."""
    return config.critic_width or shape.width, config.critic_layers or shape.layers


def same_critic(weights: Mapping[str, Tensor], shape: OutcomeShape, config: TrainingConfig) -> bool:
    """Whether weights are those of a critic of the size that these settings give it beside such a network."""
    with torch.device("meta"):
        width, layers = critic_size(shape, config)
        wanted = Critic(width=width, layers=layers).state_dict()
    return {name: tensor.shape for name, tensor in weights.items()} == {
        name: tensor.shape for name, tensor in wanted.items()
    }


class ActorCritic(nn.Module):
    """A network that plays, and a critic that helps it to learn.

    Args:
        actor: the network.
        width: hidden units of each of the critic's layers; its first weights are always the same for a size.
        layers: the critic's hidden layers.
    """

    def __init__(self, actor: OutcomeNet, *, width: int, layers: int) -> None:
        super().__init__()
        self.actor = actor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.critic = Critic(width=width, layers=layers)
