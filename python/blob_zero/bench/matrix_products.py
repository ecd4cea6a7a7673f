"""The matrix products of a training step alone: the limit that training is measured against."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from blob_zero.model.networks import Shape


def linear_layers(shape: "Shape", config: TrainingConfig) -> list[tuple[int, int, bool]]:
    """Inputs and outputs of the linear layers in training, and whether they read features, in the order of a row.

    Of an OutcomeNet the critic's follow, and the details that only some rows are judged in are left out.
    """
    from blob_zero._core import OPEN_FEATURES
    from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS
    from blob_zero.model.critic import critic_size
    from blob_zero.model.outcome_net import OutcomeShape

    if shape.own is not None:
        raise ConfigError(f"the matrix products of {shape.own} are unknown; should be a network of this package")
    if isinstance(shape, OutcomeShape):
        actor = _perceptron(FEATURES, shape.width, shape.layers, 2 * ACTIONS + SEATS)
        return [*actor, *_perceptron(OPEN_FEATURES, *critic_size(shape, config), 1)]
    width, wide = shape.width, shape.feed_forward
    # The value and output projections of attention; queries and keys have no effect and are not computed.
    block = [(width, width, False), (width, width, False), (width, wide, False), (wide, width, False)]
    heads = [
        (width, shape.policy_hidden, False), (shape.policy_hidden, ACTIONS, False),
        (width, shape.value_hidden, False), (shape.value_hidden, shape.values, False),
    ]  # fmt: skip
    return [(FEATURES, width, True), *(block * shape.layers), *heads]


def _perceptron(inputs: int, width: int, layers: int, outputs: int) -> list[tuple[int, int, bool]]:
    return [(inputs, width, True), *[(width, width, False)] * (layers - 1), (width, outputs, False)]


def flops_a_row(shape: "Shape", config: TrainingConfig) -> int:
    """Floating-point operations of the matrix products for one row, forward and backward."""
    # Forward, the gradient of the weights, and the gradient of the inputs, which the features do not need.
    return sum(
        2 * inputs * outputs * (2 if features else 3) for inputs, outputs, features in linear_layers(shape, config)
    )


def matrix_products(
    shape: "Shape", config: TrainingConfig, *, device: "torch.device", precision: str
) -> Callable[[], object]:
    """A function that computes the matrix products of one training step, in memory that it holds."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]

    def random(rows: int, columns: int) -> torch.Tensor:
        return (torch.randn(rows, columns, device=device) / math.sqrt(columns)).to(dtype)

    layers, batch = [], config.batch_size
    for inputs, outputs, features in linear_layers(shape, config):
        weight, x, gradient = random(outputs, inputs), random(batch, inputs), random(batch, outputs)
        layers.append(
            (weight, x, gradient, random(batch, outputs), random(outputs, inputs), random(batch, inputs), features)
        )

    def multiply() -> None:
        for weight, x, _, y, _, _, _ in layers:
            torch.mm(x, weight.t(), out=y)
        for weight, x, gradient, _, of_weight, of_x, features in reversed(layers):
            torch.mm(gradient.t(), x, out=of_weight)
            if not features:
                torch.mm(gradient, weight, out=of_x)

    if device.type != "cuda":
        return multiply
    with torch.cuda.device(device):
        multiply()  # libraries set themselves up in their first calls, which cannot be captured
        torch.cuda.synchronize(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            multiply()
    return graph.replay
