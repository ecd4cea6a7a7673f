"""Loss scaling for fp16, whose small gradients would be zero without it. All of it stays on the device."""

from collections.abc import Iterable

import torch
from torch import Tensor

_FIRST = 2.0**16
_LARGEST = 2.0**24
_STEPS_TO_GROW = 2000


class GradientScale:
    """The factor of the loss, which halves when gradients overflow and doubles after 2,000 steps without.

    The rule is dynamic loss scaling (Micikevicius et al., 2018, "Mixed precision training"), with PyTorch's constants.
    Unlike `torch.amp.GradScaler` it keeps no state of a step, so that a step can be tried again or captured in a graph.

    Args:
        device: of the network.
        enabled: whether losses are scaled; if not, every method leaves things as they are.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        self.enabled = enabled
        self.scale = torch.full((), _FIRST if enabled else 1.0, device=device)
        self._steps = torch.zeros((), device=device)

    def of(self, loss: Tensor) -> Tensor:
        """The scaled loss."""
        return loss * self.scale if self.enabled else loss

    def unscale(self, gradients: Iterable[Tensor | None]) -> None:
        """Takes the factor out of gradients, in place."""
        if self.enabled:
            torch._foreach_mul_([gradient for gradient in gradients if gradient is not None], 1 / self.scale)

    def update(self, finite: Tensor) -> None:
        """Adapts the factor after a step whose results were finite, or not: a boolean on the device."""
        if not self.enabled:
            return
        steps = torch.where(finite, self._steps + 1, 0.0)
        grows = steps >= _STEPS_TO_GROW
        factor = torch.where(finite, torch.where(grows, 2.0, 1.0), 0.5)
        self.scale.copy_((self.scale * factor).clamp(max=_LARGEST))
        self._steps.copy_(torch.where(grows, 0.0, steps))

    def state(self) -> Tensor:
        """The factor and the steps since it changed, float64[2]."""
        return torch.stack([self.scale, self._steps]).double().cpu()

    def load(self, state: Tensor) -> None:
        """Restores what `state` returned."""
        scale, steps = state.tolist()
        self.scale.fill_(scale)
        self._steps.fill_(steps)
