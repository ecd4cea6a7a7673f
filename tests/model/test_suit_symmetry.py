import numpy as np
import pytest
import torch

import blob_zero as bz
from blob_zero.model.suit_symmetry import SUIT_ORDERS, SuitRenaming

LETTERS = "SHCD"


def renamed(card, order):
    return card[0] + LETTERS[order[LETTERS.index(card[1])]]


def rows(order, seed):
    """Every decision of a round whose suits are renamed before it is played: features, legal actions, a policy."""
    dealt = bz.Round(players=4, cards=5, trump=[*LETTERS, None][seed % 5], dealer=seed % 4, seed=seed)
    hands = [[renamed(card, order) for card in dealt.hand(seat)] for seat in range(4)]
    trump = dealt.trump and renamed("A" + dealt.trump, order)[1]
    plain = dealt.copy()
    round_ = bz.Round(players=4, trump=trump, dealer=seed % 4, hands=hands)
    rng = np.random.default_rng(seed)
    features, legal, policy = [], [], []
    while plain.to_play is not None:
        observation = round_.observe()
        features.append(observation.encode_bytes())
        legal.append(observation.legal_mask())
        # Weights that belong to the plain round's actions, whatever they are called here.
        weights = rng.random(52)
        action = plain.legal_actions()[rng.integers(len(plain.legal_actions()))]
        name = {a: a for a in range(52)}
        if plain.phase == "playing":
            name = {a: bz.card_index(renamed(bz.card_text(a), order)) for a in range(52)}
        row = np.zeros(52)
        for a in plain.legal_actions():
            row[name[a]] = weights[a]
        policy.append(row)
        plain.play(action)
        round_.play(name[action])
    return np.array(features), np.array(legal), np.array(policy, np.float16)


@pytest.mark.parametrize("seed", range(5))
def test_renaming_rows_is_playing_with_renamed_cards(seed):
    rename = SuitRenaming(torch.device("cpu"))
    plain = [torch.from_numpy(column) for column in rows(SUIT_ORDERS[0], seed)]
    played = [rows(order, seed) for order in SUIT_ORDERS]
    # Every row of the round in all 24 orders, each row of the batch in one of its own.
    count = len(plain[0])
    orders = torch.arange(24).repeat_interleave(count)
    got = rename(*(column.repeat(24, 1) for column in plain), orders=orders)
    for column, expected in zip(got, zip(*played, strict=True), strict=True):
        np.testing.assert_array_equal(column.numpy(), np.concatenate(expected))
