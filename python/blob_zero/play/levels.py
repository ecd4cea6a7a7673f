"""Levels of the bots, the weakest first. Each is given an `Observation` and nothing else."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from blob_zero import _core
from blob_zero.analysis.judge import seed_of
from blob_zero.arena.agent import Agent
from blob_zero.arena.choose import choose
from blob_zero.config.bots import read_bot
from blob_zero.errors import ConfigError

if TYPE_CHECKING:
    from blob_zero.arena.player import Player


@dataclass(frozen=True, kw_only=True)
class Level:
    """A bot that people can play against.

    Attributes:
        agent: its name in the arena.
        title: its name at the table.
        rating: its rating by `blob-zero arena` among these levels, 4 players with 5 cards; the rule bot has 0.
            None where it was not measured.
        about: how it plays.
    """

    agent: str
    title: str
    rating: int | None
    about: str


LEVELS = (
    Level(agent="random", title="Chance", rating=-410, about="plays any legal card"),
    Level(agent="rule", title="Novice", rating=0, about="counts its tricks, then plays for them"),
    Level(agent="rollout:3x30", title="Casual", rating=20, about="a search by random playouts"),
    Level(agent="ismcts:90", title="Club", rating=90, about="a search of 90 playouts"),
    Level(agent="ismcts:1000", title="Expert", rating=120, about="a search of 1,000 playouts"),
)
"""The levels that need no network, the weakest first."""

SHIPPED = (
    Level(agent="shipped", title="Master", rating=150, about="the trained network"),
    Level(agent="shipped:64", title="Champion", rating=170, about="the trained network, looking ahead"),
)
"""The network that comes with blob-zero, without and with a look-ahead."""

_networks: dict[str, tuple[Level, "Player"]] = {}


@cache
def _shipped(agent: str) -> "Player":
    from blob_zero.arena.player import Player

    return Player(search=None if agent == "shipped" else "default")


def warm_up() -> None:
    """Reads the network that comes with blob-zero, so that no person waits for it."""
    for level in SHIPPED:
        _shipped(level.agent)


def add_network(path: Path) -> Level:
    """Adds a network of yours as a level: a run, a checkpoint, a weights file or an .onnx file.

    Only what was added plays: a saved game of somebody else cannot name a file of yours.

    Raises:
        CheckpointError: the network cannot be read.
    """
    # PyTorch takes seconds to import, and the other levels need none of it.
    from blob_zero.arena.player import Player

    level = Level(agent=str(path), title="Network", rating=None, about=f"the network of {path}")
    _networks[level.agent] = (level, Player(path))
    return level


def all_levels() -> tuple[Level, ...]:
    """All levels, the weakest first, and then your networks."""
    return (*LEVELS, *SHIPPED, *(level for level, _ in _networks.values()))


def find_level(agent: str) -> Level:
    """The level of an agent's name.

    Raises:
        ConfigError: there is none.
    """
    for level in all_levels():
        if level.agent == agent:
            return level
    names = ", ".join(level.agent for level in all_levels())
    raise ConfigError(
        f"unknown level {agent[:40]!r}; it is {names}, or with --levels the path of a run or an .onnx file"
    )


def act(level: Level, observation: _core.Observation, seed: int) -> int:
    """The action of a level. It depends on what the seat knows and the bots' seed alone."""
    if level in SHIPPED:
        return _shipped(level.agent).choose(observation)
    if level.agent in _networks:
        return _networks[level.agent][1].choose(observation)
    return choose(Agent.bot(read_bot(level.agent)), [observation], [seed_of(observation, seed)])[0]
