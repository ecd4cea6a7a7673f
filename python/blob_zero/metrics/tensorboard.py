"""A run's metrics for TensorBoard, in addition to the Parquet files; an extra of the package."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from blob_zero.errors import ConfigError
from blob_zero.metrics.log import MetricsRow
from blob_zero.metrics.steps import STEP_COLUMNS
from blob_zero.run.atomic_files import explained

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TENSORBOARD = "tensorboard"

_GROUPS = {
    "loss": (
        "policy_loss",
        "policy_entropy",
        "policy_kl",
        "make_loss",
        "missed_loss",
        "tricks_loss",
        "value_loss",
        "value_error",
    ),
    "step": ("gradient_norm", "learning_rate", "steps", "skipped_steps", "training_undone"),
    "speed": ("rounds_per_minute", "batch_fill", "examples_per_second"),
    "self-play": ("rounds", "rows", "replay_rows", "selfplay_points", "selfplay_exact"),
    "rating": ("rating", "rating_sigma"),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}


class TensorBoard:
    """Writes scalars to RUN/tensorboard: metrics of iterations by iteration, metrics of steps by step.

    Args:
        run: the run's folder.
        iteration: iterations done; later ones, left by an interruption, are not shown.
        step: optimizer steps attempted in them.

    Raises:
        ConfigError: the package is not installed.
        CheckpointError: the files cannot be written; `write` and `close` raise it too.
    """

    def __init__(self, run: Path, *, iteration: int, step: int) -> None:
        check_installed()
        self._folder = run / TENSORBOARD
        with explained("write", self._folder):
            self._iterations = _writer(self._folder / "iterations", first=iteration + 1)
            self._steps = _writer(self._folder / "steps", first=step + 1)

    def write(self, row: MetricsRow, steps: pl.DataFrame) -> None:
        """Adds an iteration's row of metrics, and its steps."""
        with explained("write", self._folder):
            self._write(row, steps)

    def _write(self, row: MetricsRow, steps: pl.DataFrame) -> None:
        iteration = row["iteration"]
        assert isinstance(iteration, int)
        for name, value in row.items():
            if value is not None and name not in ("iteration", "best_iteration"):
                self._iterations.add_scalar(tag_of(name), float(value), iteration)
        names = [column.name for column in STEP_COLUMNS if column.dtype == pl.Float64]
        for values in steps.select("step", *names).iter_rows(named=True):
            for name in names:
                if values[name] is not None:
                    self._steps.add_scalar(tag_of(name), values[name], values["step"])
        self._iterations.flush()
        self._steps.flush()

    def close(self) -> None:
        """Writes what is left, and ends the writers' threads."""
        with explained("write", self._folder):
            try:
                self._iterations.close()
            finally:
                self._steps.close()


def check_installed() -> None:
    """Checks that the package is installed.

    Raises:
        ConfigError: it is not installed.
    """
    if find_spec("tensorboard") is None:
        raise ConfigError(
            "run.tensorboard is true and TensorBoard is not installed: pip install 'blob-zero[tensorboard]', "
            "or set it to false"
        )


def tag_of(column: str) -> str:
    """The tag of a column, a name under a heading: `loss/policy_loss`, `rule/difference`."""
    if column in _GROUP_OF:
        return f"{_GROUP_OF[column]}/{column}"
    if column.endswith("_seconds"):
        return f"seconds/{column.removesuffix('_seconds')}"
    if column.startswith("held_out_"):
        return f"held-out/{column.removeprefix('held_out_')}"
    heading, _, rest = column.partition("_")
    return f"{heading}/{rest}" if rest else f"promotion/{column}"


def _writer(folder: Path, *, first: int) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first)
