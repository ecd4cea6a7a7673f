"""The state of a run between two iterations, in memory and in checkpoints."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

import blob_zero as bz
from blob_zero.arena.ratings import Ratings
from blob_zero.config.schema import Config
from blob_zero.errors import CheckpointError
from blob_zero.learning.display import Notice
from blob_zero.learning.learner import Learner
from blob_zero.learning.played import count_rows, new_replay, rows_to_learn
from blob_zero.learning.replay import Columns
from blob_zero.learning.start import StartingNetwork, initial_network
from blob_zero.metrics.log import MetricsLog, MetricsRow
from blob_zero.metrics.steps import STEPS, keep_steps_until, write_steps
from blob_zero.model.networks import Network, copy_network
from blob_zero.run.atomic_files import remove_partial
from blob_zero.run.checkpoint import OPTIMIZER, Checkpoint, prune_checkpoints, save_checkpoint
from blob_zero.run.folder import CHECKPOINTS, METRICS
from blob_zero.run.provenance import hardware, versions
from blob_zero.run.replay_files import (
    ReplayFile,
    files_in_ring,
    read_replay_file,
    remove_unnamed_replay_files,
    replay_files,
    write_replay_file,
)
from blob_zero.run.signals import held
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.records import Records
from blob_zero.selfplay.sizes import Sizes

FORMAT = 4
"""Version of what checkpoints hold; a run continues from its own only."""


class Run:
    """A run between two iterations. `open_run` makes one.

    Attributes:
        iteration: iterations done.
        rounds: rounds of self-play begun.
        steps: optimizer steps attempted.
        carried: rounds that the last iteration left unfinished; the next one finishes them.
        learner: the network in training.
        best: the result of the run if it ended now.
        best_iteration: the iteration that trained it.
        player: the network that plays the next iteration: the best, or with `selfplay.lag = 1` the one that was the
            best an iteration ago.
        untrained: the network at the start of the run, also if it was trained elsewhere (`run.start`).
        start: where it comes from if it was, as in `StartingNetwork`; else None.
        rollbacks: consecutive iterations, up to this one, whose training was undone.
        sizes: batch and thread sizes of the last iteration's self-play; None where playouts judged.
        measured_iteration: the iteration whose network met the fixed opponents last; -1 before the first measurement.
        ratings: strength of the run's networks and their opponents.
        replay: the rows to learn from.
        metrics: one row an iteration.
        commit_seconds: duration of the last commit; None before the first one of this process.
    """

    def __init__(
        self, config: Config, folder: Path, *, device: torch.device, start: StartingNetwork | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        self.iteration = 0
        self.rounds = 0
        self.steps = 0
        self.carried: CarryOver | None = None
        start = start or StartingNetwork(initial_network(config))
        self.untrained = start.net
        self.start = start.lineage
        self.learner = Learner(
            copy_network(self.untrained),
            config.training,
            device=device,
            iterations=config.run.iterations,
        )
        if start.learner is not None:
            self.learner.load_state(start.learner)
        self._tell_learner()
        self.best = copy_network(self.untrained)
        self.best_iteration = 0
        self.player = copy_network(self.untrained) if config.selfplay.lag else self.best
        self.rollbacks = 0
        self.sizes: Sizes | None = None
        self.measured_iteration = -1
        self.ratings = Ratings()
        self.replay = new_replay(config)
        self.metrics = MetricsLog(folder / METRICS)
        self.commit_seconds: float | None = None
        self._replay_files: list[ReplayFile] = []
        self._new_rows: Columns | None = None

    def _tell_learner(self) -> None:
        self.learner.begun_elsewhere = self.start is not None
        self.learner.critic_begun_elsewhere = (self.start or {}).get("critic", False)

    @property
    def checkpoints(self) -> Path:
        """The folder of all checkpoints."""
        return self.folder / CHECKPOINTS

    def promote(self) -> None:
        """Makes the learner's present weights the best."""
        self.best.load_state_dict(self.learner.net.state_dict())
        self.best_iteration = self.iteration

    def choose_next_player(self) -> None:
        """Settles who plays the next iteration, now that this one is played."""
        if self.config.selfplay.lag:
            self.player = copy_network(self.best)

    def add_rows(self, records: Records) -> int:
        """Adds an iteration's records to the replay; the next commit writes them. Returns the number of rows."""
        self._new_rows = rows_to_learn(self.config, records)
        self.replay.append(self._new_rows)
        return count_rows(records)

    def commit(self, row: MetricsRow | None = None, steps: pl.DataFrame | None = None) -> None:
        """Writes the run as it is: once this returns, the iteration cannot be lost.

        A first Ctrl-C or SIGTERM is answered after the commit.

        Args:
            row: the iteration's metrics.
            steps: the metrics of its optimizer steps, from `step_frame`.

        Raises:
            CheckpointError: it cannot be written, or a number in it is not finite; the checkpoint before is whole.
        """
        began = time.perf_counter()
        with held():
            # First the files that others watch; rows that no checkpoint confirms are dropped when the run is opened.
            if steps is not None:
                write_steps(self.folder, steps)
            if row is not None:
                self.metrics.append(row)
            self._write_new_rows()
            save_checkpoint(self.checkpoints, self._checkpoint(row))
            self.tidy()
        self.commit_seconds = time.perf_counter() - began

    def _write_new_rows(self) -> None:
        if self._new_rows is not None:
            newest, rows = self.replay.newest_of(self._new_rows)
            files = [*self._replay_files, write_replay_file(self.folder, self.iteration, newest, rows=rows)]
            self._replay_files = files_in_ring(files, capacity=self.replay.capacity)
            self._new_rows = None

    def tidy(self) -> None:
        """Deletes the checkpoints that are not kept, rows that none of the others names, and partial files."""
        prune_checkpoints(
            self.checkpoints,
            newest=self.iteration,
            keep=self.config.run.keep_checkpoints,
            pinned={0, self.best_iteration},
        )
        remove_unnamed_replay_files(self.folder, self.checkpoints)
        remove_partial(self.folder)
        remove_partial(self.folder / STEPS)

    def _checkpoint(self, row: MetricsRow | None) -> Checkpoint:
        tensors = {OPTIMIZER: self.learner.state()}
        if self.carried is not None:
            tensors["carried"] = _tensors(self.carried.state())
        networks = {"weights": self.best, "learner": self.learner.net, "untrained": self.untrained}
        if self.config.selfplay.lag:
            networks["player"] = self.player
        return Checkpoint(
            iteration=self.iteration,
            networks=networks,
            tensors=tensors,
            state={
                "format": FORMAT,
                "rounds": self.rounds,
                "steps": self.steps,
                "best_iteration": self.best_iteration,
                "rollbacks": self.rollbacks,
                "measured_iteration": self.measured_iteration,
                "ratings": self.ratings.state(),
                "start": self.start,
                "replay": [asdict(file) for file in self._replay_files],
                "encoding_version": bz.ENCODING_VERSION,
                "versions": versions(),
                "hardware": hardware(self.learner.device),
                "sizes": None if self.sizes is None else asdict(self.sizes),
                "config": self.config.model_dump(mode="json"),
                "metrics": row,
            },
            files={METRICS: self.metrics.content()},
        )

    def restore(self, checkpoint: Checkpoint, notice: Notice) -> None:
        """Goes back to where a checkpoint was written.

        Args:
            checkpoint: of this run.
            notice: takes a line on each file of replay rows that is missing or damaged; the run goes on without them.

        Raises:
            CheckpointError: it lacks something, or belongs to another network.
        """
        try:
            _load(self.best, checkpoint.networks["weights"])
            _load(self.untrained, checkpoint.networks["untrained"])
            if self.config.selfplay.lag:
                # A run that had no lag before has no player of its own.
                _load(self.player, checkpoint.networks.get("player", self.best))
            self.restore_learner(checkpoint)
            self._restore_replay(replay_files(checkpoint), notice)
            carried = checkpoint.tensors.get("carried")
            self.carried = None if carried is None else CarryOver.of_state(_arrays(carried))
            self.rounds = checkpoint.state["rounds"]
            self.steps = checkpoint.state["steps"]
            self.best_iteration = checkpoint.state["best_iteration"]
            self.rollbacks = checkpoint.state["rollbacks"]
            self.measured_iteration = checkpoint.state["measured_iteration"]
            self.ratings = Ratings.from_state(checkpoint.state["ratings"])
            self.start = checkpoint.state.get("start")  # older runs have none
            self._tell_learner()
        except KeyError as error:
            raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from error
        self.iteration = checkpoint.iteration
        self.metrics.keep_until(self.iteration)
        keep_steps_until(self.folder, self.iteration)

    def _restore_replay(self, files: list[ReplayFile], notice: Notice) -> None:
        self.replay = new_replay(self.config)
        self._replay_files = []
        for file in files_in_ring(files, capacity=self.replay.capacity):
            try:
                self.replay.restore(read_replay_file(self.folder, file), source=file.name)
            except CheckpointError as error:
                if isinstance(error.__cause__, PermissionError):
                    raise
                notice(f"{error}; going on without its {file.rows:,} rows of the replay ring")
                continue
            self._replay_files.append(file)

    def restore_learner(self, checkpoint: Checkpoint) -> None:
        """Goes back to a checkpoint's learner and optimizer alone.

        Raises:
            CheckpointError: they belong to another network.
        """
        _load(self.learner.net, checkpoint.networks["learner"])
        self.learner.load_state(checkpoint.tensors[OPTIMIZER])


def check_format(checkpoint: Checkpoint) -> None:
    """Checks that this version of blob-zero can continue from a checkpoint.

    Raises:
        CheckpointError: another version wrote it.
    """
    found = checkpoint.state.get("format", 1)
    if found != FORMAT:
        raise CheckpointError(
            f"the checkpoint of iteration {checkpoint.iteration} has format {found}, and this version of blob-zero "
            f"continues format {FORMAT}: use the version that wrote it, or another --run-dir. Its network can be used"
        )


def _load(net: Network, saved: Network) -> None:
    if saved.shape != net.shape:
        raise CheckpointError(f"the checkpoint's network is {saved.shape}; this run's is {net.shape}")
    net.load_state_dict(saved.state_dict())


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
