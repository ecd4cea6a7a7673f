"""Metrics of single optimizer steps: one Parquet file for each iteration. Every column is defined here.

RUN/steps/000012.parquet has the steps of iteration 12; `polars.read_parquet("RUN/steps/*.parquet")` reads them all.
A run may have a million steps; with a file for each iteration, each commit writes the new ones alone.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from blob_zero.metrics.log import POLICY_ENTROPY, POLICY_LOSSES, Column
from blob_zero.run.atomic_files import explained, make_folder, write_atomically

STEPS = "steps"

STEP_COLUMNS = (
    Column("iteration", pl.Int64, "iteration of the step, from 1"),
    Column("step", pl.Int64, "number of the step, counted over the run from 1, steps left out included"),
    Column("policy_loss", pl.Float64, "cross-entropy of the network's policy against the search's visits, nats"),
    Column("policy_entropy", pl.Float64, POLICY_ENTROPY),
    *POLICY_LOSSES,
    Column("value_loss", pl.Float64, "mean squared error of the values, over the seats of a row and then over rows"),
    Column("value_error", pl.Float64, "mean absolute error in the same way, on the scale of -1 to 1"),
    Column("gradient_norm", pl.Float64, "norm of the gradient before clipping"),
    Column("learning_rate", pl.Float64, "learning rate of the network in the step"),
    Column(
        "skipped",
        pl.Boolean,
        "whether loss or gradient was not finite and the step was left out; its losses are empty",
    ),
)

_SCHEMA = {column.name: column.dtype for column in STEP_COLUMNS}


def step_frame(
    names: Sequence[str],
    measured: npt.NDArray[np.float64],
    rates: npt.NDArray[np.float64],
    *,
    iteration: int,
    first_step: int,
) -> pl.DataFrame:
    """The steps of an iteration as a table; losses of other kinds of network are empty.

    Args:
        names: of the losses.
        measured: [S, 2 + losses], the result of each attempted step, as `Learner.step` returns it.
        rates: [S], learning rates.
        iteration: number of the iteration, from 1.
        first_step: number of its first step, counted over the run from 1.
    """
    # In fp16 a step can also be left out to lower the scale of the gradients, which is ordinary.
    left_out, skipped = measured[:, 0] <= 0, measured[:, 0] == 0
    columns = {
        name: pl.Series(measured[:, k]).set(pl.Series(left_out), None)
        for k, name in enumerate((*names, "gradient_norm"), 1)
    }
    frame = {
        "iteration": np.full(len(measured), iteration),
        "step": np.arange(first_step, first_step + len(measured)),
        **columns,
        "learning_rate": rates,
        "skipped": skipped,
    }
    absent = {name: pl.Series([None] * len(measured)) for name in _SCHEMA if name not in frame}
    return pl.DataFrame({**frame, **absent}, schema=_SCHEMA)


def write_steps(run: Path, frame: pl.DataFrame) -> None:
    """Writes the steps of an iteration.

    Raises:
        CheckpointError: the file cannot be written.
    """
    make_folder(run / STEPS)
    content = io.BytesIO()
    frame.write_parquet(content)
    write_atomically(_path(run, frame["iteration"][0]), content.getvalue())


def keep_steps_until(run: Path, iteration: int) -> None:
    """Deletes the files of later iterations, which were not committed and will be played again.

    Raises:
        CheckpointError: one cannot be deleted.
    """
    for path in sorted((run / STEPS).glob("*.parquet")):
        if path.stem.isdigit() and int(path.stem) > iteration:
            with explained("delete", path):
                path.unlink(missing_ok=True)


def _path(run: Path, iteration: int) -> Path:
    return run / STEPS / f"{iteration:06}.parquet"
