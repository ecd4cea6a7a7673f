"""What a network is trained to reduce: its losses, their names and their weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero.config.schema import TrainingConfig
from blob_zero.inference.compilation import rounded_rows
from blob_zero.learning.actor_losses import actor_losses
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceBatch
from blob_zero.learning.round_replay import OutcomeBatch
from blob_zero.model.critic import ActorCritic
from blob_zero.model.outcome_net import Outcomes

Batch = DeviceBatch | OutcomeBatch

_DETAILED = 4
"""One row in so many is learned from in detail: it halves the cost, and play does not depend on it."""


@dataclass(frozen=True)
class Part:
    """The losses of one of the networks in training. Its parameters are its own: parts can be learned side by side.

    Attributes:
        names: of the losses, as the metrics have them.
        weights: of each in the sum that is reduced; 0 for what is only measured.
        predict: takes the networks in training and a batch, and returns the outputs.
        measure: takes these outputs and the batch, and returns a float32 for each name, means over the rows.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    predict: Callable[[Any, Any], Any]
    measure: Callable[[Any, Any], Tensor]

    def total(self, losses: Tensor) -> Tensor:
        """The weighted sum of the losses; what is only measured is no part of its gradient's computation."""
        weighted = [weight * loss for weight, loss in zip(self.weights, losses, strict=True) if weight]
        return sum(weighted, torch.zeros_like(losses[0]))


@dataclass(frozen=True)
class Objective:
    """All losses of a kind of network."""

    parts: tuple[Part, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the losses, part by part."""
        return tuple(name for part in self.parts for name in part.names)

    def total(self, losses: Tensor) -> Tensor:
        """The weighted sum of the losses, in the order of `names`."""
        of_parts = torch.split(losses, [len(part.names) for part in self.parts])
        return torch.stack([part.total(own) for part, own in zip(self.parts, of_parts, strict=True)]).sum()


def objective_of(net: nn.Module, config: TrainingConfig) -> Objective:
    """The objective of a network in training, weighted by the settings."""
    if isinstance(net, ActorCritic):
        weights = {
            "replicator_loss": config.policy_weight,
            "entropy_loss": 1.0,
            "policy_entropy": 0.0,
            "update_kl": 0.0,
            "value_loss": config.value_weight,
            "make_loss": config.make_weight,
            "missed_loss": config.outcome_weight,
            "tricks_loss": config.outcome_weight,
        }
        actor = Part(tuple(weights), tuple(weights.values()), outcomes_of_rounds, actor_losses)
        critic = Part(("critic_loss",), (1.0,), critic_of_rounds, critic_losses)
        return Objective((actor, critic))
    names = ("policy_loss", "policy_entropy", "value_loss", "value_error")
    return Objective((Part(names, (1.0, 0.0, config.value_weight, 0.0), judge_rows, policy_value_losses),))


def judge_rows(net: nn.Module, batch: DeviceBatch) -> tuple[Tensor, Tensor]:
    """BlobNet's policy and values for a batch."""
    policy, values = net(batch.features)
    return policy, values


def outcomes_of_rounds(net: ActorCritic, batch: OutcomeBatch) -> Outcomes:
    """What the actor makes of a batch, some of it in detail."""
    outcomes: Outcomes = net.actor(batch.features, detailed=-(-batch.rows // _DETAILED))
    return outcomes


def critic_of_rounds(net: ActorCritic, batch: OutcomeBatch) -> Tensor:
    """The critic's values after the actions taken in a batch, [B]."""
    values: Tensor = net.critic(batch.after_features)
    return values


def action_values(net: ActorCritic, after: Tensor) -> Tensor:
    """The critic's values after actions, [M]; uint8[M, 620]."""
    rows = len(after)
    values: Tensor = net.critic(functional.pad(after, (0, 0, 0, rounded_rows(rows) - rows)))
    return values[:rows]


def policy_value_losses(outputs: tuple[Tensor, Tensor], batch: DeviceBatch) -> Tensor:
    """Policy loss, entropy of its target, value loss and value error of BlobNet."""
    losses = batch_losses(*outputs, batch)
    return torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error])


def critic_losses(judged: Tensor, batch: OutcomeBatch) -> Tensor:
    """The squared error of the critic where the value is not settled, a weighted mean over rows, float32[1]."""
    error = (judged.float() - batch.expected).masked_fill(~batch.settled.isnan(), 0.0)
    return (batch.weight * error.square()).mean()[None]
