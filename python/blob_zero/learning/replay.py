"""The replay ring: the newest rows of self-play, from which minibatches are drawn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS
from blob_zero.selfplay.records import Records

Array = npt.NDArray[Any]

_COLUMNS: dict[str, tuple[type[np.generic], int]] = {
    "features": (np.uint8, FEATURES),
    "legal": (np.bool_, ACTIONS),
    "policy": (np.float16, ACTIONS),
    "values": (np.float32, SEATS),
}


ROW_BYTES = sum(np.dtype(dtype).itemsize * width for dtype, width in _COLUMNS.values())
"""Memory, and space in a checkpoint, of one row of the ring."""


class ReplayRing:
    """The newest `capacity` rows, `ROW_BYTES` bytes each; the oldest make room.

    Raises:
        ConfigError: the capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ConfigError(f"replay capacity {capacity}: should be at least 1 row")
        self.capacity = capacity
        # Zero pages cost no memory until rows are written to them.
        self._columns: dict[str, Array] = {
            name: np.zeros((capacity, width), dtype) for name, (dtype, width) in _COLUMNS.items()
        }
        self._filled = 0
        self._next = 0

    def __len__(self) -> int:
        return self._filled

    def append(self, rows: Records, *, root_value_weight: float = 0.0) -> None:
        """Add rows; of more than `capacity` the last ones stay.

        Args:
            rows: self-play's records.
            root_value_weight: share of the search's root values in the values kept; the rest is how the round ended.
        """
        values = rows.values
        if root_value_weight:
            values = values + np.float32(root_value_weight) * (rows.root_values - values)
        count = len(rows.features)
        kept = min(count, self.capacity)
        slots = (self._next + np.arange(kept)) % self.capacity
        for name, column in self._columns.items():
            column[slots] = (values if name == "values" else getattr(rows, name))[count - kept :]
        self._next = (self._next + kept) % self.capacity
        self._filled = min(self._filled + kept, self.capacity)

    def epoch(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """Slots of minibatches over all rows in a new random order, int64[minibatches, size].

        All have one size, so the rows left over, fewer than `size` and different in each epoch, are not seen;
        a ring with fewer rows than `size` is one smaller batch, an empty one none.
        """
        order = rng.permutation(self._filled)
        size = max(1, min(size, self._filled))
        return order[: len(order) // size * size].reshape(-1, size)

    def columns(self) -> dict[str, Array]:
        """Views of the filled rows in storage order, by column; a slot is a row's place in them."""
        return {name: column[: self._filled] for name, column in self._columns.items()}

    def state(self) -> dict[str, Array]:
        """The ring as arrays: the filled rows of each column, in storage order, and the next slot."""
        return {**self.columns(), "next": np.array([self._next], np.int64)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take what `state` gave, of a ring of the same capacity.

        Raises:
            CheckpointError: a column is missing, of another shape, or longer than the ring.
        """
        missing = sorted({*_COLUMNS, "next"} - set(state))
        if missing:
            raise CheckpointError(f"the replay state lacks {', '.join(missing)}")
        filled = len(state["features"])
        for name, column in self._columns.items():
            saved = state[name]
            if saved.shape != (filled, column.shape[1]) or saved.dtype != column.dtype or filled > self.capacity:
                raise CheckpointError(
                    f"replay column {name} is {saved.dtype}{list(saved.shape)}; "
                    f"should be {column.dtype}[up to {self.capacity}, {column.shape[1]}]"
                )
        for name, column in self._columns.items():
            column[:filled] = state[name]
        self._filled = filled
        self._next = int(state["next"][0])
