"""Bots: opponents that need no network, by name.

A new bot gets its name here and its play in `arena/agent.py`. The command line, `evaluation.opponents` and their error
messages follow from this file.
"""

from dataclasses import dataclass
from typing import Literal

from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.errors import ConfigError

BOT_NAMES = "random, rule or rollout:WxS"
"""The names, for help texts and error messages."""

BotKind = Literal["random", "rule", "rollout"]


@dataclass(frozen=True)
class Bot:
    """A bot as its name describes it.

    Attributes:
        kind: `random` plays any legal action, `rule` follows simple rules, `rollout` searches and judges positions by
            random playouts.
        search: the search of a bot that searches. Its constants are the defaults: a bot is the same in every run.
    """

    kind: BotKind
    search: SearchOptions | None = None


def read_bot(name: str) -> Bot:
    """The bot of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    bot = find_bot(name)
    if bot is None:
        raise ConfigError(f"unknown bot {name!r}: should be {BOT_NAMES}")
    return bot


def find_bot(name: str) -> Bot | None:
    """The bot of a name; None if the name is not one of `BOT_NAMES`.

    Raises:
        ConfigError: the search in `rollout:WxS` cannot be read.
    """
    if name == "random":
        return Bot("random")
    if name == "rule":
        return Bot("rule")
    if name.startswith("rollout:"):
        return Bot("rollout", parse_search(name.removeprefix("rollout:")))
    return None
