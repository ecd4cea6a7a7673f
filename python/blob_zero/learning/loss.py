"""The losses that BlobNet is trained to reduce. Every row weighs the same, however many seats are in play.

A row of a seat that does not decide has a value and no policy.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from blob_zero.learning.minibatches import DeviceBatch

# Low enough that its softmax is 0, finite so that 0 * log(0) of an illegal action stays 0.
_MASKED_LOGIT = -1e9


@dataclass(frozen=True)
class Losses:
    """The losses of one batch, means over its rows, of the policy over its decisions, each a scalar tensor."""

    policy: Tensor
    entropy: Tensor
    value: Tensor
    value_error: Tensor


def batch_losses(logits: Tensor, values: Tensor, batch: DeviceBatch) -> Losses:
    """Cross-entropy over the legal actions, and mean squared error over each row's seats in play, in float32.

    Args:
        logits: [B, 52], over all actions.
        values: [B, V], by relative seat; with V below 8, only the first V seats are learned.
        batch: the targets.
    """
    log_policy = functional.log_softmax(logits.float().masked_fill(~batch.legal, _MASKED_LOGIT), dim=1)
    policy_loss = -(batch.policy_weight * (batch.policy * log_policy).sum(dim=1)).mean()
    entropy = (batch.policy_weight * torch.special.entr(batch.policy).sum(dim=1)).mean()
    seats = values.shape[1]
    in_play = torch.arange(seats, device=values.device) < batch.players[:, None]
    # A row's weight is split evenly over its seats in play.
    weights = in_play / in_play.sum(dim=1, keepdim=True)
    error = values.float() - batch.values[:, :seats]
    value_loss = (weights * error.square()).sum(dim=1).mean()
    value_error = (weights * error.detach().abs()).sum(dim=1).mean()
    return Losses(policy_loss, entropy, value_loss, value_error)
