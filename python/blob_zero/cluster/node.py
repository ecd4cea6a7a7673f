"""What a worker does, on whatever machine: plays shards and parts of matches with networks that it is given."""

import pickle
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from blob_zero.arena.entrant import Entrant
from blob_zero.arena.judge import LocalJudge
from blob_zero.cluster.agreement import Identity, identity
from blob_zero.inference.devices import resolve_device
from blob_zero.model.networks import Network
from blob_zero.selfplay.worker import LocalWorker, RoundRange


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


class Task(NamedTuple):
    """A call of a `Node`: the method, what it is to do, and the networks, which are put once for all tasks."""

    method: str
    what: PlayTask | MatchTask
    networks: object


class Crew(NamedTuple):
    """Makes what a worker consists of, for a device and a number of threads; None is one thread for each core."""

    player: Callable[[torch.device, int | None], LocalWorker] | None
    judge: Callable[[torch.device, int | None], LocalJudge] | None


class Node:
    """A worker: self-player and judge of one device, made when they are first needed.

    Args:
        device: `cpu` or `cuda`.
        threads: its share of the machine's cores; None for all of them.
        crew: makes self-player and judge.
    """

    def __init__(self, device: str, *, threads: int | None, crew: Crew) -> None:
        self._device = resolve_device(device)
        self._threads = threads
        self._crew = crew
        self._player: LocalWorker | None = None
        self._judge: LocalJudge | None = None

    def describe(self, node: str) -> Identity:
        """Who works here."""
        return identity(node, self._device)

    def play(self, task: PlayTask, net: Network | None) -> bytes:
        """Plays a shard; returns its packed `SelfPlayResult`."""
        if self._player is None:
            assert self._crew.player is not None
            self._player = self._crew.player(self._device, self._threads)
        return pack(self._player.play(net, task.rounds))

    def match(self, task: MatchTask, sides: tuple[Entrant, Entrant]) -> bytes:
        """Plays deals of a match; returns their packed `MatchRecord`."""
        if self._judge is None:
            assert self._crew.judge is not None
            self._judge = self._crew.judge(self._device, self._threads)
        return pack(self._judge.meet(*sides, **task._asdict()))


def pack(result: object) -> bytes:
    """A result as few bytes: a row of a search in about 60 instead of 500 (docs/LOG.md)."""
    return zlib.compress(pickle.dumps(result, protocol=5), 1)


def unpack(packed: bytes) -> Any:  # noqa: ANN401
    """What `pack` packed. Unpickling trusts the sender: read only what workers of your own cluster sent."""
    return pickle.loads(zlib.decompress(packed))
