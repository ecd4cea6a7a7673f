"""The engine against the reference rules, at every step of random rounds."""

import random

import numpy as np
import pytest
from hypothesis import given
from support.deals import SHAPES, TRUMPS, Deal, random_deal, random_deals
from support.reference_rules import PACK, card_index

import blob_zero as bz


def assert_same(engine, reference):
    """Compares all that the face of a round shows."""
    for name in ["players", "cards", "trump", "dealer", "phase", "to_play", "bids", "tricks_won", "trick"]:
        assert getattr(engine, name) == getattr(reference, name), name
    for seat in range(reference.players):
        assert sorted(engine.hand(seat), key=card_index) == sorted(reference.hand(seat), key=card_index)
    legal = reference.legal_actions()
    assert engine.legal_actions() == legal
    mask = engine.legal_mask()
    assert mask.dtype == np.bool_
    assert mask.shape == (52,)
    assert np.flatnonzero(mask).tolist() == legal


def play_out(deal, rng):
    """Plays a whole round in both, comparing at each step."""
    engine, reference = deal.engine(), deal.reference()
    assert_same(engine, reference)
    while reference.phase != "done":
        action = rng.choice(reference.legal_actions())
        engine.play(action)
        reference.play(action)
        assert_same(engine, reference)
    assert engine.scores() == reference.scores()
    return engine


@given(random_deals())
def test_rounds_of_any_rules_agree_with_the_reference(drawn):
    deal, rng = drawn
    play_out(deal, rng)


@pytest.mark.parametrize(("players", "cards"), SHAPES)
def test_every_shape_and_trump_agrees_with_the_reference(players, cards):
    rng = random.Random(100 * players + cards)
    for place, trump in enumerate(TRUMPS):
        dealer = (place + cards) % players
        done = play_out(random_deal(rng, players=players, cards=cards, trump=trump, dealer=dealer), rng)
        assert sum(done.tricks_won) == cards
        assert sum(done.bids) != cards, "the hook keeps bids and tricks apart"


def test_all_52_cards_can_be_dealt():
    engine = bz.Round(players=4, cards=13, trump="H", dealer=1, seed=3)
    assert sorted((card for seat in range(4) for card in engine.hand(seat)), key=card_index) == PACK


def test_a_deal_depends_on_its_seed_alone():
    def hands(seed, dealer=0):
        engine = bz.Round(players=5, cards=6, trump="C", dealer=dealer, seed=seed)
        return [engine.hand(seat) for seat in range(5)]

    assert hands(11) == hands(11)
    assert hands(11) != hands(12)
    assert len({card for hand in hands(11) for card in hand}) == 30


def test_dealt_cards_are_uniform():
    """Each card is in seat 0's hand of 5 with probability 5/52; five standard deviations are allowed."""
    deals = 2000
    counts = np.zeros(52)
    for seed in range(deals):
        for card in bz.Round(players=3, cards=5, trump=None, dealer=0, seed=seed).hand(0):
            counts[bz.card_index(card)] += 1
    share = 5 / 52
    assert np.abs(counts - deals * share).max() < 5 * np.sqrt(deals * share * (1 - share))


ONE_CARD = (("AS",), ("KS",), ("2H",))


def after(deal, *actions):
    engine = deal.engine()
    for action in actions:
        engine.play(action)
    return engine


def test_one_card_is_led_by_the_seat_after_the_dealer_and_highest_trump_wins():
    engine = after(Deal(ONE_CARD, "H", 2), 1, 0, 1)
    assert [engine.to_play, engine.phase] == [0, "playing"]
    for action in [card_index("AS"), card_index("KS"), card_index("2H")]:
        assert engine.legal_actions() == [action], "a single card is forced"
        engine.play(action)
    assert engine.tricks_won == [0, 0, 1]
    assert engine.scores() == [0, 10, 11]
    assert engine.to_play is None


def test_without_trump_only_the_suit_led_can_win():
    engine = after(Deal(ONE_CARD, None, 0), 1, 0, 1, *map(card_index, ["KS", "2H", "AS"]))
    assert engine.tricks_won == [1, 0, 0]
    engine = after(Deal(ONE_CARD, None, 1), 1, 0, 1, *map(card_index, ["2H", "AS", "KS"]))
    assert engine.tricks_won == [0, 0, 1]


@pytest.mark.parametrize(
    ("first", "second", "legal"),
    [
        (0, 0, [0]),  # A bid of 1 would make the bids sum to the one card.
        (0, 1, [1]),
        (1, 0, [1]),
        (1, 1, [0, 1]),  # The bids are past the cards already: nothing is forbidden.
    ],
)
def test_the_hook_binds_the_dealer_where_it_can(first, second, legal):
    engine = after(Deal(ONE_CARD, "S", 0), first, second)
    assert engine.to_play == 0
    assert engine.legal_actions() == legal
    assert after(Deal(ONE_CARD, "S", 0, hook=False), first, second).legal_actions() == [0, 1]


def test_a_copy_goes_its_own_way():
    engine = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=7)
    twin = engine.copy()
    twin.play(2)
    assert engine.bids == [None] * 4
    assert twin.bids == [2, None, None, None]


def test_points_for_every_trick():
    deal = Deal((("AS", "KS"), ("2S", "3S"), ("4S", "5S")), None, 2, scoring="exact_plus_tricks")
    engine = after(deal, 1, 0, 2, *map(card_index, ["AS", "2S", "4S", "KS", "3S", "5S"]))
    assert engine.tricks_won == [2, 0, 0]
    assert engine.scores() == [2, 10, 0]


def test_the_turned_up_card_is_in_no_hand_and_makes_trump():
    for seed in range(20):
        rules = bz.RoundRules(turn_up=True)
        engine = bz.Round(players=4, cards=12, trump=None, dealer=0, seed=seed, rules=rules)
        turned_up = engine.turned_up
        # It is out of play, so in the encoding it is the lowest of its suit, and trump is the first suit.
        assert np.flatnonzero(engine.observe(0).encode()[52:104]).tolist() == [bz.card_index("2S")]
        assert all(turned_up not in engine.hand(seat) for seat in range(4))
        assert engine.trump == turned_up[1]


def test_card_text_and_index_are_inverse():
    assert [bz.card_text(index) for index in range(52)] == PACK
    assert [bz.card_index(card) for card in PACK] == list(range(52))
    assert bz.card_index("AS") == 12
