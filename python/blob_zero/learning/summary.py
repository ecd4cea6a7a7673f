"""What an iteration's training comes to: the results of its optimizer steps, one by one and on average."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.learning.objective import Objective


@dataclass(frozen=True)
class TrainingSummary:
    """One iteration of training; means are over the steps that were taken."""

    losses: dict[str, float]
    """The losses of the objective by name; docs/metrics.md says what each is."""
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
    """[S, 2 + losses], the result of each attempted step, as `Learner.step` returns it."""
    rates: npt.NDArray[np.float64] = field(repr=False)
    """[S], the learning rate of each attempted step."""


class StepResults:
    """Collects the results of an iteration's steps on the device, without waiting for it."""

    def __init__(self, objective: Objective, *, device: torch.device) -> None:
        self._objective = objective
        self._sums = torch.zeros(2 + len(objective.names), dtype=torch.float64, device=device)
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
        taken, sums = self._sums[0], self._sums[1:-1]
        return float(self._objective.total(sums) / taken.clamp(min=1))

    def summary(self, *, batch_rows: int, seconds: float) -> TrainingSummary:
        """The averages over the steps taken.

        Args:
            batch_rows: rows of each step.
            seconds: time that the steps took.
        """
        taken, *sums = self._sums.tolist()
        *losses, norm = (x / max(taken, 1) for x in sums)
        return TrainingSummary(
            losses=dict(zip(self._objective.names, losses, strict=True)),
            gradient_norm=norm,
            learning_rate=self._rates[-1],
            steps=int(taken),
            skipped_steps=self.skipped(),
            examples_per_second=taken * batch_rows / seconds,
            by_step=torch.stack(self._by_step).cpu().numpy(),
            rates=np.array(self._rates),
        )
