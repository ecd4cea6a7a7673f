"""Self-play and matches by a pool of workers, in place of the ones in this process."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blob_zero.arena import tournament
from blob_zero.arena.entrant import Entrant, NetworkEntrant, ReadyEntrant
from blob_zero.arena.judge import LocalJudge
from blob_zero.arena.match import MatchRecord
from blob_zero.arena.statistics import MatchSummary, summarize
from blob_zero.arena.tournament import Settings
from blob_zero.cluster.node import MatchTask, PlayTask, unpack
from blob_zero.cluster.pool import Pool
from blob_zero.cluster.ray_nodes import RayNodes, Task, ray_nodes
from blob_zero.config.bots import read_bot
from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError
from blob_zero.learning.display import Notice
from blob_zero.learning.setup import configure_torch, local_judge
from blob_zero.model.networks import Network, copy_network
from blob_zero.selfplay.serving import Counts, OnCounts
from blob_zero.selfplay.shards import join_columns, merge, merge_stats, split
from blob_zero.selfplay.sizes import Sizes
from blob_zero.selfplay.worker import LocalWorker, RoundRange, SelfPlayResult, sizes_of

SHARDS_A_WORKER = 4
"""Shards of an iteration for each worker: few, since batches run empty at the end of each, and enough that faster
workers can take more of them."""


class ClusterWorker:
    """Self-play by all workers of a cluster; see `SelfPlayWorker`.

    Args:
        config: the run's settings.
        nodes: the workers.
        pool: hands tasks out to them.
        notice: takes a line on the sizes chosen.
    """

    def __init__(self, config: Config, nodes: RayNodes, pool: Pool[Task, bytes, object], *, notice: Notice) -> None:
        self._config = config
        self._nodes = nodes
        self._pool = pool
        self._notice = notice
        self._reported: Sizes | None = None

    def prepare(self, net: Network, rounds: RoundRange) -> Sizes:
        """The sizes that one machine would choose for the whole range; shards use the same rows of a batch."""
        del net
        sizes = sizes_of(self._config, rounds, device=torch.device(self._nodes.device))
        if sizes != self._reported:
            self._notice(f"self-play on {self._pool.workers} workers: batches of {sizes.batch_rows:,} rows")
            self._reported = sizes
        return sizes

    def play(self, net: Network | None, rounds: RoundRange, *, progress: OnCounts | None = None) -> SelfPlayResult:
        """Plays a range of rounds in shards."""
        began = time.perf_counter()
        sizes = sizes_of(self._config, rounds, device=torch.device(self._nodes.device))
        # Shards of fewer rounds than are in flight would leave batches empty.
        wanted = min(SHARDS_A_WORKER * self._pool.workers, max(rounds.rounds // sizes.rounds_in_flight, 1))
        shards = split(replace(rounds, batch_rows=sizes.batch_rows), max(wanted, self._pool.workers))
        weights = self._nodes.put(None if net is None else copy_network(net))
        total = rounds.rounds + (0 if rounds.carried is None else len(rounds.carried))
        parts: list[SelfPlayResult] = []

        def came(packed: bytes) -> None:
            parts.append(unpack(packed))
            if progress is not None:
                progress(_counts(parts, total))

        self._pool.run([Task("play", PlayTask(shard), weights) for shard in shards], on_result=came)
        # Shards come in as they end; the merged records are in the order of the rounds.
        parts.sort(key=_first_round)
        return merge(parts, seconds=time.perf_counter() - began)


class ClusterJudge:
    """Matches by all workers of a cluster, split by deals; see `Judge`.

    Args:
        judge: the judge of this process; chooses the rows of a batch.
        nodes: the workers.
        pool: hands tasks out to them.
    """

    def __init__(self, judge: LocalJudge, nodes: RayNodes, pool: Pool[Task, bytes, object]) -> None:
        self._judge = judge
        self._nodes = nodes
        self._pool = pool

    def match(self, net: Network, opponent: Network | str, *, deals: int, seed: int) -> MatchSummary:
        """Plays the network against another, or against a bot by name, on the deals of a seed."""
        search = self._judge.search
        met = read_bot(opponent) if isinstance(opponent, str) else NetworkEntrant(opponent, search)
        record = self.meet(NetworkEntrant(net, search), met, cards=self._judge.cards, deals=deals, seed=seed)
        return summarize(record, seed=seed)

    def meet(self, first: Entrant, second: Entrant, *, cards: int, deals: int, seed: int) -> MatchRecord:
        """The records of a match between two entrants."""
        began = time.perf_counter()
        for entrant in (first, second):
            if isinstance(entrant, ReadyEntrant):
                raise ConfigError("agents from .onnx files and from functions play in one process: leave out --ray")
        rows = self._judge.batch_rows_of((first, second), deals=deals)
        sides = self._nodes.put((_portable(first), _portable(second)))
        parts = min(SHARDS_A_WORKER * self._pool.workers, deals)
        cuts = [deals * part // parts for part in range(parts + 1)]
        tasks = [
            Task("match", MatchTask(cards, end - start, start, seed, rows), sides) for start, end in pairwise(cuts)
        ]
        records: list[MatchRecord] = [unpack(packed) for packed in self._pool.run(tasks)]
        joined = partial(_joined, records)
        return MatchRecord(
            points=joined("points"),
            bids=joined("bids"),
            tricks=joined("tricks"),
            trumps=joined("trumps"),
            rounds=None if records[0].rounds is None else join_columns([record.rounds or {} for record in records]),
            stats=merge_stats([record.stats for record in records], seconds=time.perf_counter() - began),
        )


@contextmanager
def players_of_run(
    config: Config, where: str, *, workers: int | None, device: str, notice: Notice
) -> Iterator[tuple[ClusterWorker, ClusterJudge]]:
    """The self-player and the judge of a run on a Ray cluster; for the arguments see `ray_nodes`."""
    with ray_nodes(
        where,
        workers=workers,
        device=device,
        player=partial(_player, config),
        judge=partial(_judge, config),
        notice=notice,
    ) as nodes:
        pool: Pool[Task, bytes, object] = Pool(nodes, notice=notice)
        here = local_judge(config, device=torch.device(nodes.device))
        yield ClusterWorker(config, nodes, pool, notice=notice), ClusterJudge(here, nodes, pool)


@contextmanager
def judge_of_tournament(
    settings: Settings, where: str, *, workers: int | None, notice: Notice
) -> Iterator[ClusterJudge]:
    """The judge of `blob-zero arena` on a Ray cluster; for the arguments see `ray_nodes`."""
    with ray_nodes(
        where,
        workers=workers,
        device=settings.device,
        player=None,
        judge=partial(_tournament_judge, settings),
        notice=notice,
    ) as nodes:
        here = _tournament_judge(settings, torch.device(nodes.device))
        yield ClusterJudge(here, nodes, Pool(nodes, notice=notice))


def _tournament_judge(settings: Settings, device: torch.device) -> LocalJudge:
    return tournament.local_judge(settings, device=device)


def _player(config: Config, device: torch.device) -> LocalWorker:
    configure_torch(config, device)
    return LocalWorker(config, device=str(device))


def _judge(config: Config, device: torch.device) -> LocalJudge:
    configure_torch(config, device)
    return local_judge(config, device=device)


def _joined(records: Sequence[MatchRecord], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(record, name) for record in records])


def _portable(entrant: Entrant) -> Entrant:
    if isinstance(entrant, NetworkEntrant):
        return entrant._replace(net=copy_network(entrant.net))
    return entrant


def _first_round(part: SelfPlayResult) -> int:
    numbers = [part.records.number[:1], part.records.carry_over.round[:1]]
    return int(np.concatenate(numbers).min())


def _counts(parts: Sequence[SelfPlayResult], total: int) -> Counts:
    """The progress of all shards that ended."""
    stats = [part.records.stats for part in parts]
    carried = sum(len(part.records.carry_over) for part in parts)
    return Counts(
        rounds_done=sum(len(np.unique(part.records.number)) for part in parts),
        rounds=total - carried,
        batches=sum(each.batches for each in stats),
        rows=sum(each.rows for each in stats),
    )
