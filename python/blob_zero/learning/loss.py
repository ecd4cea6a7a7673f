"""What BlobNet is trained to make small."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from blob_zero.learning.minibatches import DeviceBatch

# Low enough that its softmax is 0, finite so that 0 * log(0) of an illegal action stays 0.
_MASKED_LOGIT = -1e9


@dataclass(frozen=True)
class Losses:
    """Parts of the loss of one batch, each a scalar tensor."""

    policy: Tensor
    entropy: Tensor
    value: Tensor
    value_error: Tensor


def batch_losses(logits: Tensor, values: Tensor, batch: DeviceBatch) -> Losses:
    """Cross-entropy over the legal actions and mean squared error over the seats in play, in float32.

    Args:
        logits: [B, 52], over all actions.
        values: [B, V], by relative seat; with V below 8, the first V seats are learned.
        batch: the targets.
    """
    log_policy = functional.log_softmax(logits.float().masked_fill(~batch.legal, _MASKED_LOGIT), dim=1)
    policy_loss = -(batch.policy * log_policy).sum(dim=1).mean()
    entropy = torch.special.entr(batch.policy).sum(dim=1).mean()
    seats = values.shape[1]
    in_play = torch.arange(seats, device=values.device) < batch.players[:, None]
    error = (values.float() - batch.values[:, :seats]) * in_play
    count = in_play.sum()
    return Losses(policy_loss, entropy, error.square().sum() / count, error.detach().abs().sum() / count)


def part_shares(part: DeviceBatch, whole: DeviceBatch, *, values: int) -> Tensor:
    """What the means of a part count for in those of the whole: float32[2], by rows and by seats in play.

    Args:
        part: some rows of the whole.
        whole: the batch.
        values: values of the network; seats past them are not learned.
    """
    seats_here, seats = (batch.players.clamp(max=values).sum() for batch in (part, whole))
    rows = torch.full_like(seats_here, part.rows / whole.rows, dtype=torch.float32)
    return torch.stack([rows, seats_here / seats])
