"""Kinds of deals: number of players, hand size and trump."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.arena.match import MatchRecord
from blob_zero.errors import ConfigError

TRUMPS = ("S", "H", "C", "D", "none")


class DealKinds(NamedTuple):
    """Hand size and trump of each deal, or of each round of a whole game."""

    cards: npt.NDArray[np.int64]
    trumps: npt.NDArray[np.int8]
    """Indices into `TRUMPS`."""


def parse_hand_sizes(text: str) -> tuple[int, ...]:
    """Reads hand sizes: a number, a range such as `1-8`, or several with commas between; ascending, each once.

    Raises:
        ConfigError: the text has another form, or a number is outside 1 to 13.
    """
    return _parse_numbers(text, "hand sizes", "5, 1,3,5 or 1-8", 1, 13)


def parse_players(text: str) -> tuple[int, ...]:
    """Reads numbers of players in the form of `parse_hand_sizes`.

    Raises:
        ConfigError: the text has another form, or a number is outside 3 to 8.
    """
    return _parse_numbers(text, "numbers of players", "4, 3,5,8 or 3-8", 3, 8)


def _parse_numbers(text: str, what: str, example: str, least: int, most: int) -> tuple[int, ...]:
    numbers: set[int] = set()
    for part in text.split(","):
        form = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part.strip())
        low, high = (int(form[1]), int(form[2] or form[1])) if form else (0, 0)
        if not least <= low <= high <= most:
            raise ConfigError(f"cannot read the {what} {text!r}; should be such as {example}, within {least} to {most}")
        numbers.update(range(low, high + 1))
    return tuple(sorted(numbers))


def kinds_of_deals(records: Sequence[MatchRecord], sizes: Sequence[int]) -> DealKinds:
    """The kinds of the deals of several matches, one for each of these hand sizes, in order."""
    counts = [len(record.trumps) for record in records]
    return DealKinds(np.repeat(sizes, counts), np.concatenate([record.trumps for record in records]))


def kinds_of_rounds(*, players: int, cards: int) -> DealKinds:
    """The kinds of the rounds of a whole game from `cards` cards; they are the same in every game."""
    schedule = bz.Game(players=players, cards=cards, seed=0).schedule
    return DealKinds(np.array(schedule), np.arange(len(schedule), dtype=np.int8) % len(TRUMPS))
