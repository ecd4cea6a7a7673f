"""The files of a run's folder, and how those beside the checkpoints are made good.

RUN/config.toml        the configuration as used
RUN/metrics.parquet    one row an iteration (docs/metrics.md)
RUN/steps/N.parquet    one row for each optimizer step of iteration N
RUN/checkpoints/N/     the run after iteration N; 0 is what it began with
RUN/replay/N.safetensors  rows of iteration N in the replay ring, which checkpoints name
RUN/standings.json     the table that ends the run
RUN/rounds/N.txt       some rounds of iteration N as text (run.save_rounds)

A checkpoint's folder is the commit: it also holds copies of the configuration and the metrics, from which the files
beside it are restored where they are damaged or ahead of it.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from blob_zero.config.load import load_config, parse_config, to_toml
from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError
from blob_zero.run.atomic_files import write_atomically
from blob_zero.run.checkpoint import Checkpoint

CONFIG = "config.toml"
METRICS = "metrics.parquet"
CHECKPOINTS = "checkpoints"
ROUNDS = "rounds"

_SEAL = "# SHA-256 of the lines above: "


def write_settings(folder: Path, config: Config) -> None:
    """Writes the run's settings.

    Raises:
        CheckpointError: the file cannot be written.
    """
    write_atomically(folder / CONFIG, _sealed(to_toml(config)).encode())


def saved_settings(path: Path, checkpoint: Checkpoint, notice: Callable[[str], None]) -> Config:
    """The run's settings from its file, which may be newer than the checkpoint, or else from the checkpoint."""
    try:
        config = load_config(path)
        text = path.read_text(encoding="utf-8")
        if text != _sealed(text.rpartition(_SEAL)[0]):
            raise ConfigError(f"{path} is not as the run wrote it")
    except ConfigError as error:
        notice(f"{error}; taking the settings of the checkpoint")
        return parse_config(checkpoint.state.get("config", {}), source=f"the checkpoint of {path.parent}")
    return config


def repair_metrics(path: Path, checkpoint: Checkpoint, notice: Callable[[str], None]) -> None:
    """Restores the metrics from the checkpoint unless they are its copy, byte by byte.

    They are not parsed to find out: a damaged Parquet file can end the process in the library that reads it.

    Raises:
        CheckpointError: the file cannot be written.
    """
    content = checkpoint.files[METRICS]
    if checkpoint.iteration == 0 and not path.exists():  # written with the first row
        return
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    notice(f"{path} is not as iteration {checkpoint.iteration} left it; writing it again from the checkpoint")
    write_atomically(path, content)


def _sealed(text: str) -> str:
    """The settings with a last line that vouches for them: half of a TOML file may be valid, with other settings."""
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"
