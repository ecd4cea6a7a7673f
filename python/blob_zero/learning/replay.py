"""The replay ring: the newest rows of self-play, from which minibatches are drawn."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS
from blob_zero.selfplay.records import Records

Columns = Mapping[str, npt.NDArray[Any]]
"""N rows to learn from, by column.

features: uint8[N, 256], encoded observations, unscaled.
legal: bool[N, 52], the legal actions; none where another seat decides.
policy: float16[N, 52], shares of the search's visits, 0 on illegal actions.
values: float32[N, 8], the targets of the value head by relative seat, in [-1, 1]; 0 past the players.
held_out: bool[N], whether the row is only ever measured on.
"""

_COLUMNS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "features": (np.uint8, (FEATURES,)),
    "legal": (np.bool_, (ACTIONS,)),
    "policy": (np.float16, (ACTIONS,)),
    "values": (np.float32, (SEATS,)),
    "held_out": (np.bool_, ()),
}

ROW_BYTES = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in _COLUMNS.values())
"""Bytes of one row of the ring, in memory and on disk."""

HELD_OUT_EVERY = 20
"""One in 20 rounds is held out: each whose number is 19 modulo 20. With whole games it is one in 20 games."""


def columns_of(records: Records, *, root_value_weight: float = 0.0) -> Columns:
    """Self-play's records as rows to learn from.

    Args:
        records: of self-play.
        root_value_weight: weight of the search's root values in the value targets; the rest is how the round ended.
    """
    values = records.values
    if root_value_weight:
        values = values + np.float32(root_value_weight) * (records.root_values - values)
    return {
        "features": records.features,
        "legal": records.legal,
        "policy": records.policy,
        "values": values,
        "held_out": records.round % np.uint64(HELD_OUT_EVERY) == HELD_OUT_EVERY - 1,
    }


def check_columns(rows: Columns, *, source: str) -> None:
    """Checks columns that were read from a file.

    Raises:
        CheckpointError: a column is missing, or has another type or shape.
    """
    missing = sorted(set(_COLUMNS) - set(rows))
    if missing:
        raise CheckpointError(f"{source} lacks the column {', '.join(missing)}")
    count = len(rows["features"])
    for name, (dtype, shape) in _COLUMNS.items():
        if rows[name].dtype != dtype or rows[name].shape != (count, *shape):
            raise CheckpointError(
                f"{source}: column {name} is {rows[name].dtype}{list(rows[name].shape)}; "
                f"should be {np.dtype(dtype)}{[count, *shape]}"
            )


class ReplayRing:
    """The newest `capacity` rows, `ROW_BYTES` bytes each; the oldest make room.

    A row's place in the columns is its slot. Minibatches depend on the order of the rows alone, not on their slots, so
    a ring that is filled again from files goes on like the one that wrote them.

    Attributes:
        capacity: the most rows it holds.
        written: rows written since the ring was made.

    Raises:
        ConfigError: the capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ConfigError(f"replay capacity {capacity}: should be at least 1 row")
        self.capacity = capacity
        self.written = 0
        # Zero pages cost no memory until rows are written to them.
        self._columns = {name: np.zeros((capacity, *shape), dtype) for name, (dtype, shape) in _COLUMNS.items()}

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    def append(self, rows: Columns) -> None:
        """Adds rows; of more than `capacity` rows the last ones stay."""
        before = self.written
        kept = min(len(rows["features"]), self.capacity)
        self.written += kept
        slots = self.slots_since(before)
        for name, column in self._columns.items():
            column[slots] = rows[name][len(rows[name]) - kept :]

    def restore(self, rows: Columns, *, source: str) -> None:
        """Adds rows that were read from a file.

        Raises:
            CheckpointError: a column is missing, or has another type or shape.
        """
        check_columns(rows, source=source)
        self.append(rows)

    def newest_of(self, rows: Columns) -> tuple[Columns, int]:
        """The newest of these rows that fit the ring, and how many they are."""
        newest = {name: column[-self.capacity :] for name, column in rows.items()}
        return newest, len(newest["features"])

    def slots_since(self, written: int) -> npt.NDArray[np.int64]:
        """Slots of the rows written since `written` was the count, oldest first, without those overwritten since."""
        return np.arange(max(written, self.written - len(self)), self.written) % self.capacity

    def epoch(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """Slots of minibatches over all rows to train on in a new random order, int64[minibatches, size].

        All minibatches have the same size: the remaining rows, fewer than `size` and others in each epoch, are left
        out. With fewer rows than `size`, minibatches have the largest power of two that is there, so that a ring that
        fills does not bring a new size, to be compiled, in every iteration. Without rows there is none.
        """
        order = rng.permutation(self._slots(held_out=False))
        if len(order) < size:
            size = 1 << max(len(order).bit_length() - 1, 0)
        return order[: len(order) // size * size].reshape(-1, size)

    def held_out(self, *, most: int) -> npt.NDArray[np.int64]:
        """Slots of the newest `most` held-out rows, oldest first."""
        return self._slots(held_out=True)[-most:]

    def columns(self) -> Columns:
        """The ring's own arrays, by slot."""
        return self._columns

    def _slots(self, *, held_out: bool) -> npt.NDArray[np.int64]:
        slots = self.slots_since(0)
        chosen: npt.NDArray[np.int64] = slots[self._columns["held_out"][slots] == held_out]
        return chosen
