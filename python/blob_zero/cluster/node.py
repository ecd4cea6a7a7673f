"""What a worker does, on whatever machine: plays shards and parts of matches with networks that it is given."""

import hashlib
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import torch

from blob_zero import _core
from blob_zero.arena.entrant import Entrant
from blob_zero.arena.judge import LocalJudge
from blob_zero.inference.devices import auto_dtype, resolve_device
from blob_zero.machine.facts import machine
from blob_zero.model.networks import Network
from blob_zero.selfplay.worker import LocalWorker, RoundRange


class Identity(TypedDict):
    """What the bytes of a worker's results depend on, apart from its tasks."""

    node: str
    device: str
    version: str
    core: str
    torch: str
    cpu_features: str
    dtype: str


class PlayTask(NamedTuple):
    """A shard of self-play."""

    rounds: RoundRange


class MatchTask(NamedTuple):
    """Some deals of a match."""

    cards: int
    deals: int
    first_deal: int
    seed: int
    batch_rows: int


class Node:
    """A worker: self-player and judge of one device, made when they are first needed.

    Args:
        device: `cpu` or `cuda`.
        player: makes the self-player for the device.
        judge: makes the judge for the device.
    """

    def __init__(
        self,
        device: str,
        *,
        player: Callable[[torch.device], LocalWorker] | None,
        judge: Callable[[torch.device], LocalJudge],
    ) -> None:
        self._device = resolve_device(device)
        self._make_player = player
        self._make_judge = judge
        self._player: LocalWorker | None = None
        self._judge: LocalJudge | None = None

    def describe(self, node: str) -> Identity:
        """Who works here."""
        return identity(node, self._device)

    def play(self, task: PlayTask, net: Network | None) -> bytes:
        """Plays a shard; returns its packed `SelfPlayResult`."""
        if self._player is None:
            assert self._make_player is not None
            self._player = self._make_player(self._device)
        return pack(self._player.play(net, task.rounds))

    def match(self, task: MatchTask, sides: tuple[Entrant, Entrant]) -> bytes:
        """Plays deals of a match; returns their packed `MatchRecord`."""
        if self._judge is None:
            self._judge = self._make_judge(self._device)
        return pack(self._judge.meet(*sides, **task._asdict()))


def identity(node: str, device: torch.device) -> Identity:
    """What the results of this process on this device depend on."""
    facts = machine()
    return Identity(
        node=node,
        device=device.type,
        version=str(facts["blob_zero_version"]),
        core=hashlib.sha256(Path(_core.__file__).read_bytes()).hexdigest()[:16],
        torch=str(facts["torch_version"]),
        cpu_features=f"{facts['cpu_features']} ({torch.backends.cpu.get_cpu_capability()})",
        dtype=auto_dtype(device),
    )


def pack(result: object) -> bytes:
    """A result as few bytes: a row of a search in about 60 instead of 500 (docs/LOG.md)."""
    return zlib.compress(pickle.dumps(result, protocol=5), 1)


def unpack(packed: bytes) -> Any:  # noqa: ANN401
    """What `pack` packed. Unpickling trusts the sender: only workers of the own cluster may be read."""
    return pickle.loads(zlib.decompress(packed))
