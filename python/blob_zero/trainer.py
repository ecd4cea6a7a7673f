"""The learner: steps of AdamW that move BlobNet towards what the search found."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import blob_zero as bz
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.config import TrainingConfig
from blob_zero.devices import auto_precision
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.network import BlobNet
from blob_zero.replay import Batch, ReplayRing
from blob_zero.schedule import at
from blob_zero.suit_symmetry import SUIT_ORDERS, rename_suits

# Low enough that its softmax is 0, finite so that 0 * log(0) of an illegal action stays 0.
_MASKED_LOGIT = -1e9


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


@dataclass(frozen=True)
class Losses:
    """Parts of the loss of one batch, each a scalar tensor."""

    policy: Tensor
    entropy: Tensor
    value: Tensor
    value_error: Tensor


def batch_losses(logits: Tensor, values: Tensor, batch: "DeviceBatch") -> Losses:
    """Cross-entropy over the legal actions and mean squared error over the seats in play, in float32.

    Args:
        logits: [B, 52], over all actions.
        values: [B, V], by relative seat; with V below 8, the first V seats are learned.
        batch: the targets.
    """
    log_policy = functional.log_softmax(logits.float().masked_fill(~batch.legal, _MASKED_LOGIT), dim=1)
    policy_loss = -(batch.policy * log_policy).sum(dim=1).mean()
    entropy = torch.special.entr(batch.policy).sum(dim=1).mean()
    seats = values.shape[1]
    in_play = torch.arange(seats, device=values.device) < batch.players[:, None]
    error = (values.float() - batch.values[:, :seats]) * in_play
    count = in_play.sum()
    return Losses(policy_loss, entropy, error.square().sum() / count, error.detach().abs().sum() / count)


@dataclass(frozen=True)
class DeviceBatch:
    """A minibatch on the learner's device, in the numbers the loss is computed in."""

    features: Tensor
    """float32[B, 256], scaled."""
    legal: Tensor
    """bool[B, 52]."""
    policy: Tensor
    """float32[B, 52], each row summing to 1."""
    values: Tensor
    """float32[B, 8]."""
    players: Tensor
    """uint8[B]: seats in play."""

    @classmethod
    def of(cls, batch: Batch, *, scale: Tensor) -> "DeviceBatch":
        """Move a batch to the device of `scale`, float32[256]."""
        raw = torch.from_numpy(batch.features).to(scale.device)
        policy = torch.from_numpy(batch.policy).to(scale.device).float()
        return cls(
            features=raw.float() * scale,
            legal=torch.from_numpy(batch.legal).to(scale.device),
            # float16 rounds a row's sum by up to 1e-3; the entropy and the loss are of a distribution.
            policy=policy / policy.sum(dim=1, keepdim=True),
            values=torch.from_numpy(batch.values).to(scale.device),
            players=raw[:, PLAYERS_FEATURE],
        )


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
        self._scale = torch.from_numpy(bz.feature_scale()).to(device)
        matrices = [p for p in net.parameters() if p.ndim > 1]
        vectors = [p for p in net.parameters() if p.ndim <= 1]  # biases, norms and the position
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            fused=True,
        )
        # fp16 gradients underflow without scaling; bf16 has the range of fp32.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")

    def train(
        self,
        replay: ReplayRing,
        rng: np.random.Generator,
        *,
        iteration: int,
        progress: Callable[[int, int, float], None] | None = None,
    ) -> TrainingMetrics:
        """Learn from the ring for the configured epochs.

        Args:
            replay: the rows; at least one.
            rng: the order of the rows follows from it.
            iteration: iterations done before this one; places the steps on the learning rate's schedule.
            progress: called after each step with steps done, steps in all, and the loss.

        Raises:
            BlobError: the ring is empty, or not one step had a finite loss.
        """
        size, epochs = self.config.batch_size, at(self.config.epochs, iteration)
        total = epochs * replay.batches_per_epoch(size)
        sums = np.zeros(5)
        taken = examples = 0
        rate = 0.0
        started = time.perf_counter()
        self.net.train()
        for step, batch in enumerate(self._batches(replay, rng, epochs), start=1):
            rate = learning_rate(iteration + step / total, iterations=self.iterations, config=self.config)
            measured = self.step(batch, rate=rate)
            if measured is not None:
                sums += measured
                taken += 1
                examples += len(batch)
            if progress is not None:
                progress(step, total, float(sums[0] + self.config.value_weight * sums[2]) / max(taken, 1))
        if not taken:
            raise BlobError(f"training stopped: none of {total} steps of iteration {iteration + 1} had a finite loss")
        policy_loss, entropy, value_loss, value_error, norm = (float(x) for x in sums / taken)
        return TrainingMetrics(
            policy_loss=policy_loss,
            policy_entropy=entropy,
            policy_kl=policy_loss - entropy,
            value_loss=value_loss,
            value_error=value_error,
            gradient_norm=norm,
            learning_rate=rate,
            steps=taken,
            skipped_steps=total - taken,
            examples_per_second=examples / (time.perf_counter() - started),
        )

    def step(self, batch: Batch, *, rate: float) -> tuple[float, float, float, float, float] | None:
        """One optimizer step.

        Returns:
            Policy loss, entropy of the target, value loss, value error and gradient norm, or None where the
            loss or the gradient was not finite and the network was therefore left as it was.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        on_device = DeviceBatch.of(batch, scale=self._scale)
        with self._autocast():
            logits, values = self.net(on_device.features)
        losses = batch_losses(logits, values, on_device)
        loss = losses.policy + self.config.value_weight * losses.value
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_clip)
        parts = torch.stack([losses.policy, losses.entropy, losses.value, losses.value_error, norm]).detach()
        policy, entropy, value, error, gradient = parts.tolist()  # the one wait for the device in a step
        if not all(math.isfinite(x) for x in (policy, value, gradient)):
            self.scaler.update()
            return None
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return policy, entropy, value, error, gradient

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

    def _batches(self, replay: ReplayRing, rng: np.random.Generator, epochs: int) -> Iterator[Batch]:
        for _ in range(epochs):
            for batch in replay.epoch(rng, self.config.batch_size):
                order = SUIT_ORDERS[rng.integers(len(SUIT_ORDERS))] if self.config.rename_suits else SUIT_ORDERS[0]
                yield rename_suits(batch, order)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=dtype)
