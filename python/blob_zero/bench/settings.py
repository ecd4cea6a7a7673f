"""What is measured: the rounds, the search and the evaluator."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.bench.tables import Measurement
from blob_zero.config.choices import Dtype, Switch
from blob_zero.config.search_options import DEFAULT_SEARCH, PolicyOptions, SearchOptions
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import Outputs
from blob_zero.selfplay.sizes import auto_batch_rows

if TYPE_CHECKING:
    import torch

    from blob_zero.inference.inference import Inference
    from blob_zero.model.networks import Network


@dataclass(frozen=True, kw_only=True)
class PlaySettings:
    """Self-play to measure; None is the system's own choice.

    Attributes:
        players: 3 to 8.
        cards: cards dealt to each.
        agent: `search`, or `policy` for play without search by an OutcomeNet, as `selfplay.agent` of a run.
        search: how each decision is searched.
        rounds: rounds to play.
        evaluator: `network`, or `null`, which answers equal priors and values of 0 without computing anything.
        network: a run or checkpoint; if None an untrained network, the full BlobNet or, for play without search, that
            of the preset `quick`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: threads of the search, and on a CPU of the network; one for each core if None.
        batch_rows: rows of a batch; `rows` is what is taken.
        rounds_in_flight: rounds in progress at once.
        cache_entries: evaluations that a round remembers.
        fold: whether the network is folded.
        dtype: numbers that it computes with.
        pack: whether its weights are laid out for the CPU.
        compile: whether it is compiled.
        cuda_graphs: whether a GPU replays captured batches.
        pinned_memory: whether batches for a GPU lie in page-locked memory.
        copy_streams: whether a GPU's copies have streams of their own.
        seed: all randomness follows from it.
    """

    players: int = 4
    cards: int = 5
    agent: Literal["search", "policy"] = "search"
    search: SearchOptions = DEFAULT_SEARCH
    rounds: int = 4000
    evaluator: Literal["network", "null"] = "network"
    network: Path | None = None
    device: str = "auto"
    threads: int | None = None
    batch_rows: int | None = None
    rounds_in_flight: int | None = None
    cache_entries: int | None = None
    fold: bool = True
    dtype: Dtype = "auto"
    pack: Switch = "auto"
    compile: Switch = "auto"
    cuda_graphs: bool = True
    pinned_memory: bool = True
    copy_streams: bool = True
    seed: int = 1

    @property
    def rows(self) -> int:
        """Rows of a batch: the setting, or those of a training run with as many rounds an iteration.

        Raises:
            DeviceError: the device is not there.
        """
        if self.batch_rows is not None:
            return self.batch_rows
        if self.evaluator == "null":
            return 1024  # the default of the core
        from blob_zero.inference.devices import auto_workers

        device = self.where.type
        # Rounds that the iteration before carried over are in progress too.
        in_progress = min(2 * self.rounds, self.rounds_in_flight or 2 * self.rounds)
        leaves = in_progress * (self.search.leaves if self.agent == "search" else 1)
        return auto_batch_rows(device, workers=auto_workers(device), leaves=leaves)

    @property
    def play(self) -> str:
        """How decisions are made, in words: `search 3x30`, or `without search`."""
        return f"search {self.search}" if self.agent == "search" else "without search"

    @property
    def where(self) -> "torch.device":
        """The network's device.

        Raises:
            DeviceError: it is not there.
        """
        from blob_zero.inference.devices import resolve_device

        return resolve_device(self.device)

    def columns(self) -> Measurement:
        """The settings as columns."""
        search = asdict(self.search) if self.agent == "search" else {}
        values = asdict(self) | search | {"batch_rows": self.rows}
        del values["search"]
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    def self_play(self, *, rounds: int | None = None, first_round: int = 0, carry_over: int = 0) -> bz.SelfPlay:
        """Self-play of these settings; `rounds` replaces their number, the last `carry_over` may stay unfinished."""
        return bz.SelfPlay(
            players=self.players,
            cards=self.cards,
            search=self.search,
            policy=PolicyOptions() if self.agent == "policy" else None,
            rounds=self.rounds if rounds is None else rounds,
            first_round=first_round,
            carry_over=carry_over,
            seed=self.seed,
            threads=self.threads,
            batch_rows=self.rows,
            rounds_in_flight=self.rounds_in_flight,
            cache_entries=self.cache_entries,
        )

    def even_evaluator(self) -> "NullEvaluator | str":
        """An evaluator with equal priors and values of 0: the core's own where it can take it."""
        return "uniform" if self.agent == "search" else NullEvaluator(self.rows)


class NullEvaluator:
    """Returns equal priors and values of 0 without computing anything: measures the cost of Python alone.

    Args:
        rows: rows of a batch.
    """

    workers = 1

    def __init__(self, rows: int) -> None:
        self.outputs = np.ones((rows, 52), np.float32), np.zeros((rows, 8), np.float32)

    def evaluate_batch(self, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> Outputs:
        """Returns the same outputs for every batch."""
        del features, legal
        return self.outputs


def build_network(settings: PlaySettings) -> "Network":
    """The network of the settings.

    Raises:
        CheckpointError: the path holds none.
        ConfigError: the network is not one of the agent's.
    """
    from blob_zero.config.load import load_config, preset_path
    from blob_zero.config.schema import Config
    from blob_zero.model.networks import configured_shape, seeded_network
    from blob_zero.model.outcome_net import OutcomeNet
    from blob_zero.run.weights_file import load_network

    if settings.network is None:
        config = Config() if settings.agent == "search" else load_config(preset_path("quick"))
        return seeded_network(configured_shape(config), seed=settings.seed)
    net = load_network(settings.network)
    agent = "policy" if isinstance(net, OutcomeNet) else "search"
    if agent != settings.agent:
        raise ConfigError(
            f"agent is {settings.agent}, and {settings.network} holds a network ({type(net).__name__}) of {agent}: "
            f"set agent to {agent}"
        )
    return net


def build_evaluator(
    settings: PlaySettings, notice: Callable[[str], None] = lambda _: None
) -> "Inference | NullEvaluator":
    """The evaluator of the settings, warmed up and compiled for their batches.

    Args:
        settings: network, device and sizes.
        notice: called with a line before each long step.

    Raises:
        DeviceError: the device is not there.
        ConfigError: the network cannot play.
    """
    if settings.evaluator == "null":
        return NullEvaluator(settings.rows)
    inference = build_inference(settings)
    notice("making the network ready")
    inference.prepare(settings.rows)
    return inference


def build_inference(settings: PlaySettings) -> "Inference":
    """The network of the settings on its device, not yet prepared for any number of rows.

    Raises:
        DeviceError: the device is not there.
        ConfigError: the network cannot play.
    """
    from blob_zero.inference.inference import Inference

    return Inference(
        build_network(settings),
        device=settings.device,
        dtype=settings.dtype,
        fold=settings.fold,
        pack=settings.pack,
        compile=settings.compile,
        cuda_graphs=settings.cuda_graphs,
        pinned_memory=settings.pinned_memory,
        copy_streams=settings.copy_streams,
        workers=settings.threads if settings.where.type == "cpu" else None,
    )


def check_at_least_1(**values: int | None) -> None:
    """Refuses values below 1.

    Raises:
        ConfigError: names the first such value.
    """
    for name, value in values.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; should be at least 1")
