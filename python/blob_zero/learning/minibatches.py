"""Training rows on the learner's device: uploaded once an iteration, gathered and renamed there."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import blob_zero as bz
from blob_zero._core import PLAYERS_FEATURE
from blob_zero.model.suit_symmetry import SuitRenaming


class DeviceBatch(NamedTuple):
    """A minibatch of B rows on the learner's device, in the numbers the loss is computed in."""

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

    @property
    def rows(self) -> int:
        """B."""
        return len(self.features)

    def split(self, parts: int) -> "list[DeviceBatch]":
        """At most so many batches of equal size, but for the last one, that are this one together."""
        size = -(-self.rows // parts)
        return [DeviceBatch(*(column[start : start + size] for column in self)) for start in range(0, self.rows, size)]


class DeviceRows:
    """Columns of the replay ring on a device. On the CPU they are the ring's own memory.

    Args:
        columns: `features`, `legal`, `policy` and `values` of N rows, as the ring keeps them.
        device: where the learner is.
        notice: is told if they do not fit there; they are then gathered in the computer's memory instead.
    """

    def __init__(
        self,
        columns: Mapping[str, npt.NDArray[Any]],
        *,
        device: torch.device,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._device = device
        self._scale = torch.from_numpy(bz.feature_scale()).to(device)
        host = {name: torch.from_numpy(column) for name, column in columns.items()}
        try:
            self._columns = {name: _upload(column, device) for name, column in host.items()}
        except torch.OutOfMemoryError:
            self._columns = host
            size = sum(column.nbytes for column in columns.values())
            notice(f"the replay rows, {size / 1e6:,.0f} MB, do not fit on {device} and stay in this computer's memory")
        self._rename = SuitRenaming(self.home)

    @property
    def home(self) -> torch.device:
        """Where the columns are."""
        return self._columns["features"].device

    def upload(self, numbers: npt.NDArray[np.int64]) -> Tensor:
        """Copies slots or suit orders, in minibatches of an epoch, to where the columns are."""
        return torch.from_numpy(numbers).to(self.home)

    def batch(self, slots: Tensor, orders: Tensor | None = None) -> DeviceBatch:
        """The rows of these slots, with their suits renamed.

        Args:
            slots: int64[B], from `upload`.
            orders: int64[B], from `upload`: each row's renaming as an index into `SUIT_ORDERS`; None for no renaming.
        """
        raw, legal, policy, values = (
            self._columns[name].index_select(0, slots) for name in ("features", "legal", "policy", "values")
        )
        if orders is not None:
            raw, legal, policy = self._rename(raw, legal, policy, orders=orders)
        raw, policy = raw.to(self._device), policy.to(self._device).float()
        return DeviceBatch(
            features=raw.float() * self._scale,
            legal=legal.to(self._device),
            # float16 rounds a row's sum by up to 1e-3; the entropy and the loss are of a distribution.
            policy=policy / policy.sum(dim=1, keepdim=True),
            values=values.to(self._device),
            players=raw[:, PLAYERS_FEATURE],
        )


def _upload(column: Tensor, device: torch.device) -> Tensor:
    return column.to(device)
