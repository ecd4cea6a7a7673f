"""Training rows on the learner's device: each uploaded once and gathered there."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.config.schedule import at
from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.display import Notice, silent
from blob_zero.learning.replay import ROW_BYTES, ReplayRing

_COLUMNS = ("features", "legal", "policy", "values")


class DeviceBatch(NamedTuple):
    """A minibatch of B rows on the learner's device, in the types the loss is computed in."""

    features: Tensor
    """float32[B, 256], scaled."""
    legal: Tensor
    """bool[B, 52]."""
    policy: Tensor
    """float32[B, 52], each row summing to 1; all 0 where another seat than the row's decides."""
    policy_weight: Tensor
    """float32[B]: what a row's policy counts in means over rows, so that they are means over decisions."""
    values: Tensor
    """float32[B, 8]."""
    players: Tensor
    """uint8[B]: seats in play."""

    @property
    def rows(self) -> int:
        """Number of rows, B."""
        return len(self.features)

    def split(self, parts: int) -> "list[DeviceBatch]":
        """The batch in at most `parts` batches of equal size, except for a smaller last one."""
        size = -(-self.rows // parts)
        return [DeviceBatch(*(column[start : start + size] for column in self)) for start in range(0, self.rows, size)]


class Minibatches(NamedTuple):
    """The minibatches of an iteration."""

    total: int
    """How many there are."""
    size: int
    """Rows of each."""
    batches: Iterable[Any]
    """The minibatches in order, on the learner's device."""


_HELD_OUT_ROWS = 16_384
"""Rows measured on, the newest: enough for losses to 1 % and to bound the time."""

_HELD_OUT_BATCH = 2048


class DeviceRows:
    """The rows of a replay ring on a device. On the CPU they are the ring's own memory.

    Args:
        ring: the rows.
        device: where the learner is.
        notice: called if they do not fit there; they are then gathered in the computer's memory instead.
    """

    def __init__(self, ring: ReplayRing, *, device: torch.device, notice: Notice = silent) -> None:
        self.ring = ring
        self._device = device
        self._scale = torch.from_numpy(bz.feature_scale()).to(device)
        self._ring_columns = {name: torch.from_numpy(ring.columns()[name]) for name in _COLUMNS}
        try:
            self._columns = {name: _reserve(column, device) for name, column in self._ring_columns.items()}
        except torch.OutOfMemoryError:
            self._columns = self._ring_columns
            size = ROW_BYTES * ring.capacity
            notice(f"the replay rows, {size / 1e6:,.0f} MB, do not fit on {device} and stay in this computer's memory")
        self._uploaded = 0
        self.update()

    @property
    def home(self) -> torch.device:
        """The device that holds the columns."""
        return self._columns["features"].device

    def update(self) -> int:
        """Uploads the rows that the ring got since the last call; returns how many."""
        slots = torch.from_numpy(self.ring.slots_since(self._uploaded))
        self._uploaded = self.ring.written
        there = slots.to(self.home)
        for name, column in self._columns.items():
            if column is not self._ring_columns[name]:
                column[there] = self._ring_columns[name][slots].to(self.home)
        return len(slots)

    def upload(self, numbers: npt.NDArray[np.int64]) -> Tensor:
        """Copies slots of minibatches to where the columns are."""
        return torch.from_numpy(numbers).to(self.home)

    def minibatches(self, rng: np.random.Generator, config: TrainingConfig, *, iteration: int) -> Minibatches:
        """All rows to train on in a new random order, for each of the configured epochs."""
        epochs = at(config.epochs, iteration)
        orders = [self.ring.epoch(rng, config.batch_size) for _ in range(epochs)]
        count, size = orders[0].shape
        weight = self._policy_weight(orders[0])
        return Minibatches(
            epochs * count, size, (self.batch(slots, weight) for order in orders for slots in self.upload(order))
        )

    def held_out(self) -> Iterator[DeviceBatch]:
        """The newest held-out rows, a batch at a time."""
        slots = self.ring.held_out(most=_HELD_OUT_ROWS)
        if len(slots):
            weight = self._policy_weight(slots)
            for part in torch.split(self.upload(slots), _HELD_OUT_BATCH):
                yield self.batch(part, weight)

    def _policy_weight(self, slots: npt.NDArray[np.int64]) -> float:
        """Rows for each decision among these: 1, or 2 where each decision has a row of who looked on."""
        decides = np.any(self.ring.columns()["legal"][slots.ravel()], axis=1)
        return slots.size / max(int(np.sum(decides)), 1)

    def batch(self, slots: Tensor, policy_weight: float = 1.0) -> DeviceBatch:
        """The rows of these slots.

        Args:
            slots: int64[B], from `upload`.
            policy_weight: `DeviceBatch.policy_weight`, of all rows.
        """
        raw, legal, policy, values = (self._columns[name].index_select(0, slots) for name in _COLUMNS)
        raw, policy = raw.to(self._device), policy.to(self._device).float()
        return DeviceBatch(
            features=raw.float() * self._scale,
            legal=legal.to(self._device),
            # float16 rounds the sum of a row by up to 1e-3; the losses are defined for a distribution.
            policy=policy / policy.sum(dim=1, keepdim=True).clamp(min=0.5),
            policy_weight=torch.full_like(policy[:, 0], policy_weight),
            values=values.to(self._device),
            players=raw[:, PLAYERS_FEATURE],
        )


def _reserve(column: Tensor, device: torch.device) -> Tensor:
    """Memory for a column on the device; on the CPU the column itself."""
    return column if device.type == "cpu" else torch.empty_like(column, device=device)
