"""What a network is trained to reduce: its losses, their names and their weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceBatch
from blob_zero.learning.round_replay import OutcomeBatch
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import TRICKS, OutcomeNet, Outcomes

Batch = DeviceBatch | OutcomeBatch


@dataclass(frozen=True)
class Objective:
    """The losses of a kind of network.

    Attributes:
        names: of the losses, as the metrics have them.
        weights: of each in the sum that is reduced; 0 for what is only measured.
        measure: takes the network's outputs and the batch, and returns float32[4], means over the rows.
    """

    names: tuple[str, str, str, str]
    weights: tuple[float, float, float, float]
    measure: Callable[[Any, Any], Tensor]

    def total(self, losses: Tensor) -> Tensor:
        """The weighted sum of [4] losses."""
        return sum(
            (weight * loss for weight, loss in zip(self.weights, losses, strict=True)), torch.zeros_like(losses[0])
        )


def objective_of(net: Network, config: TrainingConfig) -> Objective:
    """The objective of a network, weighted by the settings."""
    if isinstance(net, OutcomeNet):
        names = ("make_loss", "missed_loss", "tricks_loss", "value_loss")
        weights = (1.0, config.tricks_weight, config.tricks_weight, config.value_weight)
        return Objective(names, weights, outcome_losses)
    names = ("policy_loss", "policy_entropy", "value_loss", "value_error")
    return Objective(names, (1.0, 0.0, config.value_weight, 0.0), policy_value_losses)


def policy_value_losses(outputs: tuple[Tensor, Tensor], batch: DeviceBatch) -> Tensor:
    """Policy loss, entropy of its target, value loss and value error of BlobNet."""
    losses = batch_losses(*outputs, batch)
    return torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error])


def outcome_losses(outcomes: Outcomes, batch: OutcomeBatch) -> Tensor:
    """The losses of OutcomeNet, in nats but for the last: each a mean over rows, in float32.

    Made or missed, of the action taken; the own tricks where the bid was missed, 0 where it was made; the tricks of
    each seat in play, averaged over them; and the squared error of the values, averaged in the same way.
    """
    own = batch.tricks[:, 0]
    made = own == batch.bid
    taken = batch.action[:, None]
    make = functional.binary_cross_entropy_with_logits(
        outcomes.make.float().gather(1, taken).squeeze(1), batch.made, reduction="none"
    )
    counts = torch.arange(TRICKS, device=own.device)
    logits = outcomes.missed.float() + outcomes.lean.float().gather(1, taken) * counts
    logits = logits.masked_fill(counts == batch.bid[:, None], torch.finfo(torch.float32).min)
    # Where the bid was made there is no such row; any other number stands in for it.
    other = torch.where(made, (own + 1) % TRICKS, own)
    missed = _cross_entropy(logits, other).masked_fill(made, 0.0)

    seats = outcomes.values.shape[1]
    in_play = torch.arange(seats, device=own.device) < batch.players[:, None]
    share = in_play / in_play.sum(dim=1, keepdim=True)
    tricks = (share * _cross_entropy(outcomes.tricks.float(), batch.tricks)).sum(dim=1)
    values = (share * (outcomes.values.float() - batch.values).square()).sum(dim=1)
    return torch.stack([make.mean(), missed.mean(), tricks.mean(), values.mean()])


def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """The cross-entropy of each row of the last dimension; on a CPU a third of the time of PyTorch's own."""
    return torch.logsumexp(logits, dim=-1) - logits.gather(-1, classes[..., None]).squeeze(-1)
