"""What a network is trained to reduce: its losses, their names and their weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from blob_zero.config.schema import TrainingConfig
from blob_zero.inference.compilation import rounded_rows
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceBatch
from blob_zero.learning.round_replay import AfterBatch, OutcomeBatch
from blob_zero.model.critic import ActorCritic
from blob_zero.model.outcome_net import TRICKS, Outcomes

Batch = DeviceBatch | OutcomeBatch

_LOGIT_LIMIT = 5.0
"""How far a logit is moved from the mean over the legal actions: the worse of two keeps a chance of 1 in 22,000."""

_MOST_MOVED = 10.0
"""How far the logarithm of a probability counts as moved."""

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


def action_values(net: ActorCritic, after: AfterBatch) -> Tensor:
    """The critic's values after actions, or what they settle, float32[M]."""
    rows = len(after.features)
    padded = functional.pad(after.features, (0, 0, 0, rounded_rows(rows) - rows))
    return torch.where(after.settled.isnan(), net.critic(padded)[:rows].float(), after.settled)


def policy_value_losses(outputs: tuple[Tensor, Tensor], batch: DeviceBatch) -> Tensor:
    """Policy loss, entropy of its target, value loss and value error of BlobNet."""
    losses = batch_losses(*outputs, batch)
    return torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error])


def actor_losses(outcomes: Outcomes, batch: OutcomeBatch) -> Tensor:
    """The losses of a policy that learns from its own rounds, each a weighted mean over rows, in float32.

    `replicator_losses`; minus the weighted entropy of the policy; that entropy; its divergence from the policy that the
    iteration began with (Schulman 2020, "Approximating KL divergence", k3); the squared errors of the values; and what
    `outcome_losses` returns.
    """
    logits = outcomes.policy.float()
    masked = logits.masked_fill(~batch.legal, _lowest())
    logarithms = torch.log_softmax(masked, dim=1)
    # An action that is not legal has the probability 0, and 0 times a finite number is 0. The exponential of its
    # logarithm would be 0 too, but takes eighty times as long on a CPU where it underflows.
    entropy = -(torch.softmax(masked, dim=1) * logarithms).sum(dim=1)
    # A random action may have had next to no probability; what is only measured must not overflow.
    moved = (logarithms.gather(1, batch.action[:, None]).squeeze(1) - batch.log_probability).clamp(max=_MOST_MOVED)
    divergence = moved.exp() - 1 - moved

    seats = outcomes.values.shape[1]
    in_play = torch.arange(seats, device=moved.device) < batch.players[:, None]
    share = in_play / in_play.sum(dim=1, keepdim=True)
    targets = torch.cat([batch.expected[:, None], batch.values[:, 1:]], dim=1)
    values = (share * (outcomes.values.float() - targets).square()).sum(dim=1)
    replicator = replicator_losses(logits, batch.legal, batch.advantage)
    of_policy = torch.stack([replicator, -batch.entropy_weight * entropy, entropy, divergence, values])
    return torch.cat([(batch.weight * of_policy).mean(dim=1), outcome_losses(outcomes, batch)])


def replicator_losses(logits: Tensor, legal: Tensor, advantage: Tensor) -> Tensor:
    """Minus the advantages' sum with the logits: neural replicator dynamics (Hennes et al. 2020, equation 9).

    A policy gradient moves an action by its probability, so one that was ruled out by mistake hardly comes back. Here a
    logit moves by the advantage alone, until it is `_LOGIT_LIMIT` from the mean over the legal actions.

    Args:
        logits: float32[B, 52].
        legal: bool[B, 52].
        advantage: float32[B, 52], 0 where not legal.

    Returns:
        float32[B].
    """
    legal = legal.float()
    with torch.no_grad():
        share = legal / legal.sum(dim=1, keepdim=True)
        centred = logits - (share * logits).sum(dim=1, keepdim=True)
        within = torch.where(advantage > 0, centred < _LOGIT_LIMIT, centred > -_LOGIT_LIMIT)
        moves = advantage * within
        # The sum of the moves with the centred logits is that of the centred moves with the logits.
        moves = legal * moves - share * moves.sum(dim=1, keepdim=True)
    return -(moves * logits).sum(dim=1)


def critic_losses(judged: Tensor, batch: OutcomeBatch) -> Tensor:
    """The squared error of the critic where the value is not settled, a weighted mean over rows, float32[1]."""
    error = (judged.float() - batch.expected).masked_fill(~batch.settled.isnan(), 0.0)
    return (batch.weight * error.square()).mean()[None]


def outcome_losses(outcomes: Outcomes, batch: OutcomeBatch) -> Tensor:
    """The cross-entropies of what comes of the action taken, weighted means over rows in nats, float32[3].

    Made or missed; and over the rows that are judged in detail the own tricks where the bid was missed, 0 where it was
    made, and the tricks of each seat in play, averaged over them.
    """
    make = functional.binary_cross_entropy_with_logits(
        outcomes.make.float().gather(1, batch.action[:, None]).squeeze(1), batch.made, reduction="none"
    )
    make = batch.weight * make
    batch = OutcomeBatch(*(column[: len(outcomes.missed)] for column in batch))
    own = batch.tricks[:, 0]
    made = own == batch.bid
    taken = batch.action[:, None]
    counts = torch.arange(TRICKS, device=own.device)
    logits = outcomes.missed.float() + outcomes.lean.float().gather(1, taken) * counts
    logits = logits.masked_fill(counts == batch.bid[:, None], _lowest())
    # Where the bid was made there is no such row; any other number stands in for it.
    other = torch.where(made, (own + 1) % TRICKS, own)
    missed = _cross_entropy(logits, other).masked_fill(made, 0.0)

    in_play = torch.arange(outcomes.tricks.shape[1], device=own.device) < batch.players[:, None]
    share = in_play / in_play.sum(dim=1, keepdim=True)
    tricks = (share * _cross_entropy(outcomes.tricks.float(), batch.tricks)).sum(dim=1)
    return torch.stack([make.mean(), (batch.weight * missed).mean(), (batch.weight * tricks).mean()])


def _lowest() -> float:
    """The lowest finite number: minus infinity would make a row without a legal action NaN."""
    return torch.finfo(torch.float32).min


def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """The cross-entropy of each row of the last dimension; on a CPU a third of the time of PyTorch's own."""
    return torch.logsumexp(logits, dim=-1) - logits.gather(-1, classes[..., None]).squeeze(-1)
