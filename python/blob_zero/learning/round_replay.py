"""The rounds that a policy learns from: kept as they were played, drawn as rows."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero import _core
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.config.schema import TrainingConfig
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.advantages import advantages
from blob_zero.learning.importance import chances_to_learn, draw
from blob_zero.learning.minibatches import Minibatches
from blob_zero.learning.replay import HELD_OUT_EVERY

Rounds = Mapping[str, npt.NDArray[Any]]
"""Finished rounds by column, as `Records.rounds` has them."""

_DRAWN_AHEAD = 3
"""Minibatches that are rebuilt while others are learned from."""

_HELD_OUT_ROWS = 16_384
"""Rows measured on, the newest: enough for losses to 1 % and to bound the time."""

_HELD_OUT_BATCH = 4096

_JUDGED_ROWS = 8192
"""Decisions that are judged at a time before an iteration is learned from."""

_LEAST = 1e-8
"""Keeps a deviation of 0 from dividing."""


class Judged(NamedTuple):
    """What the learner's networks make of B decisions, before they learn from them."""

    log_probability: Tensor
    """float32[B]: of the action taken, by the policy."""
    weight: Tensor
    """float32[B]: its probability by the policy over that by which it was drawn, which random actions share."""
    value: Tensor
    """float32[B]: the critic's value of the seat."""
    slope: Tensor
    """float32[B]: norm of the gradient of `log_probability` by the policy's logits, 0 where the action is certain."""
    make_error: Tensor
    """float32[B]: how far the chance to make the bid was from what came of it."""


Judge = Callable[["OutcomeBatch"], Judged]


class OutcomeBatch(NamedTuple):
    """A minibatch of B decisions on the learner's device, with what came of them."""

    features: Tensor
    """float32[B, 256], scaled."""
    other_hands: Tensor
    """float32[B, 364]: flags, the hands of the other seats."""
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
    """float32[B]: of the action taken, with mean 0 and deviation 1 over the iteration, times `Judged.weight`; 0 in
    held-out rows."""
    expected: Tensor
    """float32[B]: what the own value is learned from (`advantages.returns`); in held-out rows the own value."""
    entropy_weight: Tensor
    """float32[B]: weight of the policy's entropy in the loss, the same for all."""
    weight: Tensor
    """float32[B]: of the row in means over rows; 1 in the mean."""

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
            device: of the minibatches.
            epochs: number of passes.
            entropy_weight: `OutcomeBatch.entropy_weight`.
        """
        if not self.newest:
            return Minibatches(0, config.batch_size, ())
        learned = self._judged(judge, config, device)._replace(entropy_weight=entropy_weight)
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
            rows = self._store.rows(newest[start : start + _HELD_OUT_BATCH], held_out=True, other_hands=True)
            yield _on_device(rows, device)

    def _judged(self, judge: Judge, config: TrainingConfig, device: torch.device) -> "_Learned":
        """What is learned from each decision of the newest rounds."""
        first = self._store.decisions() - self.newest
        of_batch = np.empty((len(Judged._fields) + 1, self.newest), np.float32)
        for start in range(0, self.newest, _JUDGED_ROWS):
            part = np.arange(start, min(start + _JUDGED_ROWS, self.newest))
            batch = _on_device(self._store.rows(first + part, other_hands=True), device)
            of_batch[:, part] = torch.stack([*judge(batch), batch.values[:, 0]]).cpu().numpy()
        log_probability, weight, value, slope, make_error, result = of_batch
        advantage = advantages(value, result, self._store.next_decisions(first), config.gae_lambda)
        # In double precision: the sum of many small numbers.
        mean, deviation = advantage.mean(dtype=np.float64), advantage.std(dtype=np.float64)
        better = (weight * (advantage - mean) / (deviation + _LEAST)).astype(np.float32)
        # By the outputs of the policy, the critic and the chance to make the bid; those of the rest are small.
        norms = np.sqrt((better * slope) ** 2 + advantage**2 + (config.make_weight * make_error) ** 2)
        chance = chances_to_learn(norms, config.learned_share)
        return _Learned(first, log_probability, better, value + advantage, 0.0, chance)

    def _batches(
        self, orders: npt.NDArray[np.int64], learned: "_Learned", device: torch.device
    ) -> Iterator[OutcomeBatch]:
        share = learned.chance.mean()

        def build(places: npt.NDArray[np.int64]) -> OutcomeBatch:
            batch = _on_device(self._store.rows(learned.first + places, other_hands=True), device)
            columns = (learned.log_probability, learned.advantage, learned.expected, share / learned.chance)
            chance, advantage, expected, weight = (
                torch.from_numpy(column[places].astype(np.float32)).to(device) for column in columns
            )
            return batch._replace(
                log_probability=chance,
                advantage=advantage,
                expected=expected,
                entropy_weight=torch.full_like(chance, learned.entropy_weight),
                weight=weight,
            )

        with ThreadPoolExecutor(1, thread_name_prefix="rows") as ahead:
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


def _on_device(rows: "_core._Rows", device: torch.device) -> OutcomeBatch:
    scale = torch.from_numpy(bz.feature_scale()).to(device)
    raw, hands, legal, action, bid, tricks, values = (
        torch.from_numpy(rows[name]).to(device)
        for name in ("features", "other_hands", "legal", "action", "bid", "tricks", "values")
    )
    none = torch.zeros_like(values[:, 0])
    return OutcomeBatch(
        features=raw.float() * scale,
        other_hands=hands.float(),
        legal=legal,
        action=action.long(),
        bid=bid.long(),
        tricks=tricks.long(),
        values=values,
        players=raw[:, PLAYERS_FEATURE],
        log_probability=none,
        advantage=none,
        expected=values[:, 0],
        entropy_weight=none,
        weight=torch.ones_like(none),
    )
