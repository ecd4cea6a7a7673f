"""Golden transcripts: rounds and a game that a person can read and no change can alter unnoticed."""

import random

import pytest
from support.deals import random_deal
from support.reference_rules import ReferenceRound
from support.transcripts import game_transcript, transcript

import blob_zero as bz

ROUNDS = {
    "four_players_five_cards": {"players": 4, "cards": 5, "trump": "S", "dealer": 3},
    "three_players_thirteen_cards_no_trump": {"players": 3, "cards": 13, "trump": None, "dealer": 1},
    "whole_pack": {"players": 4, "cards": 13, "trump": "H", "dealer": 0},
    "eight_players_one_card": {"players": 8, "cards": 1, "trump": "D", "dealer": 6},
    "no_hook": {"players": 5, "cards": 3, "trump": "C", "dealer": 2, "hook": False},
    "points_for_tricks": {
        "players": 6,
        "cards": 4,
        "trump": "H",
        "dealer": 5,
        "scoring": "exact_plus_tricks",
    },
    "turned_up_trump": {"players": 7, "cards": 2, "dealer": 4, "turn_up": True},
}


def deal_of(name):
    # Of the generator only random() is promised to stay the same between Python versions.
    rng = random.Random(sum(name.encode()))
    rng.shuffle = lambda pack: pack.sort(key=lambda _: rng.random())
    return random_deal(rng, **ROUNDS[name])


@pytest.mark.parametrize("name", ROUNDS)
def test_rounds(name, golden):
    deal = deal_of(name)
    told = transcript(deal.engine(), name)
    assert told == transcript(deal.reference(), name)
    golden(name, told)


def test_the_deals_of_seeds(golden):
    """Pins the generator too: a seed deals the same cards on every machine, for ever."""
    texts = []
    for seed in range(3):
        engine = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=seed)
        hands = [engine.hand(seat) for seat in range(4)]
        told = transcript(engine, f"seed {seed}")
        assert told == transcript(ReferenceRound(hands=hands, trump="S", dealer=3), f"seed {seed}")
        texts.append(told)
    golden("deals_of_seeds", "\n".join(texts))


def test_a_game(golden):
    golden("game_of_four_from_three_cards", game_transcript(bz.Game(players=4, cards=3, seed=1), "game"))
