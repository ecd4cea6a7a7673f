"""The learner: steps of AdamW that move BlobNet towards what the search found."""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blob_zero.config.schedule import at
from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import BlobError, CheckpointError, DeviceError
from blob_zero.inference.devices import auto_precision
from blob_zero.learning.loss import batch_losses, part_shares
from blob_zero.learning.minibatches import DeviceBatch, DeviceRows
from blob_zero.learning.replay import ReplayRing
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.suit_symmetry import SUIT_ORDERS

# Steps between two readings of the losses on a GPU: each waits for the device, which then waits for more work.
_STEPS_A_READING = 16


Notice = Callable[[str], None]


def _silence(_: str) -> None:
    pass


@dataclass(frozen=True)
class TrainingMetrics:
    """One iteration of training; the means are over the steps that were taken."""

    policy_loss: float
    """Cross-entropy of the network's policy against the visits, nats."""
    policy_entropy: float
    """Entropy of the visits, nats: the least that `policy_loss` can be."""
    policy_kl: float
    """Their difference: how far the network's policy is from the visits, nats."""
    value_loss: float
    """Mean squared error of the values of the seats in play."""
    value_error: float
    """Mean absolute error of the same values."""
    gradient_norm: float
    """Norm of the gradient before clipping."""
    learning_rate: float
    """At the last step."""
    steps: int
    """Optimizer steps taken."""
    skipped_steps: int
    """Steps not taken because the loss or the gradient was not finite."""
    examples_per_second: float
    """Rows learned from, a second."""
    by_step: npt.NDArray[np.float64] = field(repr=False)
    """[S, 6], what `Trainer.step` gave of each step tried."""
    rates: npt.NDArray[np.float64] = field(repr=False)
    """[S], their learning rates."""


def learning_rate(at: float, *, iterations: int, config: TrainingConfig) -> float:
    """The rate at a point of the run: a linear warm-up, then a cosine to the final share of the peak.

    Args:
        at: iterations done, with the part of the current one, in [0, iterations].
        iterations: iterations of the whole run.
        config: peak, warm-up and end.
    """
    # A short run may have less than the warm-up asks for; half of it at most is spent rising.
    warmup = min(config.warmup_iterations, iterations / 2)
    if at < warmup:
        return config.learning_rate * at / warmup
    done = min(1.0, (at - warmup) / (iterations - warmup))
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.learning_rate * (config.final_learning_rate + (1 - config.final_learning_rate) * cosine)


class Trainer:
    """A network, its optimizer, and the precision they work in.

    A batch that does not fit in the device's memory is computed in parts whose gradients add up to the batch's own.
    Where `config.compile` asks for it, torch.compile builds forward, loss and backward, once for each size of a part;
    where that fails, a warning says why and training goes on without.

    Args:
        net: the network, trained in place; it is moved to the device.
        config: epochs, batch size, schedule and the rest.
        device: where it trains.
        iterations: iterations of the whole run, over which the learning rate falls.
    """

    def __init__(self, net: BlobNet, config: TrainingConfig, *, device: torch.device, iterations: int) -> None:
        self.net = net.to(device)
        self.config = config
        self.device = device
        self.iterations = iterations
        self.precision = auto_precision(device) if config.precision == "auto" else config.precision
        matrices = [p for p in net.parameters() if p.ndim > 1]
        vectors = [p for p in net.parameters() if p.ndim <= 1]  # biases, norms and the position
        self.optimizer = _SkippingAdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            fused=True,
        )
        # fp16 gradients underflow without scaling; bf16 has the range of fp32.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.parts = 1
        self.compiled = device.type == "cuda" if config.compile == "auto" else config.compile

    def train(
        self,
        replay: ReplayRing,
        rng: np.random.Generator,
        *,
        iteration: int,
        progress: Callable[[int, int, float], None] | None = None,
        notice: Notice = _silence,
    ) -> TrainingMetrics:
        """Learn from the ring for the configured epochs.

        Args:
            replay: the rows; at least one.
            rng: the order of the rows follows from it.
            iteration: iterations done before this one; places the steps on the learning rate's schedule.
            progress: called with steps done, steps in all, and the mean loss so far: after each step on the CPU, and on
                a GPU as often as the loss is read.
            notice: is told in a line of what did not go as usual: memory that was short, steps that were skipped.

        Raises:
            BlobError: the ring is empty, or not one step had a finite loss.
            DeviceError: the device's memory is too small for a single row.
        """
        started = time.perf_counter()
        rows = DeviceRows(replay.columns(), device=self.device, notice=notice)
        reading = _STEPS_A_READING if self.device.type == "cuda" else 1
        sums = torch.zeros(6, dtype=torch.float64, device=self.device)
        by_step: list[Tensor] = []
        rates: list[float] = []
        total = step = size = 0
        rate = 0.0
        self.net.train()
        epochs = at(self.config.epochs, iteration)
        for _ in range(epochs):
            epoch = rows.upload(replay.epoch(rng, self.config.batch_size))
            batches, size = epoch.shape
            total = epochs * batches
            for slots in epoch:
                order = int(rng.integers(len(SUIT_ORDERS))) if self.config.rename_suits else 0
                step += 1
                rate = learning_rate(iteration + step / total, iterations=self.iterations, config=self.config)
                by_step.append(self.step(rows.batch(slots, order=order), rate=rate, notice=notice))
                rates.append(rate)
                sums += by_step[-1]
                if progress is not None and (step % reading == 0 or step == total):
                    progress(step, total, self._mean_loss(sums))
        taken, *summed = sums.tolist()
        if not taken:
            raise BlobError(f"training stopped: none of {total} steps of iteration {iteration + 1} had a finite loss")
        if taken < total:
            notice(
                f"training of iteration {iteration + 1} skipped {total - int(taken)} of {total} steps, whose loss or "
                "gradient was not finite"
            )
        policy_loss, entropy, value_loss, value_error, norm = (x / taken for x in summed)
        return TrainingMetrics(
            policy_loss=policy_loss,
            policy_entropy=entropy,
            policy_kl=policy_loss - entropy,
            value_loss=value_loss,
            value_error=value_error,
            gradient_norm=norm,
            learning_rate=rate,
            steps=int(taken),
            skipped_steps=total - int(taken),
            examples_per_second=taken * size / (time.perf_counter() - started),
            by_step=torch.stack(by_step).cpu().numpy(),
            rates=np.array(rates),
        )

    def step(self, batch: DeviceBatch, *, rate: float, notice: Notice = _silence) -> Tensor:
        """One optimizer step, queued on the device without waiting for it.

        Where the loss or the gradient is not finite, the network and the optimizer stay as they were.

        Args:
            batch: on the learner's device.
            rate: the learning rate.
            notice: is told if the batch has to be computed in more parts than before.

        Returns:
            float64[6] on the device: 1, policy loss, entropy of the target, value loss, value error and gradient norm
            before clipping; all zeros for a step not taken.

        Raises:
            DeviceError: the device's memory is too small for a single row.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self._gradients(batch, notice)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_clip)
        measured = torch.cat([losses, norm.detach()[None]])
        finite = measured.isfinite().all()
        # The optimizer reads this on the device and leaves all as it is for a 1.
        self.optimizer.found_inf = (~finite).float()
        self.optimizer.step()
        self.scaler.update()
        return torch.where(finite, torch.cat([torch.ones_like(measured[:1]), measured]), 0.0).double()

    def _gradients(self, batch: DeviceBatch, notice: Notice) -> Tensor:
        """Leave the batch's gradient in the network, computed in as many parts as the memory asks for.

        Returns:
            float32[4]: policy loss, entropy, value loss and value error of the whole batch.
        """
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self._accumulate(batch)
            except torch.OutOfMemoryError:
                failure = None
            except Exception as error:
                if not self.compiled:
                    raise
                failure = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            # Out here the exception, whose traceback holds the tensors of the failed try, is gone.
            if failure is None:
                self._shrink(batch.rows, notice)
            else:
                # Compilers fail in as many ways as there are machines; an error of another kind comes again without.
                self.compiled = False
                warnings.warn(
                    f"cannot compile the training step for {self.device}, going on without: {failure}",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _accumulate(self, batch: DeviceBatch) -> Tensor:
        loss_of = _compiled() if self.compiled else _loss
        values = self.net.shape.values
        measured = torch.zeros(4, device=self.device)
        for part in batch.split(self.parts):
            shares = part_shares(part, batch, values=values)
            loss, losses = loss_of(self.net, part, shares, self.config.value_weight, self.precision)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            measured += losses
        return measured

    def _shrink(self, rows: int, notice: Notice) -> None:
        """Compute batches in twice as many parts from now on."""
        if self.parts >= rows:
            raise DeviceError(
                f"the memory of {self.device} is exhausted by training on a single row: "
                "other processes should leave it more, or the network should be smaller"
            )
        self.parts *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # what is cached in blocks of the old sizes
        notice(
            f"the memory of {self.device} is exhausted: a step computes its {rows:,} rows in {self.parts} parts from "
            "here on, and learns the same"
        )

    def _mean_loss(self, sums: Tensor) -> float:
        taken, policy, _, value, _, _ = sums.tolist()
        mean: float = (policy + self.config.value_weight * value) / max(taken, 1)
        return mean

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state by parameter name, and the gradient scale where there is one."""
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.net.named_parameters()}
        state = {
            f"{kind}.{names[parameter]}": tensor.detach().cpu()
            for parameter, kinds in self.optimizer.state.items()
            for kind, tensor in kinds.items()
        }
        if self.scaler.is_enabled():
            scaler = self.scaler.state_dict()
            state["scaler"] = torch.tensor([scaler["scale"], scaler["_growth_tracker"]], dtype=torch.float64)
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take what `state` gave; an empty state is that of an optimizer before its first step.

        Raises:
            CheckpointError: the state is of another network.
        """
        self.optimizer.state.clear()
        parameters = dict(self.net.named_parameters())
        for key, tensor in state.items():
            if key == "scaler":
                continue
            kind, _, name = key.partition(".")
            parameter = parameters.get(name)
            if parameter is None or (kind != "step" and tensor.shape != parameter.shape):
                raise CheckpointError(
                    f"the optimizer state {key} {list(tensor.shape)} fits no parameter of the network"
                )
            self.optimizer.state[parameter][kind] = tensor.to(self.device, copy=True)
        if self.scaler.is_enabled() and "scaler" in state:
            scale, growth = state["scaler"].tolist()
            self.scaler.load_state_dict(self.scaler.state_dict() | {"scale": scale, "_growth_tracker": int(growth)})


class _SkippingAdamW(torch.optim.AdamW):
    """AdamW whose fused step reads on the device whether it should be left out, as gradient scaling has it do."""

    found_inf: Tensor


def _loss(
    net: BlobNet, batch: DeviceBatch, shares: Tensor, value_weight: float, precision: str
) -> tuple[Tensor, Tensor]:
    """The loss of a part of a batch as its share in the loss of the whole: forward, in the given precision.

    Args:
        net: the learner.
        batch: the part.
        shares: float32[2], as `part_shares` gives them.
        value_weight: weight of the value loss beside the policy loss.
        precision: fp32, bf16 or fp16.

    Returns:
        The loss to go backward from, and float32[4] without gradient: policy loss, entropy, value loss, value error.
    """
    with _autocast(batch.features.device, precision):
        logits, values = net(batch.features)
    losses = batch_losses(logits, values, batch)
    rows, seats = shares
    policy, value = losses.policy * rows, losses.value * seats
    measured = torch.stack([policy, losses.entropy * rows, value, losses.value_error * seats])
    return policy + value_weight * value, measured.detach()


@cache
def _compiled() -> Callable[[BlobNet, DeviceBatch, Tensor, float, str], tuple[Tensor, Tensor]]:
    """`_loss`, compiled. One for all: networks of the same shape, whose weights are inputs, share the code."""
    return torch.compile(_loss, fullgraph=True, dynamic=False)


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
