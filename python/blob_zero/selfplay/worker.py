"""The self-play of a run: a worker takes weights and a range of rounds, and returns records.

A worker needs nothing of the learner except a network's weights, so it may run in another process. Its records depend
on weights, seed and round numbers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch

import blob_zero as bz
from blob_zero.config.schema import Config
from blob_zero.config.search_options import PolicyOptions, SearchOptions
from blob_zero.inference.devices import auto_workers, resolve_device
from blob_zero.inference.inference import Inference
from blob_zero.model.networks import Network
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.records import Records
from blob_zero.selfplay.serving import OnCounts, OnProgress
from blob_zero.selfplay.sizes import Sizes, auto_batch_rows


@dataclass(frozen=True)
class SelfPlayResult:
    """The result of a range of rounds."""

    records: Records
    rounds: int
    """Rounds finished."""
    carry_over: CarryOver | None
    """Rounds left unfinished for the next range; None without any."""
    seconds: float
    batch_fill: float | None
    """Share of the batches' rows that were filled; None where no batch was sent."""
    points: float
    """Mean points a seat and round; 0 without a finished round."""
    exact: float
    """Share of bids made exactly."""

    @classmethod
    def of(cls, records: Records) -> Self:
        """The result that these records amount to."""
        in_play = np.arange(records.points.shape[1]) < records.players[:, None]
        # A shard may end without a finished round: all of them pause.
        seats = max(int(records.players.sum()), 1)
        return cls(
            records=records,
            rounds=records.stats.rounds,
            carry_over=records.carry_over if len(records.carry_over) else None,
            seconds=records.stats.seconds,
            batch_fill=records.stats.batch_fill,
            points=float(records.points.sum() / seats),
            exact=float((records.bids == records.tricks)[in_play].sum() / seats),
        )


@dataclass(frozen=True, kw_only=True)
class RoundRange:
    """Rounds `first_round` up to `first_round + rounds` of a seed, and how they are searched.

    Attributes:
        seed: seed of the run's self-play.
        first_round: number of the first round.
        rounds: rounds to begin.
        worlds: worlds drawn for each search; None for the configured number.
        simulations: simulations in each world; None for the configured number.
        carried: rounds that the range before left unfinished; they are finished first.
        carry_over: rounds at the end of this range that may be left unfinished; see `SelfPlay`.
        range_end: number after the last round of the range that this one is a shard of (`blob_zero.selfplay.shards`),
            from which `carry_over` counts; None for a range that is no shard.
        batch_rows: rows of a batch; None chooses by the settings, the device and the number of rounds.
    """

    seed: int
    first_round: int
    rounds: int
    worlds: int | None = None
    simulations: int | None = None
    carried: CarryOver | None = None
    carry_over: int = 0
    range_end: int | None = None
    batch_rows: int | None = None


class SelfPlayWorker(Protocol):
    """Plays rounds with a network."""

    def prepare(self, net: Network, rounds: RoundRange) -> Sizes:
        """Prepares for these rounds and networks of this shape, so that the time of `play` is playing time alone."""

    def play(self, net: Network | None, rounds: RoundRange, *, progress: OnCounts | None = None) -> SelfPlayResult:
        """Plays a range of rounds.

        Args:
            net: judges positions; with None random playouts do.
            rounds: the range.
            progress: called about four times a second.
        """

    def begin(self, net: Network | None, rounds: RoundRange) -> None:
        """May begin to play a range while the caller does other work; `play` is called with the same range next."""

    def learned(self, seconds: float) -> None:
        """Takes the seconds that the learner needed for the rounds of the last `play`."""


class LocalWorker:
    """Self-play in this process, on one device.

    Args:
        config: game, search, self-play and inference.
        device: where the network runs.
        notice: takes a line before long preparations, and on the sizes chosen.
    """

    def __init__(self, config: Config, *, device: str, notice: Callable[[str], None] = lambda _: None) -> None:
        self.config = config
        self._where = resolve_device(device)
        self._notice = notice
        self._inference: Inference | None = None
        self._reported: Sizes | None = None

    def prepare(self, net: Network, rounds: RoundRange) -> Sizes:
        """Compiles, captures and warms up, where that is not done already; returns the sizes chosen."""
        sizes = sizes_of(self.config, rounds, device=self._where)
        self._evaluator(net).prepare(sizes.batch_rows)
        if sizes != self._reported:
            self._notice(f"self-play: {sizes}")
            self._reported = sizes
        return sizes

    def play(self, net: Network | None, rounds: RoundRange, *, progress: OnProgress | None = None) -> SelfPlayResult:
        """Plays a range of rounds; see `SelfPlayWorker.play`."""
        session = configured_self_play(self.config, rounds, device=self._where)
        if net is None:
            records = session.run("rollout", carried=rounds.carried, progress=progress)
        else:
            self.prepare(net, rounds)
            inference = self._evaluator(net)
            inference.load(net)
            records = session.run(inference, carried=rounds.carried, progress=progress)
        return SelfPlayResult.of(records)

    def begin(self, net: Network | None, rounds: RoundRange) -> None:
        """Does nothing: the learner needs the cores of this process, or its GPU."""

    def learned(self, seconds: float) -> None:
        """Does nothing: the process that learns also plays."""

    def _evaluator(self, net: Network) -> Inference:
        """A network of this shape on the device. One is kept, so that compiled code is reused."""
        if self._inference is None:
            self._inference = Inference(net, device=str(self._where), **self.config.inference.model_dump())
            self._notice(f"making the network ready on {self._where}: {self._inference.form}")
        return self._inference


def configured_self_play(config: Config, rounds: RoundRange, *, device: torch.device) -> bz.SelfPlay:
    """The self-play of a range of rounds by these settings, with a network on this device."""
    options = config.selfplay
    policy = PolicyOptions(temperature=options.temperature, random_share=options.random_share)
    return bz.SelfPlay(
        shapes=config.game.played(),
        result_share=config.game.game_result,
        rules=config.game.rules.variants(),
        search=_search(config, rounds),
        policy=policy if options.agent == "policy" else None,
        rounds=rounds.rounds,
        seed=rounds.seed,
        first_round=rounds.first_round,
        carry_over=rounds.carry_over,
        range_end=rounds.range_end,
        threads=options.threads,
        batch_rows=_batch_rows(config, rounds, device),
        rounds_in_flight=options.rounds_in_flight,
    )


def _search(config: Config, rounds: RoundRange) -> SearchOptions:
    options = config.selfplay
    return config.search.options(
        worlds=rounds.worlds or config.search.worlds,
        simulations=rounds.simulations or config.search.simulations,
        noise_fraction=options.noise_fraction,
        noise_alpha=options.noise_alpha,
        temperature=options.temperature,
        final_temperature=options.final_temperature,
        temperature_decisions=options.temperature_decisions,
    )


def sizes_of(config: Config, rounds: RoundRange, *, device: torch.device) -> Sizes:
    """The sizes that a range is played with when a network judges."""
    sizes = configured_self_play(config, rounds, device=device).sizes(auto_workers(device.type))
    return replace(sizes, rounds_in_flight=min(sizes.rounds_in_flight, _in_progress(rounds)))


def _batch_rows(config: Config, rounds: RoundRange, device: torch.device) -> int:
    wanted = rounds.batch_rows or config.selfplay.batch_rows
    if wanted != "auto":
        return wanted
    in_progress = _in_progress(rounds)
    if config.selfplay.rounds_in_flight is not None:
        in_progress = min(in_progress, config.selfplay.rounds_in_flight)
    return auto_batch_rows(
        device.type,
        workers=auto_workers(device.type),
        leaves=in_progress * (1 if config.selfplay.agent == "policy" else _search(config, rounds).leaves),
    )


def _in_progress(rounds: RoundRange) -> int:
    return rounds.rounds + (0 if rounds.carried is None else len(rounds.carried))
