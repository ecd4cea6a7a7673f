"""`bench train`: examples a second that training makes, against what its matrix products alone would allow."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from blob_zero.bench.machine import peak_memory
from blob_zero.bench.settings import PlaySettings, build_network
from blob_zero.bench.tables import Row
from blob_zero.config import Dtype, TrainingConfig

COLUMNS = {
    "examples_per_s": "examples/s",
    "limit": "matrix products alone, examples/s",
    "limit_share": "share of it reached",
    "milliseconds_a_step": "ms a step",
    "batch_size": "rows a step",
    "precision": "precision",
    "torch_threads": "PyTorch's threads",
    "peak_memory_bytes": "peak memory, bytes",
    "device": "device",
}


def bench_train(
    settings: PlaySettings,
    *,
    batch_size: int = 2048,
    precision: Dtype = "auto",
    seconds: float = 4.0,
    notice: Callable[[str], None] = lambda _: None,
) -> Row:
    """Train on rows of self-play, and time it; by turns with the products of the same matrices.

    The rows are those of random playouts: what is timed does not depend on what they say.

    Args:
        settings: the network, the shape of the rounds and the device.
        batch_size: rows of an optimizer step.
        precision: numbers to compute with.
        seconds: seconds that training and products are timed for.
        notice: is told of each step.
    """
    from blob_zero.devices import resolve_device
    from blob_zero.replay import ReplayRing
    from blob_zero.trainer import Trainer

    device = resolve_device(settings.device)
    notice("playing rows to learn from")
    rows = 8 * batch_size
    replay = ReplayRing(rows)
    played = replace(settings, worlds=1, simulations=4, rounds=1 + rows // max(settings.players, 1))
    replay.append(played.self_play().run("rollout"))
    config = TrainingConfig(batch_size=batch_size, precision=precision, epochs=1)
    trainer = Trainer(build_network(settings), config, device=device, iterations=1)
    notice("training")
    rng = np.random.default_rng(settings.seed)
    trainer.train(replay, rng, iteration=0)  # warms up, and compiles where that is set
    products = _products(settings, rows=batch_size, precision=trainer.precision, device=str(device))
    limits, examples, spent = [products(seconds / 4)], 0, 0.0
    while spent < seconds:
        learned = trainer.train(replay, rng, iteration=0)
        count = (learned.steps + learned.skipped_steps) * min(batch_size, len(replay))
        examples += count
        spent += count / learned.examples_per_second
    limits.append(products(seconds / 4))
    limit, rate = sum(limits) / 2, examples / spent
    import torch

    return {
        "examples_per_s": rate,
        "limit": limit,
        "limit_share": rate / limit,
        "milliseconds_a_step": 1000 * batch_size / rate,
        "batch_size": batch_size,
        "precision": trainer.precision,
        "torch_threads": torch.get_num_threads(),
        "peak_memory_bytes": peak_memory(),
        "device": str(device),
    }


def _products(settings: PlaySettings, *, rows: int, precision: str, device: str) -> Callable[[float], float]:
    """Times the matrix products of a training step: each layer's output, and the gradients of its input and weights."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    net = build_network(settings)
    matrices = [parameter for parameter in net.parameters() if parameter.ndim == 2]
    pairs = [
        (
            torch.randn(rows, matrix.shape[1], device=device).to(dtype),
            torch.randn(rows, matrix.shape[0], device=device).to(dtype),
            matrix.detach().to(device, dtype),
        )
        for matrix in matrices
    ]

    def step() -> None:
        for inputs, gradient, matrix in pairs:
            torch.mm(inputs, matrix.T)
            torch.mm(gradient, matrix)
            torch.mm(gradient.T, inputs)

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    def measure(seconds: float) -> float:
        step()
        wait()
        count, started = 0, time.perf_counter()
        while time.perf_counter() < started + seconds:
            step()
            wait()
            count += 1
        return count * rows / (time.perf_counter() - started)

    return measure
