"""Self-play and matches by a pool of workers, in place of the ones in this process."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from blob_zero.arena import tournament
from blob_zero.arena.entrant import Entrant, NetworkEntrant, ReadyEntrant
from blob_zero.arena.judge import LocalJudge
from blob_zero.arena.match import MatchRecord
from blob_zero.arena.statistics import MatchSummary, summarize
from blob_zero.arena.tournament import Settings
from blob_zero.cluster.background import BackgroundPlay
from blob_zero.cluster.balance import Balance
from blob_zero.cluster.node import Crew, MatchTask, PlayTask, Task, unpack
from blob_zero.cluster.places import counted
from blob_zero.cluster.pool import Pool
from blob_zero.cluster.ray_nodes import ray_nodes
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

_CLOSING_SECONDS = 0.5
"""Time for a thread to end that waits for workers."""


class Nodes(Protocol):
    """Workers that weights are handed to once for many tasks, and the kind of device that they have."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""

    def put(self, value: object) -> object:
        """Hands a value to the workers, to be named in tasks."""


class ClusterWorker:
    """Self-play by all workers of a cluster; see `SelfPlayWorker`.

    Args:
        config: the run's settings.
        nodes: the workers.
        pool: hands tasks out to them.
        notice: takes a line on the sizes chosen, and one if the learner does not keep up.
    """

    def __init__(self, config: Config, nodes: Nodes, pool: Pool[Task, bytes, Any], *, notice: Notice) -> None:
        self._config = config
        self._nodes = nodes
        self._pool = pool
        self._notice = notice
        self._balance = Balance(config, notice)
        self._reported: Sizes | None = None
        self._begun: BackgroundPlay | None = None
        self._played_seconds = 0.0

    def prepare(self, net: Network, rounds: RoundRange) -> Sizes:
        """The sizes that one machine would choose for the whole range; shards use the same rows of a batch."""
        del net
        sizes = self._sizes(rounds)
        if sizes != self._reported:
            self._notice(f"self-play on {counted(self._pool.workers, 'worker')}: batches of {sizes.batch_rows:,} rows")
            self._reported = sizes
        return sizes

    def play(self, net: Network | None, rounds: RoundRange, *, progress: OnCounts | None = None) -> SelfPlayResult:
        """Plays a range of rounds in shards, or waits for the end of one that was begun."""
        if self._begun is not None and self._begun.rounds == rounds:
            played = self._begun.result(progress)
            self._begun = None
        else:
            played = self._play(self._put(net), rounds, progress or (lambda _: None))
        self._played_seconds = played.seconds
        return played

    def begin(self, net: Network | None, rounds: RoundRange) -> None:
        """Plays a range on another thread. The network may be changed meanwhile."""
        self._begun = BackgroundPlay(rounds, partial(self._play, self._put(net), rounds))

    def learned(self, seconds: float) -> None:
        """Says once if these workers play more than the learner can use."""
        self._balance.iteration(workers=self._pool.workers, played=self._played_seconds, learned=seconds)

    def close(self) -> None:
        """Ends what was begun."""
        self._pool.close()
        if self._begun is not None:
            self._begun.join(_CLOSING_SECONDS)

    def _put(self, net: Network | None) -> object:
        return self._nodes.put(None if net is None else copy_network(net))

    def _play(self, weights: object, rounds: RoundRange, progress: Callable[[Counts], None]) -> SelfPlayResult:
        began = time.perf_counter()
        sizes = self._sizes(rounds)
        # Shards of fewer rounds than are in flight would leave batches empty.
        wanted = min(SHARDS_A_WORKER * self._pool.workers, max(rounds.rounds // sizes.rounds_in_flight, 1))
        shards = split(replace(rounds, batch_rows=sizes.batch_rows), max(wanted, self._pool.workers, 1))
        total = rounds.rounds + (0 if rounds.carried is None else len(rounds.carried))
        parts: list[SelfPlayResult] = []

        def came(packed: bytes) -> None:
            parts.append(unpack(packed))
            progress(_counts(parts, total))

        self._pool.run([Task("play", PlayTask(shard), weights) for shard in shards], on_result=came)
        # Shards come in as they end; the merged records are in the order of the rounds.
        parts.sort(key=_first_round)
        return merge(parts, seconds=time.perf_counter() - began)

    def _sizes(self, rounds: RoundRange) -> Sizes:
        return sizes_of(self._config, rounds, device=torch.device(self._nodes.device))


class ClusterJudge:
    """Matches by all workers of a cluster, split by deals; see `Judge`.

    Args:
        judge: the judge of this process; chooses the rows of a batch.
        nodes: the workers.
        pool: hands tasks out to them.
    """

    def __init__(self, judge: LocalJudge, nodes: Nodes, pool: Pool[Task, bytes, Any]) -> None:
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
    crew = Crew(player=partial(_player, config), judge=partial(_judge, config))
    with ray_nodes(where, workers=workers, device=device, crew=crew, notice=notice) as nodes:
        pool: Pool[Task, bytes, Any] = Pool(nodes, notice=notice)
        here = local_judge(config, device=torch.device(nodes.device))
        with closing(ClusterWorker(config, nodes, pool, notice=notice)) as worker:
            yield worker, ClusterJudge(here, nodes, pool)


@contextmanager
def judge_of_tournament(
    settings: Settings, where: str, *, workers: int | None, notice: Notice
) -> Iterator[ClusterJudge]:
    """The judge of `blob-zero arena` on a Ray cluster; for the arguments see `ray_nodes`."""
    crew = Crew(player=None, judge=partial(_tournament_judge, settings))
    with ray_nodes(where, workers=workers, device=settings.device, crew=crew, notice=notice) as nodes:
        here = tournament.local_judge(settings, device=torch.device(nodes.device))
        yield ClusterJudge(here, nodes, Pool(nodes, notice=notice))


def _player(config: Config, device: torch.device, threads: int | None) -> LocalWorker:
    configure_torch(config, device)
    return LocalWorker(_threaded(config, threads), device=str(device))


def _judge(config: Config, device: torch.device, threads: int | None) -> LocalJudge:
    configure_torch(config, device)
    return local_judge(_threaded(config, threads), device=device)


def _tournament_judge(settings: Settings, device: torch.device, threads: int | None) -> LocalJudge:
    return tournament.local_judge(replace(settings, threads=settings.threads or threads), device=device)


def _threaded(config: Config, threads: int | None) -> Config:
    """The settings with this number of search threads, where they name none; it changes no byte."""
    options = config.selfplay
    return config.model_copy(update={"selfplay": options.model_copy(update={"threads": options.threads or threads})})


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
