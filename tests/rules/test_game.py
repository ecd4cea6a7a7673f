"""Whole games: schedule, trump order, dealer rotation, totals, and the context in the encoding."""

import itertools
import random

import pytest
from support.feature_table import decode, facts
from support.reference_rules import ReferenceRound

import blob_zero as bz


def choose(engine, step):
    legal = engine.legal_actions()
    return legal[(7 * step + 3) % len(legal)]


def play_game(game):
    """Plays to the end; gives (round before its first bid, round when done, totals then) for each."""
    rounds = []
    step = 0
    while not game.done:
        opening = game.round.copy()
        current = opening.copy()
        while current.phase != "done":
            action = choose(current, step)
            step += 1
            current.play(action)
            game.play(action)
        rounds.append((opening, current, list(game.totals)))
    return rounds


@pytest.mark.parametrize(
    ("players", "cards", "schedule"),
    [
        (5, 7, [7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7]),
        (3, 2, [2, 1, 1, 1, 2]),
        (4, 1, [1, 1, 1, 1]),
        (8, 6, [6, 5, 4, 3, 2, *[1] * 8, 2, 3, 4, 5, 6]),
        (4, 13, [*range(13, 1, -1), *[1] * 4, *range(2, 14)]),
    ],
)
def test_the_schedule_goes_down_and_up_again(players, cards, schedule):
    assert bz.Game(players=players, cards=cards, seed=1).schedule == schedule


@pytest.mark.parametrize(("players", "cards"), [(3, 3), (5, 7), (8, 2)])
def test_a_whole_game(players, cards):
    game = bz.Game(players=players, cards=cards, seed=2)
    assert game.totals == [0] * players
    rounds = play_game(game)

    assert [opening.cards for opening, _, _ in rounds] == game.schedule
    trumps = itertools.islice(itertools.cycle(["S", "H", "C", "D", None]), len(rounds))
    assert [opening.trump for opening, _, _ in rounds] == list(trumps)
    first = rounds[0][0].dealer
    assert [opening.dealer for opening, _, _ in rounds] == [(first + place) % players for place in range(len(rounds))]

    totals = [0] * players
    for _, done, after in rounds:
        totals = [total + score for total, score in zip(totals, done.scores(), strict=True)]
        assert after == totals
    assert max(totals) > 0


def test_the_encoding_knows_the_standing_of_the_game():
    game = bz.Game(players=4, cards=4, seed=6)
    rounds = play_game(game)
    before = [[0] * 4, *[totals for _, _, totals in rounds]]
    for place, (opening, _, _) in enumerate(rounds):
        hands = [opening.hand(seat) for seat in range(4)]
        reference = ReferenceRound(hands=hands, trump=opening.trump, dealer=opening.dealer)
        for seat in range(4):
            expected = facts(reference, seat, before[place], rounds_left=len(rounds) - place - 1)
            assert decode(opening.observe(seat).encode()) == expected


def best_playout(engine, seat, rng, tries=60):
    """The actions of the random playout in which the seat gains most on the best of the others."""

    def playout():
        twin, actions = engine.copy(), []
        while twin.phase != "done":
            actions.append(rng.choice(twin.legal_actions()))
            twin.play(actions[-1])
        scores = twin.scores()
        return scores.pop(seat) - max(scores), actions

    return max((playout() for _ in range(tries)), key=lambda found: found[0])[1]


def test_points_ahead_saturate():
    game = bz.Game(players=3, cards=13, seed=3)
    rng = random.Random(3)
    lead = 0
    while not game.done:
        lead = game.totals[0] - game.totals[1]
        views = [decode(game.round.observe(seat).encode()) for seat in (0, 1)]
        assert views[0]["behind"][0] == views[1]["ahead"][1] == min(max(lead, 0), 255)
        assert views[0]["ahead"][0] == views[1]["behind"][1] == min(max(-lead, 0), 255)
        for action in best_playout(game.round, 0, rng):
            game.play(action)
    assert lead > 255, "the lead never reached saturation, so this test showed nothing"


def test_a_seed_fixes_the_game():
    games = [bz.Game(players=4, cards=3, seed=seed) for seed in (5, 5, 6)]
    deals = [[[opening.hand(seat) for seat in range(4)] for opening, _, _ in play_game(game)] for game in games]
    assert deals[0] == deals[1]
    assert deals[0] != deals[2]


def test_variants_hold_for_all_rounds():
    game = bz.Game(players=5, cards=3, seed=1, rules=bz.RoundRules(turn_up=True, hook=False))
    step = 0
    while not game.done:
        current = game.round
        assert current.trump in ["S", "H", "C", "D"]
        if current.phase == "bidding":
            assert current.legal_actions() == list(range(current.cards + 1)), "no hook forbids a bid"
        game.play(choose(current, step))
        step += 1
