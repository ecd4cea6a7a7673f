"""Entrants: agents of a match by name, a bot or the path of a network."""

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from blob_zero.arena.agent import Agent
from blob_zero.arena.bot_file import read_bot_file
from blob_zero.config.bots import ARENA_BOT_NAMES, Bot, find_bot
from blob_zero.config.load import parse_config
from blob_zero.config.search_options import LookAhead, SearchOptions, parse_search
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.inference.onnx_evaluator import OnnxEvaluator
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import OutcomeNet
from blob_zero.run.checkpoint import STATE, network_folder
from blob_zero.run.weights_file import load_network, network_path


class NetworkEntrant(NamedTuple):
    """A network and the search that it plays with; None plays by its policy alone."""

    net: Network
    search: SearchOptions | LookAhead | None


class ReadyEntrant(NamedTuple):
    """An agent that plays as it is, from an .onnx file or a function, and its search if it has one."""

    agent: Agent
    search: SearchOptions | LookAhead | None


Entrant = Bot | NetworkEntrant | ReadyEntrant


def read_entrant(name: str, search: SearchOptions, *, device: str = "auto") -> Entrant:
    """Reads the agent of a name.

    Args:
        name: the name of a bot, `FILE.py:FUNCTION`, or the path of a run, a checkpoint or an .onnx file; `PATH:policy`
            plays by the policy alone, `PATH:W` looks one step ahead in W worlds, and `PATH:WxS` searches W worlds.
        search: worlds and simulations of networks that are trained with a search, where the name gives none. The other
            options are those of the training. Networks that are trained without a search play without.
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
    path, play = found
    if path.suffix == ".onnx":
        return _read_onnx(path, play, search, device=device)
    net = load_network(path)
    if play == "policy" or (isinstance(net, OutcomeNet) and not play):
        return NetworkEntrant(net, None)
    if play.isdecimal():
        if not isinstance(net, OutcomeNet):
            raise ConfigError(
                f"agent {name!r}: {path} holds a network that is trained with a search; should be PATH, PATH:policy or "
                "PATH:WxS, since a look-ahead needs one that plays without"
            )
        return NetworkEntrant(net, LookAhead(worlds=int(play)))
    size = parse_search(play) if play else search
    trained = trained_search(path, worlds=size.worlds, simulations=size.simulations)
    return NetworkEntrant(net, size if trained is None and play else trained)


def _read_onnx(path: Path, play: str, search: SearchOptions, *, device: str) -> ReadyEntrant:
    evaluator = OnnxEvaluator(path, device=device)
    if play == "policy" or (evaluator.search is None and not play):
        return ReadyEntrant(Agent.policy(evaluator), None)
    if play.isdecimal():
        return ReadyEntrant(Agent.look_ahead(evaluator, worlds=int(play)), LookAhead(worlds=int(play)))
    size = parse_search(play) if play else search
    trained = _of_size(evaluator.search or size, size.worlds, size.simulations)
    return ReadyEntrant(Agent.network(evaluator, search=trained), trained)


class NetworkName(NamedTuple):
    """A network as an agent's name gives it: its path, and `policy`, `W`, `WxS`, or nothing for how it was trained."""

    path: Path
    play: str


def parse_agent(text: str) -> Bot | NetworkName:
    """Reads an agent's name: a bot, or the path of a network that exists.

    Raises:
        ConfigError: it is neither.
    """
    bot = find_bot(text)
    if bot is not None:
        return bot
    path, colon, play = text.rpartition(":")
    if not colon or Path(text).exists():
        path, play = text, ""
    found = network_path(path)
    if not found.exists() or (play and play != "policy" and not re.fullmatch(r"[1-9]\d*(x\d+)?", play)):
        raise ConfigError(
            f"unknown agent {text!r}: should be {ARENA_BOT_NAMES}, shipped, FILE.py:FUNCTION, or PATH of a run, "
            "checkpoint or .onnx file, PATH:policy, PATH:W or PATH:WxS"
        )
    return NetworkName(found, play)


def trained_search(path: Path, *, worlds: int | None = None, simulations: int | None = None) -> SearchOptions | None:
    """The search that the checkpoint of a network names; the default for a network outside of a checkpoint.

    None for a network that was trained without a search.

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
        config = json.loads(state.read_bytes())["config"]
        section, agent = config["search"], config["selfplay"]["agent"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{state} does not say which search its network was trained with: {error!r}") from error
    if agent == "policy":
        return None
    trained = parse_config({"search": section}, source=str(state)).search
    return _of_size(trained.options(worlds=trained.worlds, simulations=trained.simulations), worlds, simulations)


def _of_size(search: SearchOptions, worlds: int | None, simulations: int | None) -> SearchOptions:
    return replace(search, worlds=worlds or search.worlds, simulations=simulations or search.simulations)
