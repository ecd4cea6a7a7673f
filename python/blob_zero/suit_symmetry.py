"""The suits are alike: a position with its suits renamed is the same position, so a row can be learned in 24 ways."""

from itertools import permutations

import numpy as np
import numpy.typing as npt

from blob_zero.network import ACTIONS, FEATURES
from blob_zero.replay import Batch

SUITS, RANKS = 4, 13

# Where encoding v2 speaks of suits (docs/observation.md): flags by card, and flags by suit.
_CARD_BLOCKS = (0, 52)  # own hand, cards gone
_SUIT_BLOCKS = (
    *range(112, 144, SUITS),  # suit of each seat's card in the trick
    *range(144, 176, SUITS),  # voids of each seat
    176,  # trump; the flag of no trump behind it stays
    181,  # suit led
)
_PLAYING = 226

SUIT_ORDERS: tuple[tuple[int, ...], ...] = tuple(permutations(range(SUITS)))
"""All renamings: suit s becomes suit `order[s]`; the first one changes nothing."""


def rename_suits(batch: Batch, order: tuple[int, ...]) -> Batch:
    """The same rows with their suits renamed; bids keep their meaning.

    Args:
        batch: B rows.
        order: one of `SUIT_ORDERS`.
    """
    features, actions = _SOURCES[order]
    playing = batch.features[:, _PLAYING : _PLAYING + 1] == 1
    return Batch(
        features=batch.features[:, features],
        legal=np.where(playing, batch.legal[:, actions], batch.legal),
        policy=np.where(playing, batch.policy[:, actions], batch.policy),
        values=batch.values,
    )


def _sources(order: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each feature and each card of the renamed row, its index in the row as it was."""
    features, cards = np.arange(FEATURES), np.arange(ACTIONS)
    for old, new in enumerate(order):
        cards[new * RANKS : (new + 1) * RANKS] = np.arange(old * RANKS, (old + 1) * RANKS)
        for start in _SUIT_BLOCKS:
            features[start + new] = start + old
    for start in _CARD_BLOCKS:
        features[start : start + ACTIONS] = start + cards
    return features, cards


_SOURCES = {order: _sources(order) for order in SUIT_ORDERS}
