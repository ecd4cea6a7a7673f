"""What an iteration's training comes to: the results of its optimizer steps, one by one and on average."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainingSummary:
    """One iteration of training; means are over the steps that were taken."""

    policy_loss: float
    """Cross-entropy of the network's policy against the search's visits, nats."""
    policy_entropy: float
    """Entropy of the visits, nats: the lower bound of `policy_loss`."""
    policy_kl: float
    """`policy_loss` less `policy_entropy`: the divergence of the network's policy from the visits, nats."""
    value_loss: float
    """Mean squared error of the values of the seats in play."""
    value_error: float
    """Mean absolute error of the same values."""
    gradient_norm: float
    """Norm of the gradient before clipping."""
    learning_rate: float
    """Learning rate of the last step."""
    steps: int
    """Optimizer steps taken."""
    skipped_steps: int
    """Steps left out because the loss or the gradient was not finite."""
    examples_per_second: float
    """Rows learned from, a second."""
    by_step: npt.NDArray[np.float64] = field(repr=False)
    """[S, 6], the result of each attempted step, as `Learner.step` returns it."""
    rates: npt.NDArray[np.float64] = field(repr=False)
    """[S], the learning rate of each attempted step."""


class StepResults:
    """Collects the results of an iteration's steps on the device, without waiting for it."""

    def __init__(self, *, device: torch.device, value_weight: float) -> None:
        self._value_weight = value_weight
        self._sums = torch.zeros(6, dtype=torch.float64, device=device)
        self._by_step: list[Tensor] = []
        self._rates: list[float] = []

    def __len__(self) -> int:
        """Steps attempted."""
        return len(self._by_step)

    def add(self, result: Tensor, *, rate: float) -> None:
        """Adds the result of one step, as `Learner.step` returns it, and its learning rate."""
        self._by_step.append(result)
        self._rates.append(rate)
        self._sums += torch.where(result[0] > 0, result, 0.0)

    def skipped(self) -> int:
        """Steps left out so far because the loss or the gradient was not finite; waits for the device."""
        return int((torch.stack(self._by_step)[:, 0] == 0).sum().item()) if self._by_step else 0

    def mean_loss(self) -> float:
        """The mean loss so far; waits for the device."""
        taken, policy, _, value, _, _ = self._sums.tolist()
        mean: float = (policy + self._value_weight * value) / max(taken, 1)
        return mean

    def summary(self, *, batch_rows: int, seconds: float) -> TrainingSummary:
        """The averages over the steps taken.

        Args:
            batch_rows: rows of each step.
            seconds: time that the steps took.
        """
        taken, *sums = self._sums.tolist()
        policy_loss, entropy, value_loss, value_error, norm = (x / max(taken, 1) for x in sums)
        return TrainingSummary(
            policy_loss=policy_loss,
            policy_entropy=entropy,
            policy_kl=policy_loss - entropy,
            value_loss=value_loss,
            value_error=value_error,
            gradient_norm=norm,
            learning_rate=self._rates[-1],
            steps=int(taken),
            skipped_steps=self.skipped(),
            examples_per_second=taken * batch_rows / seconds,
            by_step=torch.stack(self._by_step).cpu().numpy(),
            rates=np.array(self._rates),
        )
