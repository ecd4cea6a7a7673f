"""Bots: opponents that need no network, by name.

A new bot gets its name here and its play in `arena/agent.py`. The command line, `evaluation.opponents` and their error
messages follow from this file.
"""

import re
from dataclasses import dataclass
from typing import Literal

from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.errors import ConfigError

BOT_NAMES = "random, rule, rollout:WxS, ismcts:N or flat:W"
"""The bots of the core, for help texts and error messages."""

ARENA_BOT_NAMES = "random, rule, rollout:WxS, ismcts:N, flat:W or openspiel:ismcts:N"
"""The same with those that play in Python, in matches alone."""

BotKind = Literal["random", "rule", "rollout", "ismcts", "flat", "openspiel"]

MAX_SIZE = 4_194_304
"""Most simulations of `ismcts:N` and worlds of `flat:W`; a tree of this many takes about a gigabyte."""


@dataclass(frozen=True)
class Bot:
    """A bot as its name describes it.

    Attributes:
        kind: `random` plays any legal action, `rule` follows simple rules, `rollout` searches and judges positions by
            random playouts. `ismcts` searches one tree over information states and `flat` tries each action in sampled
            worlds, both with playouts by the rule bot (docs/strength.md). `openspiel` is OpenSpiel's ISMCTS with random
            playouts; it runs in Python and needs `blob-zero[openspiel]`.
        search: the search of a bot that searches. Its constants are the defaults: a bot is the same in every run.
        size: simulations of `ismcts` and `openspiel`, worlds of `flat`; None for others.
    """

    kind: BotKind
    search: SearchOptions | None = None
    size: int | None = None


def read_bot(name: str) -> Bot:
    """The bot of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    bot = find_bot(name)
    if bot is None:
        raise ConfigError(f"unknown bot {name!r}: should be {ARENA_BOT_NAMES}")
    return bot


def find_bot(name: str) -> Bot | None:
    """The bot of a name; None if the name is not one of `ARENA_BOT_NAMES`.

    Raises:
        ConfigError: the search in `rollout:WxS`, or the size in another name, cannot be read.
    """
    if name == "random":
        return Bot("random")
    if name == "rule":
        return Bot("rule")
    if name.startswith("rollout:"):
        return Bot("rollout", parse_search(name.removeprefix("rollout:")))
    if name.startswith("ismcts:"):
        return Bot("ismcts", size=_size(name, "ismcts:N, such as ismcts:1000", "simulations"))
    if name.startswith("openspiel:ismcts:"):
        return Bot("openspiel", size=_size(name, "openspiel:ismcts:N, such as openspiel:ismcts:100", "simulations"))
    if name.startswith("flat:"):
        return Bot("flat", size=_size(name, "flat:W, such as flat:64", "worlds"))
    return None


def _size(name: str, form: str, what: str) -> int:
    text = name.rpartition(":")[2]
    if not re.fullmatch(r"[1-9]\d{0,6}", text) or int(text) > MAX_SIZE:
        raise ConfigError(f"cannot read the bot {name!r}; should be {form}: 1 to {MAX_SIZE} {what}")
    return int(text)
