"""The losses of a policy that learns from its own rounds, and of what it predicts of them.

On a GPU, and in a step that torch.compile builds, PyTorch computes them. Else the core does, in one pass over the rows,
in place of a hundred small operations (docs/LOG.md).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from blob_zero import _core
from blob_zero.learning.round_replay import OutcomeBatch
from blob_zero.model.outcome_net import TRICKS, Outcomes

# These two are also in `crates/blob_mcts/src/learning/outcome_losses.rs`.
_LOGIT_LIMIT = 5.0
"""How far a logit is moved from the mean over the legal actions: the worse of two keeps a chance of 1 in 22,000."""

_MOST_MOVED = 10.0
"""How far the logarithm of a probability counts as moved."""

# As the core calls them; predictions in the order of `Outcomes`.
_PREDICTED = ("policy", "predicted_values", "make", "missed", "lean", "predicted_tricks")
_TARGETS = (
    "legal", "action", "bid", "tricks", "values", "players", "log_probability", "advantage", "expected",
    "entropy_weight", "weight",
)  # fmt: skip


def actor_losses(outcomes: Outcomes, batch: OutcomeBatch) -> Tensor:
    """The losses of a policy that learns from its own rounds, each a weighted mean over rows, in float32.

    `replicator_losses`; minus the weighted entropy of the policy; that entropy; its divergence from the policy that the
    iteration began with (Schulman 2020, "Approximating KL divergence", k3); the squared errors of the values; and what
    `outcome_losses` returns. What is predicted of actions that are not legal plays no part.
    """
    if outcomes.policy.device.type == "cpu" and not torch.compiler.is_compiling():
        losses: Tensor = _CoreLosses.apply(batch, *(part.float().contiguous() for part in outcomes))
        return losses
    return losses_by_torch(outcomes, batch)


class _Context(FunctionCtx):
    """What the core needs again for the gradients."""

    minibatch: dict[str, npt.NDArray[Any]]


class _CoreLosses(torch.autograd.Function):
    """`actor_losses` by the core."""

    @staticmethod
    def forward(ctx: _Context, batch: OutcomeBatch, *outcomes: Tensor) -> Tensor:
        """The losses of the predictions, each of which is float32 and in one piece."""
        predicted = zip(_PREDICTED, outcomes, strict=True)
        ctx.minibatch = {name: part.detach().numpy() for name, part in predicted} | {
            name: getattr(batch, name).contiguous().numpy() for name in _TARGETS
        }
        return torch.from_numpy(_core.outcome_losses(ctx.minibatch).astype(np.float32))

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, of_losses: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by each prediction."""
        found = _core.outcome_gradients(ctx.minibatch, of_losses.tolist())
        shapes = (ctx.minibatch[name].shape for name in _PREDICTED)
        return None, *(torch.from_numpy(part.reshape(shape)) for part, shape in zip(found, shapes, strict=True))


def losses_by_torch(outcomes: Outcomes, batch: OutcomeBatch) -> Tensor:
    """`actor_losses` by PyTorch, on any device."""
    logits = outcomes.policy.float()
    masked = logits.masked_fill(~batch.legal, _lowest())
    logarithms = torch.log_softmax(masked, dim=1)
    # An action that is not legal has the probability 0, and 0 times a finite number is 0.
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
    """The cross-entropy of each row of the last dimension."""
    return torch.logsumexp(logits, dim=-1) - logits.gather(-1, classes[..., None]).squeeze(-1)
