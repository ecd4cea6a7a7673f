"""A run on disk: the folder that holds its configuration, checkpoints and metrics, and its state in memory.

RUN/config.toml        the configuration as used
RUN/metrics.parquet    one row an iteration (docs/metrics.md)
RUN/steps/N.parquet    one row a step of iteration N
RUN/checkpoints/N/     what iteration N left; 0 is the untrained network
RUN/standings.json     the table that ends the run

A checkpoint's folder is the commit: it holds copies of the configuration and the metrics as well, from which the files
beside it are made again where they are damaged, or ahead of it.
"""

import contextlib
import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

import blob_zero as bz
from blob_zero.arena.ratings import Ratings
from blob_zero.config.load import differences, load_config, parse_config, to_toml
from blob_zero.config.schema import Config
from blob_zero.errors import BlobError, CheckpointError, ConfigError
from blob_zero.learning.learner import Trainer
from blob_zero.learning.replay import ReplayRing
from blob_zero.machine import machine
from blob_zero.metrics.log import MetricsLog, Row
from blob_zero.metrics.steps import STEPS, keep_steps_until, lost_steps, write_steps
from blob_zero.model.blobnet import SEATS, BlobNet, NetworkShape, seeded_network
from blob_zero.run.atomic_files import make_folder, remove_partial, write_atomically
from blob_zero.run.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    not_finite,
    prune_checkpoints,
    save_checkpoint,
)
from blob_zero.run.signals import held
from blob_zero.seeds import Purpose, stream_seed
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.sizes import Sizes

CONFIG = "config.toml"
METRICS = "metrics.parquet"

_SEAL = "# SHA-256 of the lines above: "

_ROLLBACKS_ALLOWED = 3
"""Iterations in a row whose training may come to nothing before the run says that it cannot go on."""


class Run:
    """A run between two iterations. `open_run` makes one.

    Attributes:
        iteration: iterations done.
        rounds: rounds of self-play begun.
        steps: optimizer steps tried.
        step_hashes: SHA-256 of each file of their metrics, by its name.
        carried: rounds that the last iteration left unfinished, for the next one to go on with.
        learner: the network in training.
        best: the network that plays, and that the run would give away now.
        best_iteration: the iteration that made it.
        untrained: the network as it began.
        rollbacks: iterations in a row, up to this one, whose training was undone.
        sizes: what the last iteration's self-play gave the machine to do at once; None where playouts judged.
        measured_iteration: the iteration whose network met the fixed opponents last; -1 before any did.
        ratings: strength of the run's networks and their opponents, as far as they have met.
    """

    def __init__(self, config: Config, folder: Path, *, device: torch.device) -> None:
        shape = NetworkShape(values=SEATS, **config.network.model_dump())
        self.config = config
        self.folder = folder
        self.iteration = 0
        self.rounds = 0
        self.steps = 0
        self.step_hashes: dict[str, str] = {}
        self.carried: CarryOver | None = None
        self.untrained = seeded_network(shape, seed=stream_seed(config.run.seed, Purpose.INITIAL_WEIGHTS))
        self.learner = copy_of(self.untrained)
        self.best = copy_of(self.untrained)
        self.best_iteration = 0
        self.rollbacks = 0
        self.sizes: Sizes | None = None
        self.measured_iteration = -1
        self.ratings = Ratings()
        self.replay = ReplayRing(config.training.replay_rows)
        self.trainer = Trainer(self.learner, config.training, device=device, iterations=config.run.iterations)
        self.metrics = MetricsLog(folder / METRICS)

    @property
    def checkpoints(self) -> Path:
        """The folder of all checkpoints."""
        return self.folder / "checkpoints"

    def promote(self) -> None:
        """Make the learner's present weights the best."""
        self.best.load_state_dict(self.learner.state_dict())
        self.best_iteration = self.iteration

    def undo_broken_training(self, notice: Callable[[str], None]) -> None:
        """Put the learner back to the last checkpoint if training left a NaN or an infinity in it or its optimizer.

        The iteration counts: its rounds stay in the replay ring, and the next one draws other minibatches.

        Args:
            notice: takes a line on what was found.

        Raises:
            BlobError: it happened in too many iterations in a row.
        """
        broken = not_finite({**self.learner.state_dict(), **self.trainer.state()})
        if not broken:
            self.rollbacks = 0
            return
        self.rollbacks += 1
        count = len(broken)
        what = f"training of iteration {self.iteration + 1} left numbers that are not finite in {broken[0]}"
        if count > 1:
            what += f" and {count - 1} more tensor{'s' if count > 2 else ''}"
        if self.rollbacks >= _ROLLBACKS_ALLOWED:
            raise BlobError(
                f"{what}, as in the {self.rollbacks - 1} iterations before: lower training.learning_rate, or set "
                "training.precision to fp32 (with --override)"
            )
        checkpoint, _ = latest_checkpoint(self.checkpoints)
        if checkpoint is None:
            raise CheckpointError(f"{what}, and {self.checkpoints} has no checkpoint to go back to")
        self._restore_learner(checkpoint)
        notice(f"{what}; the learner is back where iteration {checkpoint.iteration} left it")

    def commit(self, row: Row | None = None, steps: pl.DataFrame | None = None) -> None:
        """Write the run as it is: when this returns, the iteration cannot be lost.

        A first Ctrl-C or SIGTERM waits for the end of it, if that comes soon.

        Args:
            row: the iteration's metrics.
            steps: those of its steps, as `step_frame` gives them.

        Raises:
            CheckpointError: it cannot be written, or a number in it is not finite; the checkpoint before is whole.
        """
        with held():
            self._commit(row, steps)

    def _commit(self, row: Row | None, steps: pl.DataFrame | None) -> None:
        # The files that are watched come first: what is too much is dropped when the run is opened.
        if steps is not None:
            name, digest = write_steps(self.folder, steps)
            self.step_hashes[name] = digest
        if row is not None:
            self.metrics.append(row)
        groups = {"optimizer": self.trainer.state(), "replay": _tensors(self.replay.state())}
        if self.carried is not None:
            groups["carried"] = _tensors(self.carried.state())
        save_checkpoint(
            self.checkpoints,
            Checkpoint(
                iteration=self.iteration,
                networks={"weights": self.best, "learner": self.learner, "untrained": self.untrained},
                tensors=groups,
                state={
                    "rounds": self.rounds,
                    "steps": self.steps,
                    "steps_sha256": self.step_hashes,
                    "best_iteration": self.best_iteration,
                    "rollbacks": self.rollbacks,
                    "measured_iteration": self.measured_iteration,
                    "ratings": self.ratings.state(),
                    "encoding_version": bz.ENCODING_VERSION,
                    "versions": _versions(),
                    "hardware": _hardware(self.trainer.device),
                    "sizes": None if self.sizes is None else asdict(self.sizes),
                    "config": self.config.model_dump(mode="json"),
                    "metrics": row,
                },
                files={METRICS: self.metrics.content()},
            ),
        )
        self.tidy()

    def tidy(self) -> None:
        """Delete the checkpoints that are not to be kept, and what interrupted writes left."""
        prune_checkpoints(
            self.checkpoints,
            newest=self.iteration,
            keep=self.config.run.keep_checkpoints,
            pinned={0, self.best_iteration},
        )
        remove_partial(self.folder)
        remove_partial(self.folder / STEPS)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint was written.

        Raises:
            CheckpointError: it lacks something, or is of another network.
        """
        try:
            _load(self.best, checkpoint.networks["weights"])
            _load(self.untrained, checkpoint.networks["untrained"])
            self._restore_learner(checkpoint)
            self.replay.load_state({name: x.numpy() for name, x in checkpoint.tensors["replay"].items()})
            carried = checkpoint.tensors.get("carried")
            self.carried = None if carried is None else CarryOver.of_state({k: x.numpy() for k, x in carried.items()})
            self.rounds = checkpoint.state["rounds"]
            self.steps = checkpoint.state["steps"]
            self.step_hashes = dict(checkpoint.state.get("steps_sha256", {}))
            self.best_iteration = checkpoint.state["best_iteration"]
            self.rollbacks = checkpoint.state.get("rollbacks", 0)
            self.measured_iteration = checkpoint.state.get("measured_iteration", -1)
            self.ratings = Ratings.from_state(checkpoint.state.get("ratings", {}))
        except KeyError as error:
            raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from error
        self.iteration = checkpoint.iteration
        self.metrics.keep_until(self.iteration)
        keep_steps_until(self.folder, self.iteration)

    def _restore_learner(self, checkpoint: Checkpoint) -> None:
        _load(self.learner, checkpoint.networks["learner"])
        self.trainer.load_state(checkpoint.tensors["optimizer"])


def open_run(
    config: Config,
    folder: Path,
    *,
    device: torch.device,
    override: bool = False,
    notice: Callable[[str], None] = print,
) -> Run:
    """Begin a run in a folder, or go on with the one that is there from its newest whole checkpoint.

    Args:
        config: the settings asked for.
        folder: the run's folder; made if it is not there.
        device: where the learner is.
        override: go on even if the settings differ from those of the run.
        notice: takes a line on what was found.

    Raises:
        ConfigError: the run has other settings; the message lists which.
        CheckpointError: the folder cannot be written, or none of its checkpoints is whole.
    """
    saved_config = folder / CONFIG
    checkpoint, damaged = latest_checkpoint(folder / "checkpoints")
    for line in damaged:
        notice(f"skipping a damaged checkpoint: {line}")
    if checkpoint is not None:
        changed = differences(saved_settings(saved_config, checkpoint, notice), config)
        if changed and not override:
            raise ConfigError(
                f"the run in {folder} has other settings: {'; '.join(changed)}. "
                "Use its settings, another --run-dir, or --override to go on with the new ones"
            )
        _repair_metrics(folder / METRICS, checkpoint, notice)
    make_folder(folder)
    run = Run(config, folder, device=device)
    if checkpoint is not None:
        run.restore(checkpoint)
        lost = lost_steps(folder, run.step_hashes)
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            notice(f"metrics of single steps are missing or damaged: {lost[0]}{more}; going on without them")
        if run.carried is not None and any(line.startswith(("game.", "run.seed")) for line in changed):
            notice(f"{len(run.carried)} unfinished rounds are of another game or seed; they are dropped")
            run.carried = None
        run.tidy()
        if run.iteration >= config.run.iterations:
            notice(f"the run in {folder} is finished; its {run.iteration} iterations are done")
        else:
            notice(f"going on in {folder} after iteration {run.iteration} of {config.run.iterations}")
    write_atomically(saved_config, _sealed(to_toml(config)).encode())
    if checkpoint is None:
        run.metrics.keep_until(0)
        keep_steps_until(folder, 0)
        run.commit()
    return run


def _sealed(text: str) -> str:
    """The settings with a last line that vouches for them: half of a TOML file may be valid, with other settings."""
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def saved_settings(path: Path, checkpoint: Checkpoint, notice: Callable[[str], None]) -> Config:
    """The run's settings: those of its file, which may be newer than the checkpoint, or else the checkpoint's."""
    try:
        config = load_config(path)
        text = path.read_text(encoding="utf-8")
        if text != _sealed(text.rpartition(_SEAL)[0]):
            raise ConfigError(f"{path} is not as the run wrote it")
    except ConfigError as error:
        notice(f"{error}; taking the settings of the checkpoint")
        return parse_config(checkpoint.state.get("config", {}), source=f"the checkpoint of {path.parent}")
    return config


def _repair_metrics(path: Path, checkpoint: Checkpoint, notice: Callable[[str], None]) -> None:
    """Write the metrics again from the checkpoint unless they are its copy of them, byte by byte.

    They are not parsed to find out: a damaged Parquet file can end the process in the library that reads it.
    """
    content = checkpoint.files.get(METRICS)
    if content is None:  # a checkpoint of an older version
        return
    if checkpoint.iteration == 0 and not path.exists():  # written with the first row
        return
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    notice(f"{path} is not as iteration {checkpoint.iteration} left it; writing it again from the checkpoint")
    write_atomically(path, content)


def _load(net: BlobNet, saved: BlobNet) -> None:
    if saved.shape != net.shape:
        raise CheckpointError(f"the checkpoint's network is {saved.shape}; this run's is {net.shape}")
    net.load_state_dict(saved.state_dict())


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def copy_of(net: BlobNet) -> BlobNet:
    """A network with the same weights, on the CPU."""
    copy = BlobNet(**net.shape._asdict())
    copy.load_state_dict(net.state_dict())
    return copy


def _hardware(device: torch.device) -> dict[str, str | int]:
    """The machine, and the device that learns and plays."""
    found = machine()
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {**{name: found[name] for name in ("cpu", "cpu_features", "cores", "memory_bytes", "system")}, **gpu}


def _versions() -> dict[str, str]:
    packages = ("numpy", "openskill", "polars", "safetensors", "torch")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}
