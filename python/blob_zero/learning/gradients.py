"""The gradient of a minibatch: in parts where memory is short, compiled where that works."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor, nn

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import DeviceError
from blob_zero.inference.compilation import compiled
from blob_zero.inference.device_errors import cannot_compile, is_memory_shortage, one_line
from blob_zero.inference.devices import auto_precision, torch_threads
from blob_zero.learning.display import Notice
from blob_zero.learning.gradient_scale import GradientScale
from blob_zero.learning.objective import Batch, Part, objective_of


class Gradients:
    """Computes gradients of one network and leaves them in its parameters.

    A batch that does not fit in the device's memory is computed in parts whose gradients add up to the batch's own.
    Where `config.compile` asks for it, torch.compile builds forward, loss and backward, once for each size of a part;
    where that fails, a warning says why and training goes on without.

    Args:
        net: the network in training (`ActorCritic` of one that learns from its own rounds), on the device.
        config: precision, compilation and the weights of the losses.
        device: where the network is.

    Attributes:
        objective: the losses.
        precision: fp32, bf16 or fp16.
        parts: parts that a batch is computed in.
        compiled: whether the step is compiled.
        scale: the loss scaling of fp16.
    """

    def __init__(self, net: nn.Module, config: TrainingConfig, *, device: torch.device) -> None:
        self.net = net
        self.device = device
        self.objective = objective_of(net, config)
        self.precision = auto_precision(device) if config.precision == "auto" else config.precision
        self.parts = 1
        self.compiled = device.type == "cuda" if config.compile == "auto" else config.compile
        # fp16 gradients underflow without scaling; bf16 has the range of fp32.
        self.scale = GradientScale(device, enabled=self.precision == "fp16")
        others = len(self.objective.parts) - 1
        self._aside: ThreadPoolExecutor | None = None
        if others and device.type == "cpu" and not self.compiled:
            self._aside = ThreadPoolExecutor(others, thread_name_prefix="gradients")

    def own_threads(self) -> AbstractContextManager[object]:
        """Lets PyTorch compute on this thread's share of its threads, where parts of the objective have one each.

        All of a step belongs in it: threads that an operation between two gradients had to itself would go on spinning
        for milliseconds, on the cores that the next gradients need (docs/LOG.md).
        """
        if self._aside is None:
            return nullcontext()
        return torch_threads(max(1, torch.get_num_threads() // len(self.objective.parts)))

    def compute(self, batch: Batch) -> Tensor:
        """Computes the gradient of the batch's mean loss, scaled by `scale`, without waiting for the device.

        Within `own_threads`, where parts of the objective have a thread each.

        Args:
            batch: on the network's device.

        Returns:
            float32, one for each name of the objective: the losses of the whole batch.
        """
        self.net.zero_grad(set_to_none=True)
        measured = torch.zeros(len(self.objective.names), device=self.device)
        for part in batch.split(self.parts):
            share = torch.full((), part.rows / batch.rows, device=self.device)
            measured += self._side_by_side(part, share, self._aside) if self._aside else self._together(part, share)
        return measured

    def _together(self, batch: Batch, share: Tensor) -> Tensor:
        loss_of = _compiled() if self.compiled else _loss
        loss, losses = loss_of(self.net, batch, share, self.objective.parts, self.precision)
        self.scale.of(loss).backward()  # type: ignore[no-untyped-call]
        return losses

    def _side_by_side(self, batch: Batch, share: Tensor, aside: ThreadPoolExecutor) -> Tensor:
        """Computes each part of the objective on a thread of its own, which has as many of PyTorch's as this one.

        Operations of a small network gain little from a second thread, while its parts need not wait for each other.
        """
        here, *others = self.objective.parts
        threads = torch.get_num_threads()

        def compute(part: Part) -> Tensor:
            loss, losses = _loss(self.net, batch, share, (part,), self.precision)
            self.scale.of(loss).backward()  # type: ignore[no-untyped-call]
            return losses

        def compute_aside(part: Part) -> Tensor:
            with torch_threads(threads):
                return compute(part)

        pending = [aside.submit(compute_aside, part) for part in others]
        try:
            first = compute(here)
        finally:
            wait(pending)  # the gradients are one batch's, also where a part failed
        return torch.cat([first, *(future.result() for future in pending)])

    def adapt(self, error: Exception, rows: int, notice: Notice) -> None:
        """Computes batches in twice as many parts from now on, or without the compiler, as the error asks for.

        Args:
            error: that a step on `rows` rows ended with.
            rows: of the batch.
            notice: called where memory was short.

        Raises:
            DeviceError: the device's memory is too small for a single row.
            Exception: the error itself, if it is of another kind.
        """
        if is_memory_shortage(error):
            if self.parts >= rows:
                raise DeviceError(
                    f"the memory of {self.device} is exhausted by training on a single row: "
                    "other processes should leave it more, or the network should be smaller"
                ) from error
            self.parts *= 2
            notice(
                f"the memory of {self.device} is exhausted: a step computes its {rows:,} rows in {self.parts} parts "
                "from here on, and learns the same"
            )
        elif self.compiled and cannot_compile(error):
            self.compiled = False
            warnings.warn(
                f"cannot compile the training step for {self.device}, going on without: {one_line(error)}",
                RuntimeWarning,
                stacklevel=4,
            )
        else:
            raise error


def _loss(
    net: nn.Module, batch: Batch, share: Tensor, parts: tuple[Part, ...], precision: str
) -> tuple[Tensor, Tensor]:
    """The contribution of a part of a batch to the loss of the whole: forward, in the given precision.

    Args:
        net: the network in training.
        batch: the part.
        share: float32 scalar, the share of the batch's rows in this part.
        parts: of the objective.
        precision: fp32, bf16 or fp16.

    Returns:
        The loss, and without gradient what the parts measure.
    """
    measured, total = [], torch.zeros_like(share)
    for part in parts:
        with autocast(batch.features.device, precision):
            outputs = part.predict(net, batch)
        losses = share * part.measure(outputs, batch)
        measured.append(losses)
        total = total + part.total(losses)
    return total, torch.cat(measured).detach()


@cache
def _compiled() -> Callable[[nn.Module, Batch, Tensor, tuple[Part, ...], str], tuple[Tensor, Tensor]]:
    """`_loss`, compiled. One for the process: weights are inputs, so networks of the same shape share the code."""
    return compiled(_loss)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Computes in mixed precision: fp32, bf16 or fp16."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
