"""Entrants: agents of a match by name, a bot or the path of a network."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from blob_zero.arena.agent import Agent
from blob_zero.arena.bot_file import read_bot_file
from blob_zero.config.bots import ARENA_BOT_NAMES, Bot, find_bot
from blob_zero.config.load import parse_config
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.inference.onnx_evaluator import OnnxEvaluator
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import STATE, load_network, network_folder


class NetworkEntrant(NamedTuple):
    """A network and the search that it plays with."""

    net: BlobNet
    search: SearchOptions


class ReadyEntrant(NamedTuple):
    """An agent that plays as it is, from an .onnx file or a function, and its search if it has one."""

    agent: Agent
    search: SearchOptions | None


Entrant = Bot | NetworkEntrant | ReadyEntrant


def read_entrant(name: str, search: SearchOptions, *, device: str = "auto") -> Entrant:
    """Reads the agent of a name.

    Args:
        name: the name of a bot, `FILE.py:FUNCTION`, or the path of a run, a checkpoint or an .onnx file.
        search: worlds and simulations of networks. The other options are those that the network was trained with.
        device: where an .onnx file computes.

    Raises:
        ConfigError: the name is neither.
        CheckpointError: the network cannot be read.
    """
    own = read_bot_file(name)
    if own is not None:
        return ReadyEntrant(own, None)
    found = parse_agent(name)
    if isinstance(found, Bot):
        return found
    if found.suffix == ".onnx":
        evaluator = OnnxEvaluator(found, device=device)
        trained = _of_size(evaluator.search, search.worlds, search.simulations)
        return ReadyEntrant(Agent.network(evaluator, search=trained), trained)
    net = load_network(found)
    return NetworkEntrant(net, trained_search(found, worlds=search.worlds, simulations=search.simulations))


def parse_agent(text: str) -> Bot | Path:
    """Reads an agent's name: a bot, or the path of a network that exists.

    Raises:
        ConfigError: it is neither.
    """
    bot = find_bot(text)
    if bot is not None:
        return bot
    path = Path(text)
    if not path.exists():
        raise ConfigError(
            f"unknown agent {text!r}: should be {ARENA_BOT_NAMES}, FILE.py:FUNCTION, or a path of a run, checkpoint or "
            ".onnx file"
        )
    return path


def trained_search(path: Path, *, worlds: int | None = None, simulations: int | None = None) -> SearchOptions:
    """The search that the checkpoint of a network names; the default for a network outside of a checkpoint.

    Args:
        path: a run, a checkpoint or a weights file.
        worlds: replaces the worlds, unless None.
        simulations: replaces the simulations in each world, unless None.
    """
    with warnings.catch_warnings():  # loading the network has warned of damage already
        warnings.simplefilter("ignore", RuntimeWarning)
        folder = network_folder(path)
    state = (folder if folder.is_dir() else folder.parent) / STATE
    if not state.exists():
        return _of_size(SearchOptions(), worlds, simulations)
    try:
        section = json.loads(state.read_bytes())["config"]["search"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{state} does not say which search its network was trained with: {error!r}") from error
    trained = parse_config({"search": section}, source=str(state)).search
    return _of_size(trained.options(worlds=trained.worlds, simulations=trained.simulations), worlds, simulations)


def _of_size(search: SearchOptions, worlds: int | None, simulations: int | None) -> SearchOptions:
    return replace(search, worlds=worlds or search.worlds, simulations=simulations or search.simulations)
