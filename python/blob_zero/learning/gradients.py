"""The gradient of a minibatch: in parts where memory is short, compiled where that works."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor

from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import DeviceError
from blob_zero.inference.devices import auto_precision
from blob_zero.learning.display import Notice
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceBatch
from blob_zero.model.blobnet import BlobNet


class Gradients:
    """Computes gradients of one network and leaves them in its parameters.

    A batch that does not fit in the device's memory is computed in parts whose gradients add up to the batch's own.
    Where `config.compile` asks for it, torch.compile builds forward, loss and backward, once for each size of a part;
    where that fails, a warning says why and training goes on without.

    Args:
        net: the network, on the device.
        config: precision, compilation and the weight of the value loss.
        device: where the network is.

    Attributes:
        precision: fp32, bf16 or fp16.
        parts: parts that a batch is computed in.
        compiled: whether the step is compiled.
        scaler: the loss scaling of fp16.
    """

    def __init__(self, net: BlobNet, config: TrainingConfig, *, device: torch.device) -> None:
        self.net = net
        self.device = device
        self.value_weight = config.value_weight
        self.precision = auto_precision(device) if config.precision == "auto" else config.precision
        self.parts = 1
        self.compiled = device.type == "cuda" if config.compile == "auto" else config.compile
        # fp16 gradients underflow without scaling; bf16 has the range of fp32.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")

    def compute(self, batch: DeviceBatch, notice: Notice) -> Tensor:
        """Computes the gradient of the batch's mean loss, scaled by `scaler`.

        Args:
            batch: on the network's device.
            notice: called if the batch has to be computed in more parts than before.

        Returns:
            float32[4]: policy loss, entropy of the target, value loss and value error of the whole batch.

        Raises:
            DeviceError: the device's memory is too small for a single row.
        """
        while True:
            self.net.zero_grad(set_to_none=True)
            try:
                return self._accumulate(batch)
            except torch.OutOfMemoryError:
                failure = None
            except Exception as error:
                if not self.compiled:
                    raise
                failure = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            # Not in the handler: there the exception's traceback still holds the tensors of the failed attempt.
            if failure is None:
                self._halve_parts(batch.rows, notice)
            else:
                self._stop_compiling(failure)

    def _accumulate(self, batch: DeviceBatch) -> Tensor:
        loss_of = _compiled() if self.compiled else _loss
        measured = torch.zeros(4, device=self.device)
        for part in batch.split(self.parts):
            share = torch.full((), part.rows / batch.rows, device=self.device)
            loss, losses = loss_of(self.net, part, share, self.value_weight, self.precision)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            measured += losses
        return measured

    def _halve_parts(self, rows: int, notice: Notice) -> None:
        """Computes batches in twice as many parts from now on."""
        if self.parts >= rows:
            raise DeviceError(
                f"the memory of {self.device} is exhausted by training on a single row: "
                "other processes should leave it more, or the network should be smaller"
            )
        self.parts *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # the cached blocks have the old sizes
        notice(
            f"the memory of {self.device} is exhausted: a step computes its {rows:,} rows in {self.parts} parts from "
            "here on, and learns the same"
        )

    def _stop_compiling(self, failure: str) -> None:
        # Compilers fail in as many ways as there are machines; an error with another cause comes again without.
        self.compiled = False
        warnings.warn(
            f"cannot compile the training step for {self.device}, going on without: {failure}",
            RuntimeWarning,
            stacklevel=5,
        )


def _loss(
    net: BlobNet, batch: DeviceBatch, share: Tensor, value_weight: float, precision: str
) -> tuple[Tensor, Tensor]:
    """The contribution of a part of a batch to the loss of the whole: forward, in the given precision.

    Args:
        net: the network in training.
        batch: the part.
        share: float32 scalar, the share of the batch's rows in this part.
        value_weight: weight of the value loss beside the policy loss.
        precision: fp32, bf16 or fp16.

    Returns:
        The loss, and float32[4] without gradient: policy loss, entropy, value loss, value error.
    """
    with _autocast(batch.features.device, precision):
        logits, values = net(batch.features)
    losses = batch_losses(logits, values, batch)
    measured = share * torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error])
    return share * (losses.policy + value_weight * losses.value), measured.detach()


@cache
def _compiled() -> Callable[[BlobNet, DeviceBatch, Tensor, float, str], tuple[Tensor, Tensor]]:
    """`_loss`, compiled. One for the process: weights are inputs, so networks of the same shape share the code."""
    return torch.compile(_loss, fullgraph=True, dynamic=False)


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
