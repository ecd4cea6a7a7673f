"""The self-play driver: weights and a range of rounds in, records out.

The learner may be elsewhere. Whoever plays needs nothing of it but a network's weights, and gives back rows
that follow from (weights, seed, round numbers) alone.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

import blob_zero as bz
from blob_zero.carry_over import CarryOver
from blob_zero.config import Config
from blob_zero.evaluator import OnProgress
from blob_zero.inference import Inference
from blob_zero.network import BlobNet
from blob_zero.replay import Rows


@dataclass(frozen=True)
class SelfPlayResult:
    """What a range of rounds gave."""

    rows: Rows
    rounds: int
    """Rounds finished."""
    carry_over: CarryOver | None
    """Rounds left unfinished for the next range, if any were to be."""
    seconds: float
    batch_fill: float | None
    """Share of the batches' rows that were filled; None where no batch was sent."""
    points: float
    """Mean points a seat and round."""
    exact: float
    """Share of bids made exactly."""


class SelfPlayer(Protocol):
    """Plays rounds with a network."""

    def play(
        self,
        net: BlobNet | None,
        *,
        seed: int,
        first_round: int,
        rounds: int,
        worlds: int | None = None,
        simulations: int | None = None,
        carried: CarryOver | None = None,
        carry_over: int = 0,
        progress: OnProgress | None = None,
    ) -> SelfPlayResult:
        """Play rounds `first_round` up to `first_round + rounds` of a seed; without a network, by random playouts.

        Args:
            net: judges positions.
            seed: of the run.
            first_round: number of the first round.
            rounds: rounds to begin.
            worlds: worlds drawn for each search; those of the settings if None.
            simulations: simulations in each world; those of the settings if None.
            carried: rounds that the range before left unfinished, played to their end first.
            carry_over: how many rounds at the end of this range may be left unfinished; see `SelfPlay`.
            progress: called about four times a second.
        """


class LocalSelfPlay:
    """Self-play in this process, on one device.

    Args:
        config: game, search, self-play and inference.
        device: where the network answers.
    """

    def __init__(self, config: Config, *, device: str) -> None:
        self.config = config
        self.device = device
        self._inference: Inference | None = None

    def play(
        self,
        net: BlobNet | None,
        *,
        seed: int,
        first_round: int,
        rounds: int,
        worlds: int | None = None,
        simulations: int | None = None,
        carried: CarryOver | None = None,
        carry_over: int = 0,
        progress: OnProgress | None = None,
    ) -> SelfPlayResult:
        """Play rounds `first_round` up to `first_round + rounds` of a seed; without a network, by random playouts.

        Args:
            net: judges positions.
            seed: of the run.
            first_round: number of the first round.
            rounds: rounds to begin.
            worlds: worlds drawn for each search; those of the settings if None.
            simulations: simulations in each world; those of the settings if None.
            carried: rounds that the range before left unfinished, played to their end first.
            carry_over: how many rounds at the end of this range may be left unfinished; see `SelfPlay`.
            progress: called about four times a second.
        """
        player = configured_self_play(
            self.config,
            seed=seed,
            first_round=first_round,
            rounds=rounds,
            worlds=worlds,
            simulations=simulations,
            carry_over=carry_over,
        )
        records = player.run("rollout" if net is None else self._evaluator(net), carried=carried, progress=progress)
        in_play = np.arange(records.points.shape[1]) < records.players[:, None]
        return SelfPlayResult(
            rows=records,
            rounds=records.stats.rounds,
            carry_over=records.carry_over if len(records.carry_over) else None,
            seconds=records.stats.seconds,
            batch_fill=records.stats.batch_fill,
            points=float(records.points.sum() / records.players.sum()),
            exact=float((records.bids == records.tricks)[in_play].mean()),
        )

    def _evaluator(self, net: BlobNet) -> Inference:
        """The network on the device; one copy is kept and brought up to date, so that compiled code stays."""
        if self._inference is None:
            self._inference = Inference(net, device=self.device, **self.config.inference.model_dump())
        else:
            self._inference.load(net)
        return self._inference


def configured_self_play(
    config: Config,
    *,
    seed: int,
    first_round: int,
    rounds: int,
    worlds: int | None = None,
    simulations: int | None = None,
    carry_over: int = 0,
) -> bz.SelfPlay:
    """The rounds of a range, as the settings have them played; arguments as in `SelfPlayer.play`."""
    search, options = config.search, config.selfplay
    return bz.SelfPlay(
        shapes=config.game.played(),
        worlds=worlds or search.worlds,
        simulations=simulations or search.simulations,
        rounds=rounds,
        seed=seed,
        first_round=first_round,
        carry_over=carry_over,
        threads=options.threads,
        batch_rows=options.batch_rows,
        rounds_in_flight=options.rounds_in_flight,
        c_puct=search.c_puct,
        fpu_reduction=search.fpu_reduction,
        noise_fraction=options.noise_fraction,
        noise_alpha=options.noise_alpha,
        temperature=options.temperature,
        final_temperature=options.final_temperature,
        temperature_decisions=options.temperature_decisions,
        leaves_in_flight=search.leaves_in_flight,
        virtual_loss=search.virtual_loss,
    )
