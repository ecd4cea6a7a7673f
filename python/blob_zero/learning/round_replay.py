"""The rounds that a policy learns from: kept as they were played, drawn as rows."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero import _core
from blob_zero._core import ACTIONS, PLAYERS_FEATURE
from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.inference.devices import torch_threads
from blob_zero.learning.importance import chances_to_learn, draw
from blob_zero.learning.minibatches import Minibatches
from blob_zero.learning.replay import HELD_OUT_EVERY
from blob_zero.learning.returns import returns

Rounds = Mapping[str, npt.NDArray[Any]]
"""Finished rounds by column, as `Records.rounds` has them."""

_DRAWN_AHEAD = 3
"""Minibatches that are rebuilt while others are learned from."""

_HELD_OUT_ROWS = 16_384
"""Rows measured on, the newest: enough for losses to 1 % and to bound the time."""

_HELD_OUT_BATCH = 4096

_JUDGED_ROWS = 1024
"""Decisions that a thread judges at a time before an iteration is learned from; more leave holes in the memory."""

_MOST_JUDGES = 8
"""Threads that judge at once, each with some 30 MB."""

_LEAST = 1e-8
"""Keeps a deviation of 0 from dividing."""


Judge = Callable[["_core._Rows", "_core._AfterRows"], "_core._Judged"]
"""What the learner's networks make of decisions before they learn from them (`_core.judge_decisions`): takes decisions,
and the positions after each of their legal actions."""


class OutcomeBatch(NamedTuple):
    """A minibatch of B decisions on the learner's device, with what came of them."""

    features: Tensor
    """float32[B, 256], scaled."""
    legal: Tensor
    """bool[B, 52]: the legal actions, in the encoding's names."""
    action: Tensor
    """int64[B], the action taken, in the encoding's names."""
    bid: Tensor
    """int64[B], the own bid; of a bid, the bid itself."""
    tricks: Tensor
    """int64[B, 8], tricks won in the end, by relative seat."""
    values: Tensor
    """float32[B, 8], values in the end, by relative seat."""
    players: Tensor
    """uint8[B]: seats in play."""
    log_probability: Tensor
    """float32[B]: of the action taken, with the weights that the iteration began with; 0 in held-out rows."""
    advantage: Tensor
    """float32[B, 52]: of each legal action, in units of their root mean square over the iteration; 0 of others and in
    held-out rows."""
    expected: Tensor
    """float32[B]: what the critic and the own value are learned from (`returns`); in held-out rows the own value."""
    entropy_weight: Tensor
    """float32[B]: weight of the policy's entropy in the loss, the same for all."""
    weight: Tensor
    """float32[B]: of the row in means over rows; 1 in the mean."""
    after_features: Tensor
    """uint8[B, 620], unscaled: what the seat that decided knows after the action taken and all that it forces, with all
    hands open; all 0 where its value is settled."""
    settled: Tensor
    """float32[B]: the value of the round to the seat where nothing can change it any more, else NaN."""

    @property
    def made(self) -> Tensor:
        """float32[B]: whether the bid is made in the end, 1 or 0."""
        return (self.tricks[:, 0] == self.bid).float()

    @property
    def rows(self) -> int:
        """Number of rows, B."""
        return len(self.features)

    def split(self, parts: int) -> "list[OutcomeBatch]":
        """The batch in at most `parts` batches of equal size, except for a smaller last one."""
        size = -(-self.rows // parts)
        return [OutcomeBatch(*(column[start : start + size] for column in self)) for start in range(0, self.rows, size)]


class RoundReplay:
    """The newest rounds of at most `capacity` decisions; the oldest make room.

    A decision takes about 30 bytes, and 10 on disk, at 4 players with 5 cards (docs/training.md).

    A policy is learned from the rounds that it played itself, so minibatches are of the rounds added last. They depend
    on these rounds and their order alone.

    Attributes:
        capacity: the most decisions it holds.
        newest: decisions to learn from among the rounds added last.

    Raises:
        ConfigError: the capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ConfigError(f"replay capacity {capacity}: should be at least 1 row")
        self.capacity = capacity
        self.newest = 0
        self._store = _core.RoundStore(capacity, held_out_every=HELD_OUT_EVERY)

    def __len__(self) -> int:
        return self._store.decisions() + self._store.decisions(held_out=True)

    def append(self, rounds: Rounds) -> None:
        """Adds rounds."""
        self._store.add(dict(rounds))
        held_out = rounds["number"] % np.uint64(HELD_OUT_EVERY) == HELD_OUT_EVERY - 1
        self.newest = min(int(rounds["decisions"][~held_out].sum()), self._store.decisions())

    def restore(self, rounds: Rounds, *, source: str) -> None:
        """Adds rounds that were read from a file.

        Raises:
            CheckpointError: they are no rounds.
        """
        try:
            self.append(rounds)
        except (ConfigError, KeyError) as error:
            raise CheckpointError(f"{source} does not hold finished rounds: {error}") from error

    def newest_of(self, rounds: Rounds) -> tuple[Rounds, int]:
        """The rounds, and how many decisions they have; the store keeps the newest of them."""
        return rounds, int(rounds["decisions"].sum(dtype=np.int64))

    def minibatches(
        self,
        rng: np.random.Generator,
        config: TrainingConfig,
        *,
        judge: Judge,
        critic_warms_up: bool,
        device: torch.device,
        epochs: int,
        entropy_weight: float,
    ) -> Minibatches:
        """Passes over decisions of the newest rounds, each in another order; the rest of a batch is left out.

        A pass has `training.learned_share` of the decisions (`importance`).

        Args:
            rng: draws the decisions of each pass, and their order.
            config: settings of the training.
            judge: the learner's present networks.
            critic_warms_up: whether the critic knows too little yet. It then does not move the policy, and learns the
                results alone.
            device: of the minibatches.
            epochs: number of passes.
            entropy_weight: `OutcomeBatch.entropy_weight`.
        """
        if not self.newest:
            return Minibatches(0, config.batch_size, ())
        learned = self._judged(judge, config, device, critic_warms_up=critic_warms_up)
        learned = learned._replace(entropy_weight=entropy_weight)
        passes = [draw(learned.chance, rng) for _ in range(epochs)]
        least = min(len(places) for places in passes)
        # A power of two, so that a graph captured for a small iteration fits the next one as well.
        size = config.batch_size if least >= config.batch_size else 1 << (least.bit_length() - 1)
        orders = np.concatenate([places[: len(places) // size * size].reshape(-1, size) for places in passes])
        return Minibatches(len(orders), size, self._batches(orders, learned, device))

    def held_out(self, *, device: torch.device) -> Iterator[OutcomeBatch]:
        """The newest decisions of held-out rounds, a batch at a time."""
        there = self._store.decisions(held_out=True)
        newest = np.arange(max(there - _HELD_OUT_ROWS, 0), there)
        for start in range(0, len(newest), _HELD_OUT_BATCH):
            part = newest[start : start + _HELD_OUT_BATCH]
            rows, after = self._store.rows(part, held_out=True), self._store.after_taken(part, held_out=True)
            yield _on_device(rows, after, device)

    def _judged(
        self, judge: Judge, config: TrainingConfig, device: torch.device, *, critic_warms_up: bool
    ) -> "_Learned":
        """What is learned from each decision of the newest rounds."""
        first = self._store.decisions() - self.newest
        of_batch = np.empty((5, self.newest), np.float32)
        # Half precision: there are 52 numbers for each decision.
        advantage = np.empty((self.newest, ACTIONS), np.float16)

        def part_of(start: int) -> tuple[float, int]:
            part = np.arange(start, min(start + _JUDGED_ROWS, self.newest))
            # The last part repeats some of its decisions, so that no part has a size of its own (`rounded_rows`).
            places = first + np.resize(part, _JUDGED_ROWS)
            rows = self._store.rows(places)
            judged = judge(rows, self._store.after_each(places))
            columns = [judged["log_probability"], judged["value"], judged["taken_value"], judged["make_error"]]
            of_batch[:, part] = np.stack([*columns, rows["values"][:, 0]])[:, : len(part)]
            advantage[part] = judged["advantage"][: len(part)]
            return math.fsum(judged["squares"][: len(part)]), int(rows["legal"][: len(part)].sum())

        # On a CPU a thread judges a part alone: its operations are too small to share. On a GPU they queue up anyway.
        threads = min(torch.get_num_threads(), _MOST_JUDGES) if device.type == "cpu" else 1
        starts = range(0, self.newest, _JUDGED_ROWS)
        with torch_threads(1), ThreadPoolExecutor(threads, "judge", torch.set_num_threads, (1,)) as pool:
            parts = list(pool.map(part_of, starts))
        squares, legal = math.fsum(squares for squares, _ in parts), sum(legal for _, legal in parts)
        _, value, taken_value, make_error, result = of_batch
        td_lambda = 1.0 if critic_warms_up else config.td_lambda
        expected = returns(value, result, self._store.next_decisions(first), td_lambda)
        if critic_warms_up:
            advantage.fill(0)
        else:
            # The divisor may be too small for half precision.
            np.divide(advantage, np.float32(np.sqrt(squares / legal) + _LEAST), out=advantage, casting="same_kind")
        # By the logits of the policy, the critic's output and the chance to make the bid; those of the rest are small.
        squared = np.einsum("na,na->n", advantage, advantage, dtype=np.float32)
        others = (expected - taken_value) ** 2 + (config.make_weight * make_error) ** 2
        norms = np.sqrt(config.policy_weight**2 * squared + others)
        chance = chances_to_learn(norms, config.learned_share)
        # A copy, so that the other columns need not be kept.
        return _Learned(first, of_batch[0].copy(), advantage, expected, 0.0, chance)

    def _batches(
        self, orders: npt.NDArray[np.int64], learned: "_Learned", device: torch.device
    ) -> Iterator[OutcomeBatch]:
        share = learned.chance.mean()

        def build(places: npt.NDArray[np.int64]) -> OutcomeBatch:
            wanted = learned.first + places
            batch = _on_device(self._store.rows(wanted), self._store.after_taken(wanted), device)
            columns = (learned.log_probability, learned.advantage, learned.expected, share / learned.chance)
            chance, advantage, expected, weight = (
                torch.from_numpy(column[places]).to(device).float() for column in columns
            )
            return batch._replace(
                log_probability=chance,
                advantage=advantage,
                expected=expected,
                entropy_weight=torch.full_like(chance, learned.entropy_weight),
                weight=weight,
            )

        with ThreadPoolExecutor(1, thread_name_prefix="rows") as ahead:
            # More threads for its operations would spin beside those that learn. The number is also that of threads to
            # come, which is restored.
            with torch_threads(torch.get_num_threads()):
                ahead.submit(torch.set_num_threads, 1).result()
            pending = [ahead.submit(build, places) for places in orders[:_DRAWN_AHEAD]]
            for k in range(len(orders)):
                batch = pending.pop(0).result()
                if k + _DRAWN_AHEAD < len(orders):
                    pending.append(ahead.submit(build, orders[k + _DRAWN_AHEAD]))
                yield batch


class _Learned(NamedTuple):
    """What is learned from the decisions of an iteration: [N], in their order."""

    first: int
    """Number of the first decision in the store."""
    log_probability: npt.NDArray[np.floating[Any]]
    advantage: npt.NDArray[np.floating[Any]]
    expected: npt.NDArray[np.floating[Any]]
    entropy_weight: float
    chance: npt.NDArray[np.float64]
    """To be drawn in a pass."""


def scaled(features: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Encoded observations as a network reads them, float32[N, 256]."""
    return torch.from_numpy(features).to(device).float() * torch.from_numpy(bz.feature_scale()).to(device)


def _on_device(rows: "_core._Rows", after: "_core._AfterRows", device: torch.device) -> OutcomeBatch:
    """A batch of decisions, and of what follows the actions taken, not judged yet."""
    legal, action, bid, tricks, values = (
        torch.from_numpy(rows[name]).to(device) for name in ("legal", "action", "bid", "tricks", "values")
    )
    players = np.ascontiguousarray(rows["features"][:, PLAYERS_FEATURE])
    none = torch.zeros_like(values[:, 0])
    return OutcomeBatch(
        features=scaled(rows["features"], device),
        legal=legal,
        action=action.long(),
        bid=bid.long(),
        tricks=tricks.long(),
        values=values,
        players=torch.from_numpy(players).to(device),
        log_probability=none,
        advantage=torch.zeros(legal.shape, device=device),
        expected=values[:, 0],
        entropy_weight=none,
        weight=torch.ones_like(none),
        after_features=torch.from_numpy(after["features"]).to(device),
        settled=torch.from_numpy(after["settled"]).to(device),
    )
