"""Levels of the bots, the weakest first. Each is given an `Observation` and nothing else."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from blob_zero import _core
from blob_zero.analysis.judge import seed_of
from blob_zero.config.search_options import parse_search
from blob_zero.errors import ConfigError

Choose = Callable[[_core.Observation, int], int]
"""Chooses an action for the seat to play; the seed is of the choice alone."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A bot that people can play against.

    Attributes:
        agent: its name in the arena.
        title: its name at the table.
        rating: its rating by `blob-zero arena` among these levels, 4 players with 5 cards; the rule bot has 0.
        about: how it plays.
    """

    agent: str
    title: str
    rating: int
    about: str
    choose: Choose


def _random(observation: _core.Observation, seed: int) -> int:
    return random.Random(seed).choice(observation.legal_actions())


def _rule(observation: _core.Observation, seed: int) -> int:
    del seed
    return _core.rule_action(observation)


def _rollout(observation: _core.Observation, seed: int) -> int:
    search = parse_search("3x30")
    found = _core.search(observation, "rollout", worlds=search.worlds, simulations=search.simulations, seed=seed)
    return _most_visited(observation, found)


def _ismcts(simulations: int) -> Choose:
    def choose(observation: _core.Observation, seed: int) -> int:
        return _most_visited(observation, _core.ismcts(observation, simulations=simulations, seed=seed))

    return choose


def _most_visited(observation: _core.Observation, found: _core.SearchResult) -> int:
    return max(observation.legal_actions(), key=lambda action: int(found.visits[action]))


LEVELS = (
    Level(agent="random", title="Chance", rating=-420, about="plays any legal card", choose=_random),
    Level(agent="rule", title="Novice", rating=0, about="counts its tricks, then plays for them", choose=_rule),
    Level(agent="rollout:3x30", title="Casual", rating=10, about="a search by random playouts", choose=_rollout),
    Level(agent="ismcts:90", title="Club", rating=100, about="a search of 90 playouts", choose=_ismcts(90)),
    Level(agent="ismcts:1000", title="Expert", rating=140, about="a search of 1,000 playouts", choose=_ismcts(1000)),
)
"""All levels, the weakest first."""


def find_level(agent: str) -> Level:
    """The level of an agent's name.

    Raises:
        ConfigError: there is none.
    """
    for level in LEVELS:
        if level.agent == agent:
            return level
    raise ConfigError(f"unknown level {agent[:40]!r}; it is {', '.join(level.agent for level in LEVELS)}")


def act(level: Level, observation: _core.Observation, seed: int) -> int:
    """The action of a level. It depends on what the seat knows and the bots' seed alone."""
    legal = observation.legal_actions()
    return legal[0] if len(legal) == 1 else level.choose(observation, seed_of(observation, seed))
