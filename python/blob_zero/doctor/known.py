"""The request for an examination, and what earlier sections pass on to later ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blob_zero.config.load import load_config, preset_path
from blob_zero.config.schedule import at
from blob_zero.config.schema import Config
from blob_zero.doctor.findings import NotCheckedError
from blob_zero.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from blob_zero.inference.inference import Inference
    from blob_zero.run.checkpoint import Checkpoint
    from blob_zero.selfplay.sizes import Sizes
    from blob_zero.selfplay.worker import RoundRange

DEFAULT_PRESET = "reference"
"""The preset to examine if none is named: it needs the most."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to examine.

    Attributes:
        run_dir: the run's folder; runs/NAME, as `blob-zero train` has it, if None.
        preset: name of a preset.
        config: a file of settings instead. With neither, the settings of the run in the folder count, or `reference`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        changes: settings that differ from those, as `section.key=value`.
        cluster: `auto`, `local` or HOST:PORT of a Ray cluster to play on; None for this machine alone.
        workers: workers on that cluster; as many as it has places for if None.

    Raises:
        ConfigError: preset and config exclude each other, or there are changes to neither.
    """

    run_dir: Path | None = None
    preset: str | None = None
    config: Path | None = None
    device: str = "auto"
    changes: tuple[str, ...] = ()
    cluster: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.preset is not None and self.config is not None:
            raise ConfigError("give one of --preset NAME and --config FILE")
        if self.changes and self.preset is None and self.config is None:
            raise ConfigError("--set changes the settings of --preset NAME or --config FILE; give one of them")

    @property
    def folder(self) -> Path:
        """The run's folder, there or not."""
        name = self.config.stem if self.config else self.preset or DEFAULT_PRESET
        return self.run_dir or Path("runs") / name

    def settings(self) -> Config | None:
        """The settings that were named; None if none were.

        Raises:
            ConfigError: they cannot be read.
        """
        if self.config is None and self.preset is None:
            return None
        return load_config(self.config or preset_path(str(self.preset)), self.changes)


@dataclass
class Known:
    """Results of earlier sections; None is unknown."""

    request: Request
    config: Config | None = None
    checkpoint: "Checkpoint | None" = None
    device: "torch.device | None" = None
    inference: "Inference | None" = None

    def settings(self) -> Config:
        """The settings.

        Raises:
            NotCheckedError: they cannot be used.
        """
        if self.config is None:
            raise NotCheckedError("there are no settings that can be used")
        return self.config

    def where(self) -> "torch.device":
        """The device.

        Raises:
            NotCheckedError: the one asked for cannot be used.
        """
        if self.device is None:
            raise NotCheckedError(f"the device {self.request.device} cannot be used")
        return self.device

    def sizes(self) -> "Sizes":
        """The sizes of self-play in the first iteration.

        Raises:
            NotCheckedError: settings or device cannot be used.
        """
        from blob_zero.selfplay.worker import sizes_of

        return sizes_of(self.settings(), first_rounds(self.settings()), device=self.where())


def first_rounds(config: Config) -> "RoundRange":
    """The rounds of the first iteration."""
    from blob_zero.selfplay.worker import RoundRange

    options, search = config.selfplay, config.search
    return RoundRange(
        seed=0,
        first_round=0,
        rounds=at(options.rounds, 0),
        worlds=at(options.worlds or search.worlds, 0),
        simulations=at(options.simulations or search.simulations, 0),
    )
