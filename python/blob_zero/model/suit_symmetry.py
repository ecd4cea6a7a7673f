"""The suits are alike: a position with its suits renamed is the same position, so each row stands for 24."""

from itertools import permutations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blob_zero.model.blobnet import ACTIONS, FEATURES

SUITS, RANKS = 4, 13

# Where encoding v2 names suits (docs/observation.md): flags by card, and flags by suit.
_CARD_BLOCKS = (0, 52)  # own hand, cards gone
_SUIT_BLOCKS = (
    *range(112, 144, SUITS),  # suit of each seat's card in the trick
    *range(144, 176, SUITS),  # voids of each seat
    176,  # trump; the flag of no trump behind it stays
    181,  # suit led
)
_PLAYING = 226

SUIT_ORDERS: tuple[tuple[int, ...], ...] = tuple(permutations(range(SUITS)))
"""All renamings: suit s becomes suit `order[s]`; the first one is the identity."""


class SuitRenaming:
    """Renames the suits of rows on a device. Policies over bids stay as they are."""

    def __init__(self, device: torch.device) -> None:
        features, actions = zip(*map(_sources, SUIT_ORDERS), strict=True)
        self._features = torch.from_numpy(np.stack(features)).to(device)  # int64[24, 256]
        self._actions = torch.from_numpy(np.stack(actions)).to(device)  # int64[24, 52]

    def __call__(
        self, features: Tensor, legal: Tensor, policy: Tensor, *, orders: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the rows with their suits renamed, each row by an order of its own.

        Args:
            features: uint8[B, 256].
            legal: bool[B, 52].
            policy: [B, 52].
            orders: int64[B], indices into `SUIT_ORDERS`.
        """
        playing = features[:, _PLAYING : _PLAYING + 1] == 1
        actions = self._actions[orders]
        return (
            features.gather(1, self._features[orders]),
            torch.where(playing, legal.gather(1, actions), legal),
            torch.where(playing, policy.gather(1, actions), policy),
        )


def _sources(order: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each feature and each card of the renamed row, its index in the original row."""
    features, cards = np.arange(FEATURES, dtype=np.int64), np.arange(ACTIONS, dtype=np.int64)
    for old, new in enumerate(order):
        cards[new * RANKS : (new + 1) * RANKS] = np.arange(old * RANKS, (old + 1) * RANKS)
        for start in _SUIT_BLOCKS:
            features[start + new] = start + old
    for start in _CARD_BLOCKS:
        features[start : start + ACTIONS] = start + cards
    return features, cards
