"""The training run: self-play, learning, judging, and again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch

from blob_zero.arena.final_table import Comparison
from blob_zero.arena.judge import Judge
from blob_zero.config.schema import Config
from blob_zero.errors import DeviceError
from blob_zero.inference.devices import resolve_device
from blob_zero.learning.display import Display
from blob_zero.learning.iteration import play_and_learn
from blob_zero.learning.matches import Matches
from blob_zero.learning.opening import open_run
from blob_zero.learning.run import Run
from blob_zero.learning.setup import check_playable, configure_torch, local_judge
from blob_zero.metrics.tensorboard import TensorBoard, check_installed
from blob_zero.run.lock import lock_run
from blob_zero.selfplay.worker import LocalWorker, SelfPlayWorker


def train(
    config: Config,
    folder: Path,
    *,
    display: Display,
    device: str = "auto",
    override: bool = False,
    worker: SelfPlayWorker | None = None,
    judge: Judge | None = None,
) -> list[Comparison]:
    """Trains in a run's folder until all iterations are done, continuing where an earlier call stopped.

    It can be interrupted at any point: committed iterations are whole, and the one in progress is played again, with
    the same rounds and the same minibatches.

    Args:
        config: the settings.
        folder: the run's folder.
        display: shows the progress.
        device: `auto`, `cpu`, `cuda` or `cuda:N`, for self-play, learning and judging alike.
        override: continue a run even if its settings differ.
        worker: plays the rounds; in this process by default.
        judge: plays the matches; in this process by default.

    Returns:
        The best network against each opponent, on deals that the run has not used.

    Raises:
        BlobError: a setting, device or folder cannot be used, another process is at work in the folder, or training
            met only losses that are not finite.
    """
    where = resolve_device(device)
    # Before the run begins: a folder that holds unusable settings would refuse the corrected ones.
    check_playable(config, where)
    if config.run.tensorboard:
        check_installed()
    configure_torch(config, where)
    worker = worker or LocalWorker(config, device=str(where), notice=display.message)
    judge = judge or local_judge(config, device=where)
    with _memory_errors_explained(where), lock_run(folder):
        run = open_run(config, folder, device=where, override=override, notice=display.message)
        matches = Matches(run, judge, display)
        with _tensorboard(run) as board:
            while run.iteration < config.run.iterations:
                row, steps = play_and_learn(run, worker, matches, display)
                # Before the commit: an iteration shown but not committed is shown again; the reverse would lose it.
                if board is not None:
                    board.write(row, steps)
                run.commit(row, steps)
                display.iteration_done(row)
        return matches.final_table()


@contextmanager
def _memory_errors_explained(device: torch.device) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"the memory of {device} is exhausted: lower selfplay.batch_rows, training.batch_size or "
            "training.replay_rows (with --override), or end what else uses it; what is committed is whole"
        ) from error


@contextmanager
def _tensorboard(run: Run) -> Iterator[TensorBoard | None]:
    if not run.config.run.tensorboard or run.iteration >= run.config.run.iterations:
        yield None
        return
    with closing(TensorBoard(run.folder, iteration=run.iteration, step=run.steps)) as board:
        yield board
