"""A run on disk: the folder that holds its configuration, checkpoints and metrics, and its state in memory.

RUN/config.toml        the configuration as used
RUN/metrics.parquet    one row an iteration (docs/metrics.md)
RUN/checkpoints/N/     what iteration N left; 0 is the untrained network
"""

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

import blob_zero as bz
from blob_zero.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    prune_checkpoints,
    save_checkpoint,
    write_atomically,
)
from blob_zero.config import Config, differences, load_config, to_toml
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.metrics import MetricsLog, Row
from blob_zero.network import SEATS, BlobNet, NetworkShape, seeded_network
from blob_zero.replay import ReplayRing
from blob_zero.seeds import Purpose, stream_seed
from blob_zero.trainer import Trainer


class Run:
    """A run between two iterations. `open_run` makes one.

    Attributes:
        iteration: iterations done.
        rounds: rounds of self-play played.
        learner: the network in training.
        best: the network that plays, and that the run would give away now.
        best_iteration: the iteration that made it.
        untrained: the network as it began.
    """

    def __init__(self, config: Config, folder: Path, *, device: torch.device) -> None:
        shape = NetworkShape(values=SEATS, **config.network.model_dump())
        self.config = config
        self.folder = folder
        self.iteration = 0
        self.rounds = 0
        self.untrained = seeded_network(shape, seed=stream_seed(config.run.seed, Purpose.INITIAL_WEIGHTS))
        self.learner = copy_of(self.untrained)
        self.best = copy_of(self.untrained)
        self.best_iteration = 0
        self.replay = ReplayRing(config.training.replay_rows)
        self.trainer = Trainer(self.learner, config.training, device=device, iterations=config.run.iterations)
        self.metrics = MetricsLog(folder / "metrics.parquet")

    @property
    def checkpoints(self) -> Path:
        """The folder of all checkpoints."""
        return self.folder / "checkpoints"

    def promote(self) -> None:
        """Make the learner's present weights the best."""
        self.best.load_state_dict(self.learner.state_dict())
        self.best_iteration = self.iteration

    def commit(self, row: Row | None = None) -> None:
        """Write the run as it is: when this returns, the iteration cannot be lost.

        The metrics come first: a row too many is dropped when the run is opened, one too few could not be
        made again.
        """
        if row is not None:
            self.metrics.append(row)
        replay = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in self.replay.state().items()}
        save_checkpoint(
            self.checkpoints,
            Checkpoint(
                iteration=self.iteration,
                networks={"weights": self.best, "learner": self.learner, "untrained": self.untrained},
                tensors={"optimizer": self.trainer.state(), "replay": replay},
                state={
                    "rounds": self.rounds,
                    "best_iteration": self.best_iteration,
                    "encoding_version": bz.ENCODING_VERSION,
                    "versions": _versions(),
                    "config": self.config.model_dump(mode="json"),
                    "metrics": row,
                },
            ),
        )
        prune_checkpoints(self.checkpoints, keep=self.config.run.keep_checkpoints, pinned={0, self.best_iteration})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint was written.

        Raises:
            CheckpointError: it lacks something, or is of another network.
        """
        try:
            for name, net in {
                "weights": self.best,
                "learner": self.learner,
                "untrained": self.untrained,
            }.items():
                saved = checkpoint.networks[name]
                if saved.shape != net.shape:
                    raise CheckpointError(f"the checkpoint's network is {saved.shape}; this run's is {net.shape}")
                net.load_state_dict(saved.state_dict())
            self.trainer.load_state(checkpoint.tensors["optimizer"])
            self.replay.load_state({name: x.numpy() for name, x in checkpoint.tensors["replay"].items()})
            self.rounds = checkpoint.state["rounds"]
            self.best_iteration = checkpoint.state["best_iteration"]
        except KeyError as error:
            raise CheckpointError(f"the checkpoint of iteration {checkpoint.iteration} lacks {error}") from error
        self.iteration = checkpoint.iteration
        self.metrics.keep_until(self.iteration)


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
    saved_config = folder / "config.toml"
    checkpoint, damaged = latest_checkpoint(folder / "checkpoints")
    for line in damaged:
        notice(f"skipping a damaged checkpoint: {line}")
    if checkpoint is not None:
        changed = differences(load_config(saved_config), config)
        if changed and not override:
            raise ConfigError(
                f"the run in {folder} has other settings: {'; '.join(changed)}. "
                "Use its settings, another --run-dir, or --override to go on with the new ones"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    run = Run(config, folder, device=device)
    if checkpoint is not None:
        run.restore(checkpoint)
        if run.iteration >= config.run.iterations:
            notice(f"the run in {folder} is finished; its {run.iteration} iterations are done")
        else:
            notice(f"going on in {folder} after iteration {run.iteration} of {config.run.iterations}")
    write_atomically(saved_config, to_toml(config).encode())
    if checkpoint is None:
        run.metrics.keep_until(0)
        run.commit()
    return run


def copy_of(net: BlobNet) -> BlobNet:
    """A network with the same weights, on the CPU."""
    copy = BlobNet(**net.shape._asdict())
    copy.load_state_dict(net.state_dict())
    return copy


def _versions() -> dict[str, str]:
    packages = ("numpy", "polars", "safetensors", "torch")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}
