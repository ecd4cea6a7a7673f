"""The learner: optimizer steps that move a network towards what self-play found."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blob_zero import _core
from blob_zero.config.schedule import at
from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.inference.gpu import gpu
from blob_zero.learning.display import Notice, silent
from blob_zero.learning.gradients import Gradients, autocast
from blob_zero.learning.held_out import measure_outcomes, measure_values
from blob_zero.learning.minibatches import DeviceRows, Minibatches
from blob_zero.learning.objective import Batch, action_values
from blob_zero.learning.optimizer import (
    ensure_moments,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
    set_rates,
)
from blob_zero.learning.rate import entropy_weight, learning_rate
from blob_zero.learning.replay import ReplayRing
from blob_zero.learning.round_replay import RoundReplay, scaled
from blob_zero.learning.step_graph import StepGraph
from blob_zero.learning.summary import StepResults, TrainingSummary
from blob_zero.machine.spinning import share_cores_with_others
from blob_zero.metrics.log import MetricValue
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.critic import ActorCritic, critic_size
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import OutcomeNet, Outcomes

# Steps between two readings of the losses on a GPU: each reading waits for the device, which then idles.
_STEPS_A_READING = 16

_SCALER = "scaler"
_CRITIC = "critic"

OnStep = Callable[[int, int, float], None]
"""Called with the steps done, all steps of the iteration, and the mean loss so far."""


class Learner:
    """A network, its optimizer and its gradients.

    Args:
        net: the network, trained in place; it is moved to the device.
        config: epochs, batch size, schedule and the rest.
        device: where it trains.
        iterations: iterations of the whole run, over which the learning rate falls.

    Attributes:
        begun_elsewhere: whether the network was trained before. While a new critic warms up, it then stays as it is;
            its own rate rises afterwards.
        critic_begun_elsewhere: whether its critic was trained before as well; then nothing warms up but the rate.
    """

    def __init__(self, net: Network, config: TrainingConfig, *, device: torch.device, iterations: int) -> None:
        self.net = net.to(device)
        self.begun_elsewhere = False
        self.critic_begun_elsewhere = False
        self._trained: Network | ActorCritic = self.net
        if isinstance(net, OutcomeNet):
            width, layers = critic_size(net.shape, config)
            self._trained = ActorCritic(net, width=width, layers=layers).to(device)
        self.config = config
        self.device = device
        self.iterations = iterations
        self.gradients = Gradients(self._trained, config, device=device)
        self.optimizer = make_optimizer(self._trained, config, on_gpu=device.type == "cuda")
        self._rows: DeviceRows | None = None
        self._graphs: dict[int, StepGraph] = {}
        share_cores_with_others()

    @property
    def critic_warmup(self) -> int:
        """Iterations at the start in which the critic learns and does not move the policy."""
        has_critic = isinstance(self._trained, ActorCritic) and not self.critic_begun_elsewhere
        return self.config.critic_warmup if has_critic else 0

    def train(
        self,
        replay: ReplayRing | RoundReplay,
        rng: np.random.Generator,
        *,
        iteration: int,
        progress: OnStep | None = None,
        notice: Notice = silent,
    ) -> TrainingSummary:
        """Learns from the rows of an iteration.

        Args:
            replay: the rows; at least one.
            rng: determines the order of the rows.
            iteration: iterations done before this one; places the steps on the learning rate's schedule.
            progress: called after each step on the CPU, and every few steps on a GPU, where it waits for the device.
            notice: called if memory was short or steps were skipped.

        Raises:
            BlobError: there are no rows, or no step had a finite loss.
            DeviceError: the device's memory is too small for a single row.
        """
        started = time.perf_counter()
        results = StepResults(self.gradients.objective, device=self.device)
        reading = _STEPS_A_READING if self.device.type == "cuda" else 1
        total, size, batches = self.minibatches(replay, rng, iteration=iteration, notice=notice)
        first = self.critic_warmup if self.begun_elsewhere else 0
        self._trained.train()
        self.net.train(iteration >= first)  # running means stay as they are, too
        for batch in batches:
            then = iteration + (len(results) + 1) / total
            rate, critic_rate = (
                learning_rate(then, iterations=self.iterations, config=self.config, first=of) for of in (first, 0)
            )
            results.add(self.step(batch, rate=rate, critic_rate=critic_rate, notice=notice), rate=rate)
            if progress is not None and (len(results) % reading == 0 or len(results) == total):
                progress(len(results), total, results.mean_loss())
        self._check_steps(results.skipped(), total, iteration=iteration, notice=notice)
        return results.summary(batch_rows=size, seconds=time.perf_counter() - started)

    def _judge(self, rows: "_core._Rows", after: "_core._AfterRows") -> "_core._Judged":
        """What the networks make of decisions, with the weights that they have now."""
        assert isinstance(self._trained, ActorCritic)
        with torch.inference_mode(), autocast(self.device, self.gradients.precision):
            outcomes: Outcomes = self._trained.actor(scaled(rows["features"], self.device), detailed=0)
            values = action_values(self._trained, torch.from_numpy(after["features"]).to(self.device))
        return _core.judge_decisions(
            policy=_numbers(outcomes.policy),
            make=_numbers(outcomes.make),
            legal=rows["legal"],
            action=rows["action"],
            made=rows["tricks"][:, 0] == rows["bid"],
            decision=after["decision"],
            acted=after["action"],
            settled=after["settled"],
            value=_numbers(values),
        )

    def measure_held_out(self, replay: ReplayRing | RoundReplay, *, has_bid_chances: bool) -> dict[str, MetricValue]:
        """Losses and calibration on the held-out rows, with the meaning that docs/metrics.md gives."""
        match self.net, replay:
            case OutcomeNet(), RoundReplay():
                assert isinstance(self._trained, ActorCritic)
                return measure_outcomes(self._trained, replay.held_out(device=self.device))
            case BlobNet() as net, ReplayRing():
                rows = self._device_rows(replay, silent).held_out()
                return measure_values(net, rows, has_bid_chances=has_bid_chances)
        raise TypeError(f"{type(self.net).__name__} does not learn from {type(replay).__name__}")

    def minibatches(
        self, replay: ReplayRing | RoundReplay, rng: np.random.Generator, *, iteration: int, notice: Notice = silent
    ) -> Minibatches:
        """The minibatches of an iteration, on the learner's device; arguments as in `train`."""
        if isinstance(replay, RoundReplay):
            self._trained.eval()  # threads judge side by side, and must change no running mean
            warms_up = iteration < self.critic_warmup
            entropy = entropy_weight(iteration, iterations=self.iterations, config=self.config)
            try:
                return replay.minibatches(
                    rng,
                    self.config,
                    judge=self._judge,
                    critic_warms_up=warms_up,
                    device=self.device,
                    epochs=at(self.config.epochs, iteration),
                    # Alone it would move the policy as far as Adam's steps reach: it undid what the chances say.
                    entropy_weight=0.0 if warms_up else entropy,
                )
            finally:
                self._trained.train()
        return self._device_rows(replay, notice).minibatches(rng, self.config, iteration=iteration)

    def _device_rows(self, replay: ReplayRing, notice: Notice) -> DeviceRows:
        """The ring's rows on the device; rows of earlier iterations are not uploaded again."""
        if self._rows is None or self._rows.ring is not replay:
            self._rows = DeviceRows(replay, device=self.device, notice=notice)
        self._rows.update()
        return self._rows

    def _check_steps(self, skipped: int, total: int, *, iteration: int, notice: Notice) -> None:
        if skipped == total:
            raise BlobError(f"training stopped: none of {total} steps of iteration {iteration + 1} had a finite loss")
        if skipped:
            notice(
                f"training of iteration {iteration + 1} skipped {skipped} of {total} steps, whose loss or "
                "gradient was not finite"
            )

    def step(self, batch: Batch, *, rate: float, critic_rate: float | None = None, notice: Notice = silent) -> Tensor:
        """One optimizer step, queued on the device without waiting for it.

        Where the loss or the gradient is not finite, the network and the optimizer stay as they were.

        Args:
            batch: on the learner's device.
            rate: the learning rate.
            critic_rate: that of the critic; the same if None.
            notice: called if the batch has to be computed in more parts than before.

        Returns:
            float64 on the device: 1, the losses of the objective, and the gradient norm before clipping. All zeros for
            a step that was left out, but for a first entry of -1 where the gradient alone overflowed in fp16 and its
            scale was lowered, which is ordinary.
        """
        while True:
            try:
                set_rates(self.optimizer, rate, critic_rate)
                ensure_moments(self.optimizer)
                with self.gradients.own_threads():
                    return self._stepper(batch)(batch)
            except Exception as error:
                self._graphs.clear()
                self.gradients.adapt(error, batch.rows, notice)
            # Not in the handler: there the error's traceback still holds the tensors of the failed attempt.
            self._trained.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # the cached blocks have the old sizes

    def _stepper(self, batch: Batch) -> Callable[[Batch], Tensor]:
        """The function that takes a step on such a batch: on a GPU a graph, unless compilation is off."""
        if self.device.type != "cuda" or not self.gradients.compiled:
            return self._take
        if batch.rows not in self._graphs:
            results = 2 + len(self.gradients.objective.names)
            self._graphs[batch.rows] = StepGraph(self._take, batch, results=results, gpu=gpu(self.device))
        return self._graphs[batch.rows]

    def _take(self, batch: Batch) -> Tensor:
        """The work of a step: it reads no number on the host, so that a graph can repeat it."""
        scale = self.gradients.scale
        losses = self.gradients.compute(batch)
        scale.unscale(parameter.grad for parameter in self._trained.parameters())
        norm = nn.utils.clip_grad_norm_(self._trained.parameters(), self.config.gradient_clip)
        measured = torch.cat([torch.ones_like(losses[:1]), losses, norm.detach()[None]])
        finite = measured.isfinite().all()
        lowers = ~finite & losses.isfinite().all() & (scale.scale > 1)
        self.optimizer.found_inf = (~finite).float()
        self.optimizer.step()
        scale.update(finite)
        left_out = torch.zeros_like(measured)
        left_out[0] = -lowers.float()
        return torch.where(finite, measured, left_out).double()

    def state(self) -> dict[str, Tensor]:
        """The optimizer's state by parameter name; also the critic's weights, and the gradient scale in fp16."""
        state = optimizer_state(self.optimizer, self._trained)
        if isinstance(self._trained, ActorCritic):
            weights = self._trained.critic.state_dict()
            state |= {f"{_CRITIC}.{name}": weight.detach().cpu() for name, weight in weights.items()}
        if self.gradients.scale.enabled:
            state[_SCALER] = self.gradients.scale.state()
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state` returned.

        Raises:
            CheckpointError: the state belongs to another network.
        """
        moments = {
            name: tensor for name, tensor in state.items() if name != _SCALER and not name.startswith(f"{_CRITIC}.")
        }
        if isinstance(self._trained, ActorCritic):
            try:
                self._trained.critic.load_state_dict(critic_weights(state))
            except RuntimeError as error:
                raise CheckpointError(
                    f"the critic's weights do not fit training.critic_width and critic_layers: {error}"
                ) from error
        load_optimizer_state(self.optimizer, self._trained, moments)
        self._graphs.clear()  # they hold the old moments
        if self.gradients.scale.enabled and _SCALER in state:
            self.gradients.scale.load(state[_SCALER])


def critic_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The critic's part of what `Learner.state` returned; empty if it has none."""
    return {name.partition(".")[2]: tensor for name, tensor in state.items() if name.startswith(f"{_CRITIC}.")}


def _numbers(tensor: Tensor) -> npt.NDArray[np.float32]:
    """The numbers of a tensor in one piece, in this computer's memory."""
    found: npt.NDArray[np.float32] = tensor.float().cpu().contiguous().numpy()
    return found
