"""Hand sizes and trumps: what the deals of a match are told apart by."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.errors import ConfigError

TRUMPS = ("S", "H", "C", "D", "none")

_TRUMP_FEATURES = slice(176, 181)  # one bit for each of TRUMPS (docs/observation.md)
_DEALS_AT_A_TIME = 5_000  # the rows that show a deal's trump take about 10 kB each


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
    sizes: set[int] = set()
    for part in text.split(","):
        form = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part.strip())
        low, high = (int(form[1]), int(form[2] or form[1])) if form else (0, 0)
        if not 1 <= low <= high <= 13:
            raise ConfigError(f"cannot read the hand sizes {text!r}; should be such as 5, 1,3,5 or 1-8, within 1 to 13")
        sizes.update(range(low, high + 1))
    return tuple(sorted(sizes))


def kinds_of_deals(seeds: Mapping[int, int], *, players: int, deals: int, threads: int | None) -> DealKinds:
    """The kinds of the deals of several matches, one for each hand size, in order.

    Args:
        seeds: seed of the match of each hand size.
        players: seats.
        deals: deals of each match.
        threads: search threads; one for each core if None.
    """
    trumps = [
        trumps_of_deals(players=players, cards=cards, deals=deals, seed=seed, threads=threads)
        for cards, seed in seeds.items()
    ]
    return DealKinds(np.repeat(list(seeds), deals), np.concatenate(trumps))


def kinds_of_rounds(*, players: int, cards: int) -> DealKinds:
    """The kinds of the rounds of a whole game from `cards` cards; they are the same in every game."""
    schedule = bz.Game(players=players, cards=cards, seed=0).schedule
    return DealKinds(np.array(schedule), np.arange(len(schedule), dtype=np.int8) % len(TRUMPS))


def trumps_of_deals(
    *, players: int, cards: int, deals: int, seed: int, threads: int | None = None
) -> npt.NDArray[np.int8]:
    """The trump of each deal of a match.

    The records of a match do not contain it. Self-play with the same seed has the same deals, and its rows show the
    trump. With one simulation a decision it costs next to nothing.

    Returns:
        int8[deals], indices into `TRUMPS`.
    """
    trumps = np.empty(deals, np.int8)
    for start in range(0, deals, _DEALS_AT_A_TIME):
        count = min(_DEALS_AT_A_TIME, deals - start)
        records = bz.SelfPlay(
            players=players,
            cards=cards,
            worlds=1,
            simulations=1,
            rounds=count,
            seed=seed,
            first_round=start,
            threads=threads,
        ).run("uniform")
        # Every round has a row: the first bidder has a choice.
        numbers, rows = np.unique(records.round, return_index=True)
        trumps[numbers.astype(np.int64)] = records.features[rows, _TRUMP_FEATURES].argmax(axis=1)
    return trumps
