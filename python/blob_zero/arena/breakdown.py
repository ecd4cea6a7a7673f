"""The matches of one pair of agents, as a whole and by hand size and trump."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from blob_zero.arena.deal_kinds import TRUMPS, DealKinds
from blob_zero.arena.match import MatchRecord
from blob_zero.arena.statistics import MatchSummary, summarize


class Slice(NamedTuple):
    """The part of a pair's deals with one hand size or one trump."""

    what: int | str
    """The hand size, or the trump as one of `TRUMPS`."""
    match: MatchSummary


@dataclass(frozen=True)
class Pairing:
    """The results of one pair: the first agent has one seat, each in turn, and the second all others."""

    first: str
    second: str
    match: MatchSummary
    by_cards: tuple[Slice, ...]
    by_trump: tuple[Slice, ...]
    """Trumps with fewer than 2 deals are left out: they have no interval."""


def break_down(
    first: str, second: str, records: Sequence[MatchRecord], kinds: DealKinds, *, whole_games: bool, seed: int
) -> Pairing:
    """Summarizes the matches of a pair, all together and by kind of deal.

    Args:
        first: name of the first agent.
        second: name of the second agent.
        records: their matches, one for each hand size.
        kinds: the kinds of all deals of these matches; in whole games, of the rounds of a game.
        whole_games: whether the matches are of whole games.
        seed: seed of the intervals' resamples.
    """
    whole = _Joined(
        np.concatenate([each.points for each in records]),
        np.concatenate([each.bids for each in records]),
        np.concatenate([each.tricks for each in records]),
    )
    # An interval needs two deals. A round of a whole game is played in every game, of which there are two at least.
    least = 1 if whole_games else 2

    def slices(labels: Sequence[int | str], kind: npt.NDArray[Any], keys: Sequence[int]) -> tuple[Slice, ...]:
        parts = [(label, kind == key) for label, key in zip(labels, keys, strict=True)]
        return tuple(Slice(label, _part(whole, chosen, seed)) for label, chosen in parts if chosen.sum() >= least)

    sizes = sorted(set(kinds.cards.tolist()))
    return Pairing(
        first=first,
        second=second,
        match=summarize(whole, seed=seed),
        by_cards=slices(sizes, kinds.cards, sizes),
        by_trump=slices(TRUMPS, kinds.trumps, range(len(TRUMPS))),
    )


class _Joined(NamedTuple):
    """The records of several hand sizes as one match, in the form of `MatchRecord`."""

    points: npt.NDArray[np.int16]
    bids: npt.NDArray[np.int16]
    tricks: npt.NDArray[np.int16]


def _part(whole: _Joined, chosen: npt.NDArray[np.bool_], seed: int) -> MatchSummary:
    """The summary of some of the deals, or of some of the rounds of each whole game."""
    axis = 2 if whole.points.ndim == 4 else 0
    part = _Joined(*(column.compress(chosen, axis=axis) for column in whole))
    # A part of a game's rounds does not decide who wins the game.
    return replace(summarize(part, seed=seed), games_won=None)
