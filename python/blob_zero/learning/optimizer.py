"""The optimizer: AdamW that decays matrices only, and can leave a step out without a wait for the device."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError


class SkippingAdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW, which leaves weights and moments as they are where `found_inf` is 1.

    The fused step reads `found_inf` on the device; gradient scaling uses the same mechanism.
    """

    found_inf: Tensor
    _warned_capturable_if_run_uncaptured: bool


def make_optimizer(net: nn.Module, config: TrainingConfig, *, on_gpu: bool = False) -> SkippingAdamW:
    """AdamW over the network's parameters; biases, norms and the position do not decay.

    Args:
        net: the network, on its device.
        config: learning rate and decay.
        on_gpu: whether steps can be captured in a graph.
    """
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = SkippingAdamW(groups, lr=config.learning_rate, fused=True, capturable=on_gpu)
    if on_gpu:
        # Its first steps are not captured, which PyTorch would warn of.
        optimizer._warned_capturable_if_run_uncaptured = True
        # A tensor that both groups share, so that a captured step follows the schedule.
        rate = torch.full((), config.learning_rate, device=matrices[0].device)
        for group in optimizer.param_groups:
            group["lr"] = rate
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def ensure_moments(optimizer: torch.optim.Optimizer) -> None:
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


def optimizer_state(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, Tensor]:
    """The optimizer's tensors on the CPU, named `<kind>.<parameter>`; empty before the first step."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in net.named_parameters()}
    return {
        f"{kind}.{names[parameter]}": tensor.detach().cpu()
        for parameter, kinds in optimizer.state.items()
        for kind, tensor in kinds.items()
    }


def load_optimizer_state(optimizer: torch.optim.Optimizer, net: nn.Module, state: Mapping[str, Tensor]) -> None:
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
