"""Where the checks run, and how large they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from blob_zero.model.blobnet import BlobNet
    from blob_zero.model.outcome_net import OutcomeNet

SMALL_NETWORK = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "policy_hidden": 16, "value_hidden": 8}


class CheckError(Exception):
    """A check found something wrong; the message says what, and what would have been right."""


@dataclass(frozen=True)
class Place:
    """A device and a size.

    Attributes:
        device: `cpu`, `cuda` or `cuda:N`.
        small: whether sizes are small, as on a CPU.
        folder: a folder for files of the checks.
        seconds: the longest that a check may take.
    """

    device: str
    small: bool
    folder: Path
    seconds: float

    def size(self, full: int, small: int) -> int:
        """A number for GPUs, or for small checks."""
        return small if self.small else full

    def network(self, *, seed: int = 1, layers: int | None = None) -> "BlobNet":
        """An untrained network: the full BlobNet, or a tiny one."""
        from blob_zero.config.schema import NetworkConfig
        from blob_zero.model.blobnet import SEATS, NetworkShape
        from blob_zero.model.networks import seeded_network

        sizes = SMALL_NETWORK if self.small else NetworkConfig().model_dump(exclude={"kind"})
        if layers is not None:
            sizes = sizes | {"layers": layers}
        return seeded_network(NetworkShape(values=SEATS, **sizes), seed=seed)

    def outcome_network(self, *, seed: int = 1, width: int = 512) -> "OutcomeNet":
        """An untrained OutcomeNet with weights that make its actions differ, or a tiny one."""
        import torch

        from blob_zero.model.networks import seeded_network
        from blob_zero.model.outcome_net import OutcomeNet, OutcomeShape

        net = seeded_network(OutcomeShape(width=self.size(width, 16), layers=self.size(3, 2)), seed=seed)
        assert isinstance(net, OutcomeNet)
        with torch.no_grad():
            net.play.weight.normal_(std=0.02, generator=torch.Generator().manual_seed(seed))
            net.play.bias.zero_()
        return net


def require(condition: object, message: str) -> None:
    """Raise `CheckError` unless the condition holds."""
    if not condition:
        raise CheckError(message)


def positions(rows: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Features uint8[rows, 256] and legal bool[rows, 52] of positions of random rounds, bids and cards alike."""
    import blob_zero as bz

    played = bz.SelfPlay(players=4, cards=5, worlds=1, simulations=2, rounds=max(rows // 12, 8), seed=3).run("uniform")
    chosen = np.arange(rows) % len(played.features)
    return np.ascontiguousarray(played.features[chosen]), np.ascontiguousarray(played.legal[chosen])


@contextmanager
def little_memory(device: str, megabytes: int) -> Iterator[None]:
    """Leaves this process so much more of a GPU's memory than it holds."""
    import torch

    where = torch.device(device)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(where).total_memory
    allowed = torch.cuda.memory_reserved(where) + megabytes * 2**20
    torch.cuda.set_per_process_memory_fraction(min(allowed / total, 1.0), where)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, where)
