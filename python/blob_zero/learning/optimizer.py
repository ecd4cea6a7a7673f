"""The optimizer: AdamW that decays matrices only, and can leave a step out without a wait for the device."""

from collections.abc import Mapping

import torch
from torch import Tensor

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError
from blob_zero.model.blobnet import BlobNet


class SkippingAdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW, which leaves weights and moments as they are where `found_inf` is 1.

    The fused step reads `found_inf` on the device; gradient scaling uses the same mechanism.
    """

    found_inf: Tensor


def make_optimizer(net: BlobNet, config: TrainingConfig) -> SkippingAdamW:
    """AdamW over the network's parameters; biases, norms and the position do not decay."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return SkippingAdamW(groups, lr=config.learning_rate, fused=True)


def optimizer_state(optimizer: torch.optim.Optimizer, net: BlobNet) -> dict[str, Tensor]:
    """The optimizer's tensors on the CPU, named `<kind>.<parameter>`; empty before the first step."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in net.named_parameters()}
    return {
        f"{kind}.{names[parameter]}": tensor.detach().cpu()
        for parameter, kinds in optimizer.state.items()
        for kind, tensor in kinds.items()
    }


def load_optimizer_state(optimizer: torch.optim.Optimizer, net: BlobNet, state: Mapping[str, Tensor]) -> None:
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
