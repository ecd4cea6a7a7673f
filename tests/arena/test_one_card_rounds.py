"""Rounds of one card against the best response to the network of the package, which can be computed."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import blob_zero as bz

TRUMPS = ("S", "H", "C", "D", None)
MADE_ONE, MADE_NONE = 11, 10


class Deals(NamedTuple):
    """Rounds of one card in which the first seat bids first and leads."""

    cards: NDArray[np.int64]
    trump: NDArray[np.int64]
    bids: NDArray[np.int64]
    winner: NDArray[np.int64]
    known: list[NDArray[np.int64]]
    """What each seat knew when it bid, as a place in its table."""


def round_of(cards, trump):
    hands = [[bz.card_text(int(card))] for card in cards]
    return bz.Round(players=len(hands), cards=1, trump=TRUMPS[trump], dealer=len(hands) - 1, hands=hands)


def bids_by_knowledge(player, players):
    """For each seat its bid by card, trump and the bids before, a bit each: int64[52, 5, 2^seat]."""
    tables = []
    for seat in range(players):
        shape = (52, len(TRUMPS), 1 << seat)
        observations = []
        for card, trump, before in np.ndindex(shape):
            hands = [other for other in range(52) if other != card][: players - 1]
            position = round_of([*hands[:seat], card, *hands[seat:]], trump)
            for k in range(seat):
                position.play(before >> k & 1)
            observations.append(position.observe(seat))
        tables.append(np.array(player.choose_many(observations)).reshape(shape))
    return tables


def played(tables, *, deals, seed):
    rng = np.random.default_rng(seed)
    cards = rng.integers(52, size=(deals, len(tables)))
    in_order = np.sort(cards, axis=1)
    cards = cards[(in_order[:, 1:] != in_order[:, :-1]).all(axis=1)]
    trump = rng.integers(len(TRUMPS), size=len(cards))
    suit, rank = cards // 13, cards % 13
    power = np.where(suit == trump[:, None], 100 + rank, np.where(suit == suit[:, :1], 50 + rank, 0))
    before, bids, known = np.zeros(len(cards), np.int64), [], []
    for seat, table in enumerate(tables):
        known.append(np.ravel_multi_index((cards[:, seat], trump, before), table.shape))
        bids.append(table.reshape(-1)[known[-1]])
        before |= bids[-1] << seat
    return Deals(cards, trump, np.stack(bids, axis=1), power.argmax(axis=1), known)


def gain_of_the_best_response(tables, *, deals):
    """Points a round that a seat gains by the best bid for all that it knows, among seats that keep to the tables.

    Which bid is best is found on other deals than those that tell its worth.
    """
    gain, halves = 0.0, [played(tables, deals=deals, seed=seed) for seed in (1, 2)]
    for seat, table in enumerate(tables):
        counts = []
        for half in halves:
            number = np.bincount(half.known[seat], minlength=table.size)
            counts.append((number, np.bincount(half.known[seat], half.winner == seat, minlength=table.size)))
        (number, won), (fresh, fresh_won) = counts
        best = (MADE_ONE * won > MADE_NONE * (number - won)).astype(np.int64)
        if seat == len(tables) - 1:  # the hook: the bids may not sum to the one trick
            others = np.array([before.bit_count() for _, _, before in np.ndindex(table.shape)])
            best = np.where(others == 0, 0, np.where(others == 1, 1, best))
        points = MADE_ONE * fresh_won, MADE_NONE * (fresh - fresh_won)
        made = [np.where(bids == 1, *points).sum() for bids in (best, table.reshape(-1))]
        gain += (made[0] - made[1]) / fresh.sum() / len(tables)
    return gain


@pytest.fixture(scope="module", params=[3, 5])
def tables(request):
    return bids_by_knowledge(bz.Player(search=None), request.param)


def test_the_deals_are_those_of_the_rules(tables):
    deals = played(tables, deals=300, seed=3)
    for cards, trump, bids, winner in zip(deals.cards, deals.trump, deals.bids, deals.winner, strict=True):
        round_ = round_of(cards, trump)
        for bid in bids:
            round_.play(int(bid))
        while round_.phase != "done":
            round_.play(round_.legal_actions()[0])
        assert round_.tricks_won[winner] == 1


def test_a_best_response_gains_next_to_nothing(tables):
    assert gain_of_the_best_response(tables, deals=300_000) < 0.02


def test_a_worse_player_loses_to_it(tables):
    # All but the last, whom the hook binds, bid their trick with queens, kings and aces alone.
    timid = [table * (np.arange(52) % 13 > 9)[:, None, None] for table in tables[:-1]]
    assert gain_of_the_best_response([*timid, tables[-1]], deals=300_000) > 0.1
