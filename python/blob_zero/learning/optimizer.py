"""The optimizer: AdamW that decays matrices only, and can leave a step out without a wait for the device."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError
from blob_zero.model.critic import ActorCritic, Critic

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8

_STEPS_A_FLUSH = 128
"""Steps between two times that negligible moments are flushed on a CPU."""

_NEGLIGIBLE = {"exp_avg": 1e-30, "exp_avg_sq": 1e-34}
"""A first moment below it moves a weight by less than 1e-22 of the rate, a second one changes no digit of its root plus
epsilon. What is above it does not decay to subnormal numbers until the next flush."""


class SkippingAdamW:
    """PyTorch's fused AdamW, which leaves weights and moments as they are where `found_inf` is 1.

    The fused step reads `found_inf` on the device; gradient scaling uses the same mechanism. `torch.optim.Optimizer`
    does too, but it imports PyTorch's compiler, which takes as long as all the rest of PyTorch. On a CPU negligible
    moments are flushed to 0; no weight moves otherwise for it.

    Args:
        groups: lists of `params` with the `weight_decay` and the learning rate `lr` of each, and whether they are of a
            `critic`; the rate is a tensor if captured steps are to follow it.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        self.param_groups: list[dict[str, Any]] = [dict(group) for group in groups]
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        self.found_inf: Tensor | None = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves the parameters that have a gradient; `ensure_moments` made their moments."""
        for group in self.param_groups:
            moved = [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
            states = [self.state[parameter] for parameter, _ in moved]
            adamw(
                [parameter for parameter, _ in moved],
                [gradient for _, gradient in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                found_inf=self.found_inf,
                amsgrad=False,
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=_EPSILON,
                maximize=False,
            )
            if states and states[0]["exp_avg"].device.type == "cpu":
                _flush_negligible(states)


def _flush_negligible(states: Sequence[dict[str, Tensor]]) -> None:
    """Flushes negligible moments to 0, now and then.

    The first moment of a weight whose gradient has become 0, as where a ReLU has died, shrinks by a tenth a step and
    then stays at a subnormal number for ever, with which a CPU computes many times as long.
    `torch.set_flush_denormal` holds for one thread alone, so bytes would depend on the number of threads.
    """
    for state in states:
        if state["step"].item() % _STEPS_A_FLUSH == 0:
            for name, least in _NEGLIGIBLE.items():
                state[name].masked_fill_(state[name].abs() < least, 0.0)


def make_optimizer(net: nn.Module, config: TrainingConfig, *, on_gpu: bool = False) -> SkippingAdamW:
    """AdamW over the network's parameters; biases, norms and the position do not decay.

    Args:
        net: the network, on its device; an `ActorCritic` has two rates.
        config: learning rate and decay.
        on_gpu: whether steps can be captured in a graph.
    """
    parts = [net.actor, net.critic] if isinstance(net, ActorCritic) else [net]
    groups: list[dict[str, Any]] = []
    for part in parts:
        # On a GPU a tensor that both groups share, so that a captured step follows the schedule.
        device = next(part.parameters()).device
        rate = torch.full((), config.learning_rate, device=device) if on_gpu else config.learning_rate
        matrices = [p for p in part.parameters() if p.ndim > 1]
        vectors = [p for p in part.parameters() if p.ndim <= 1]
        of_part = {"lr": rate, "critic": isinstance(part, Critic)}
        groups.append({"params": matrices, "weight_decay": config.weight_decay, **of_part})
        groups.append({"params": vectors, "weight_decay": 0.0, **of_part})
    return SkippingAdamW(groups)


def set_rates(optimizer: SkippingAdamW, rate: float, critic_rate: float | None = None) -> None:
    """Sets the learning rate of the next step.

    Args:
        optimizer: of `make_optimizer`.
        rate: of the network.
        critic_rate: of its critic, if there is one; as the network's if None.
    """
    for group in optimizer.param_groups:
        wanted = critic_rate if group["critic"] and critic_rate is not None else rate
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(wanted)
        else:
            group["lr"] = wanted


def ensure_moments(optimizer: SkippingAdamW) -> None:
    """Makes the moments of all parameters that have none.

    AdamW makes them within its first step, group by group: memory that runs out between two groups would leave one
    group stepped and the other not.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if not optimizer.state[parameter]:
                moments = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                    "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                }
                optimizer.state[parameter].update(moments)


def optimizer_state(optimizer: SkippingAdamW, net: nn.Module) -> dict[str, Tensor]:
    """The optimizer's tensors on the CPU, named `<kind>.<parameter>`; empty before the first step."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in net.named_parameters()}
    return {
        f"{kind}.{names[parameter]}": tensor.detach().cpu()
        for parameter, kinds in optimizer.state.items()
        for kind, tensor in kinds.items()
    }


def load_optimizer_state(optimizer: SkippingAdamW, net: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Restores what `optimizer_state` returned.

    Raises:
        CheckpointError: the state belongs to another network.
    """
    optimizer.state.clear()
    parameters = dict(net.named_parameters())
    for key, tensor in state.items():
        kind, _, name = key.partition(".")
        parameter = parameters.get(name)
        if parameter is None or (kind != "step" and tensor.shape != parameter.shape):
            raise CheckpointError(f"the optimizer state {key} {list(tensor.shape)} fits no parameter of the network")
        optimizer.state[parameter][kind] = tensor.to(parameter.device, copy=True)
