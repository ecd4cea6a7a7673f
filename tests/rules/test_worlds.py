"""Sampled worlds: they keep all that the observer knows, and are uniform over the worlds that do."""

import math
import random
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from support.deals import hidden_cards, play_some, positions, random_deal
from support.reference_rules import PACK


def cards_of(bits):
    return {PACK[index] for index in range(64) if int(bits) >> index & 1}


def assert_keeps_what_the_observer_knows(world, reference, observer):
    hands = [cards_of(bits) for bits in world]
    assert hands[observer] == set(reference.hand(observer))
    seen = set(reference.gone())
    for seat, hand in enumerate(hands):
        assert len(hand) == len(reference.hand(seat))
        assert not hand & seen, "a card that is gone, or in two hands"
        assert not {card[1] for card in hand} & reference.voids(seat), "a suit that the seat has shown it lacks"
        seen |= hand


@given(positions())
def test_worlds_keep_what_every_seat_knows(position):
    deal, reference, _ = position
    engine = deal.engine_after(reference.history)
    for observer in range(reference.players):
        worlds = engine.observe(observer).sample_worlds(5, seed=1)
        assert worlds.dtype == np.uint64
        assert worlds.shape == (5, reference.players)
        for world in worlds:
            assert_keeps_what_the_observer_knows(world, reference, observer)


@given(positions())
def test_a_seed_fixes_the_worlds(position):
    deal, reference, _ = position
    observation = deal.engine_after(reference.history).observe()
    np.testing.assert_array_equal(observation.sample_worlds(4, seed=3), observation.sample_worlds(4, seed=3))


def test_seeds_differ():
    observation = random_deal(random.Random(0), players=4, cards=8).engine().observe()
    assert len({observation.sample_worlds(1, seed=seed).tobytes() for seed in range(50)}) == 50


def test_a_void_that_the_running_trick_shows_counts_at_once():
    """Seat 1 discards on spades; seat 2, next in the same trick, must know."""
    rng = random.Random(8)
    checked = 0
    while checked < 20:
        deal = random_deal(rng, players=4, cards=9, dealer=3)
        reference = play_some(rng, deal.reference(), 5)
        play_some(rng, reference, 1)
        (_, led), (discarder, discard) = reference.trick
        if led[1] == discard[1]:
            continue
        checked += 1
        worlds = deal.engine_after(reference.history).observe().sample_worlds(200, seed=checked)
        for world in worlds:
            assert led[1] not in {card[1] for card in cards_of(world[discarder])}


def all_worlds(reference, observer, most):
    """Every world consistent with what the observer knows, by enumeration; stops past `most` of them."""
    others = [seat for seat in range(reference.players) if seat != observer]
    space = {seat: len(reference.hand(seat)) for seat in others}
    voids = {seat: reference.voids(seat) for seat in others}
    hidden = hidden_cards(reference, observer)
    undealt = len(hidden) - sum(space.values())
    hands = {seat: [] for seat in others}
    found = []

    def place(index, undealt):
        if len(found) > most:
            return
        if index == len(hidden):
            found.append(tuple(frozenset(hands[seat]) for seat in others))
            return
        card = hidden[index]
        if undealt:
            place(index + 1, undealt - 1)
        for seat in others:
            if len(hands[seat]) < space[seat] and card[1] not in voids[seat]:
                hands[seat].append(card)
                place(index + 1, undealt)
                hands[seat].pop()

    place(0, undealt)
    return others, found


def chi_square_limit(degrees, error=1e-4):
    """What chi-square exceeds with probability `error`, by Wilson and Hilferty (1931)."""
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + NormalDist().inv_cdf(1 - error) * math.sqrt(spread)) ** 3


def test_the_chi_square_limit_is_that_of_the_tables():
    assert chi_square_limit(100, 0.001) == pytest.approx(149.449, rel=1e-3)
    assert chi_square_limit(10, 0.001) == pytest.approx(29.588, rel=1e-2)


def position_with(rng, players, cards, left, void_sets, worlds):
    """A position after random play, with a number of different void sets among the hidden hands."""
    while True:
        deal = random_deal(rng, players=players, cards=cards, trump=rng.choice("SHCD"), dealer=rng.randrange(players))
        reference = deal.reference()
        extra = rng.randrange(players)
        play_some(rng, reference, players + players * (cards - left) + extra)
        observer = reference.to_play
        shown = {
            frozenset(reference.voids(seat))
            for seat in range(players)
            if seat != observer and reference.hand(seat) and reference.voids(seat)
        }
        if len(shown) != void_sets:
            continue
        others, found = all_worlds(reference, observer, worlds[1])
        if worlds[0] <= len(found) <= worlds[1]:
            return deal, reference, observer, others, found


@pytest.mark.parametrize(
    ("players", "cards", "left", "void_sets", "worlds"),
    [
        pytest.param(3, 1, 1, 0, (2000, 3000), id="one card each, no void, 50 unseen"),
        pytest.param(4, 13, 3, 1, (20, 700), id="all dealt, one void set"),
        pytest.param(4, 13, 3, 2, (20, 700), id="all dealt, two void sets"),
        pytest.param(4, 13, 4, 3, (40, 900), id="all dealt, three void sets"),
        pytest.param(4, 12, 1, 1, (20, 300), id="four undealt, one void set"),
        pytest.param(4, 12, 2, 3, (20, 900), id="four undealt, three void sets"),
        pytest.param(5, 10, 2, 2, (40, 900), id="two undealt, two void sets"),
        pytest.param(7, 7, 1, 3, (20, 900), id="seven players, three undealt, three void sets"),
        pytest.param(3, 13, 1, 2, (20, 300), id="thirteen undealt, two void sets"),
    ],
)
def test_worlds_are_uniform(players, cards, left, void_sets, worlds):
    rng = random.Random(1000 * players + 10 * cards + void_sets)
    deal, reference, observer, others, found = position_with(rng, players, cards, left, void_sets, worlds)
    expected = 100 if len(found) < 1000 else 20
    drawn = deal.engine_after(reference.history).observe(observer).sample_worlds(expected * len(found), seed=17)
    count = dict.fromkeys(found, 0)
    bits, times = np.unique(drawn, axis=0, return_counts=True)
    for world, number in zip(bits, times, strict=True):
        count[tuple(frozenset(cards_of(world[seat])) for seat in others)] += int(number)
    statistic = sum((number - expected) ** 2 / expected for number in count.values())
    assert statistic < chi_square_limit(len(found) - 1)
    assert statistic > len(found) - 1 - 5 * math.sqrt(2 * len(found)), "draws that spread too evenly are not random"
