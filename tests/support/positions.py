"""Positions of many sizes in which some actions are plainly wrong, for whoever plays well."""

from dataclasses import dataclass

import numpy as np

import blob_zero as bz
from blob_zero.analysis import PlayoutJudge

RANKS = "23456789TJQKA"
PACK = [rank + suit for suit in "SHCD" for rank in RANKS]

HOPELESS = 0.25
"""With a smaller chance to make the bid, by playouts, nothing that a seat does is plainly wrong."""


@dataclass(frozen=True)
class Position:
    round: bz.Round
    wrong: frozenset[int]

    @property
    def observation(self):
        return self.round.observe()


def ace_of_trumps_in_a_round_of_one_card(count, seed=0):
    """The ace of trumps wins the one trick: any other bid is wrong. The hook does not forbid the bid."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        players, trump = int(rng.integers(3, 9)), str(rng.choice(list("SHCD")))
        seat, dealer = (int(one) for one in rng.integers(players, size=2))
        hands = [[str(card)] for card in rng.choice([card for card in PACK if card != "A" + trump], players - 1, False)]
        hands.insert(seat, ["A" + trump])
        round_ = bz.Round(players=players, cards=1, trump=trump, dealer=dealer, hands=hands)
        while round_.to_play != seat:
            round_.play(int(rng.choice(round_.legal_actions())))
        if 1 in round_.legal_actions():
            found.append(Position(round_, frozenset({0})))
    return found


def first_lead_with_the_ace_of_trumps_and_all_tricks_bid(count, seed=0):
    """Whoever needs every trick and holds the ace of trumps first draws trumps: a trump that can be beaten is wrong."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        players = int(rng.integers(3, 9))
        cards, trump = int(rng.integers(2, min(13, 52 // players) + 1)), str(rng.choice(list("SHCD")))
        low = rng.choice([rank + trump for rank in RANKS[:9]], int(rng.integers(1, min(cards, 4))), False)
        own = ["A" + trump, *(str(card) for card in low)]
        rest = [str(card) for card in rng.permutation([card for card in PACK if card not in own])]
        deal = own + rest
        hands = [deal[seat * cards : (seat + 1) * cards] for seat in range(players)]
        # Seat 0 bids first and leads.
        round_ = bz.Round(players=players, cards=cards, trump=trump, dealer=players - 1, hands=hands)
        round_.play(cards)
        while round_.phase == "bidding":
            round_.play(int(rng.choice(round_.legal_actions()[:2])))
        trumps = [card for card in hands[0] if card[1] == trump]
        beaten = [card for card in trumps if can_be_beaten(card, hands[0])]
        found += with_hope([Position(round_, frozenset(map(bz.card_index, beaten)))])
    return found


def last_to_a_trick_that_is_needed(count, seed=0):
    """Whoever plays last to a trick and needs all that are left takes it: a card that loses it is wrong."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        players, trump = int(rng.integers(3, 9)), str(rng.choice(list("SHCD")))
        cards = int(rng.integers(2, min(6, 52 // players) + 1))
        # High cards, so that there is hope.
        own = [str(card) for card in rng.choice([rank + suit for rank in "AKQ" for suit in "SHCD"], cards, False)]
        rest = [str(card) for card in rng.permutation([card for card in PACK if card not in own])]
        deal = rest[: (players - 1) * cards] + own
        hands = [deal[seat * cards : (seat + 1) * cards] for seat in range(players)]
        # The last seat deals, bids last and plays last to the first trick.
        round_ = bz.Round(players=players, cards=cards, trump=trump, dealer=players - 1, hands=hands)
        for _ in range(players - 1):
            round_.play(int(rng.choice(round_.legal_actions()[:2])))
        if cards not in round_.legal_actions():
            continue
        round_.play(cards)
        for _ in range(players - 1):
            round_.play(int(rng.choice(round_.legal_actions())))
        losing = frozenset(action for action in round_.legal_actions() if not takes_the_trick(round_, action))
        if 0 < len(losing) < len(round_.legal_actions()):
            found += with_hope([Position(round_, losing)])
    return found


def takes_the_trick(round_, action):
    after = round_.copy()
    after.play(action)
    return after.tricks_won[round_.to_play] > round_.tricks_won[round_.to_play]


def can_be_beaten(card, hand):
    """Whether somebody else can hold a higher card of its suit, before the first card is played."""
    higher = RANKS[RANKS.index(card[0]) + 1 :]
    return any(rank + card[1] not in hand for rank in higher)


def with_hope(positions):
    judged = PlayoutJudge(64).judge([position.observation for position in positions])
    return [position for position, found in zip(positions, judged, strict=True) if found.make.max() >= HOPELESS]
