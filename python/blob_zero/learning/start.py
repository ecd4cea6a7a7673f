"""The network that a run begins with: an untrained one, or one that was trained elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError
from blob_zero.learning.learner import critic_weights
from blob_zero.model.critic import same_critic
from blob_zero.model.networks import Network, Shape, configured_shape, describe, seeded_network
from blob_zero.model.outcome_net import OutcomeShape
from blob_zero.run.checkpoint import (
    MANIFEST,
    OPTIMIZER,
    checked_tensors,
    checkpoint_paths,
    load_state,
    network_folder,
    read_json,
)
from blob_zero.run.folder import CHECKPOINTS
from blob_zero.run.weights_file import lineage_of, load_network, network_path
from blob_zero.seeds import Purpose, stream_seed

_GAME = ("rules", "whole_games", "result_share")
"""Settings that say what a round is worth, which is what a critic knows."""


class StartingNetwork(NamedTuple):
    """A network, and where it comes from if it was trained elsewhere."""

    net: Network
    lineage: dict[str, Any] | None = None
    """As `lineage_of` tells; with `critic`, true, if its critic comes along."""
    learner: Mapping[str, Tensor] | None = None
    """What `Learner.state` gave there, if its critic comes along."""

    def told(self, name: str) -> str:
        """A line for people; `name` is the start's own."""
        if self.learner is not None:
            return f"begins with the network of {name}, its critic and the optimizer's moments"
        return f"begins with the network of {name}"


def initial_network(config: Config) -> Network:
    """An untrained network, as the settings and the run's seed say."""
    return seeded_network(configured_shape(config), seed=stream_seed(config.run.seed, Purpose.INITIAL_WEIGHTS))


def starting_network(config: Config) -> StartingNetwork:
    """The network that a run with these settings begins with.

    Raises:
        ConfigError: the network of `run.start` is not of the shape that the settings ask for.
        CheckpointError: it cannot be read.
    """
    if not config.run.start:
        return StartingNetwork(initial_network(config))
    path = network_folder(network_path(config.run.start))
    net, wanted = load_network(path), configured_shape(config)
    if net.shape != wanted:
        raise ConfigError(
            f"run.start = {config.run.start!r} is a network of {_text(net.shape)}; "
            f"should be of {_text(wanted)}, as this run's settings of network say"
        )
    learner = _learner(path, config, wanted) if isinstance(wanted, OutcomeShape) else None
    lineage = {name: told for name, told in lineage_of(path).items() if name != "critic"}
    return StartingNetwork(net, lineage | ({"critic": True} if learner is not None else {}), learner)


def _learner(path: Path, config: Config, shape: OutcomeShape) -> dict[str, Tensor] | None:
    """The learner's state in a checkpoint, if its critic is of use here.

    That is one that has learned as long as its own run asked for, what these rounds are worth, beside the very weights
    that the run begins with, and of the size that the settings ask for.
    """
    if not path.is_dir():
        return None
    state, done = load_state(path), read_json(path / MANIFEST)["iteration"]
    there, here = state["config"], config.game.model_dump(mode="json")
    same_game = all(there["game"].get(name) == here[name] for name in _GAME)
    warmup = 0 if (state.get("start") or {}).get("critic") else there["training"].get("critic_warmup", 0)
    if not (same_game and done >= max(1, warmup) and state["best_iteration"] == done):
        return None
    learner = checked_tensors(path, OPTIMIZER)
    return learner if same_critic(critic_weights(learner), shape, config.training) else None


def check_start(config: Config, folder: Path) -> None:
    """Checks `run.start` of a run that is still to begin; one that goes on does not need it any more.

    Raises:
        ConfigError: as `starting_network` does.
        CheckpointError: as well.
    """
    if config.run.start and not checkpoint_paths(folder / CHECKPOINTS):
        starting_network(config)


def _text(shape: Shape) -> str:
    return ", ".join(f"{name} {value}" for name, value in describe(shape).items())
