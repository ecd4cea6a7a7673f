import json

import numpy as np
import pytest

from blob_zero.arena.ratings import ANCHOR, PRIOR_SIGMA, Ratings, _spread


def odds(difference):
    """The share of deals that Elo's scale gives the stronger player."""
    return 1 / (1 + 10 ** (-difference / 400))


def simulated(strengths, *, deals, seed=0, pairs=None):
    """Matches whose results follow from known strengths."""
    rng = np.random.default_rng(seed)
    ratings = Ratings()
    names = list(strengths)
    for first, second in pairs or [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]:
        won = int(rng.binomial(deals, odds(strengths[first] - strengths[second])))
        ratings.add_match(first, second, won=won, tied=0, lost=deals - won)
    return ratings


def test_strengths_that_are_known_are_found_within_their_sigmas():
    strengths = {ANCHOR: 0.0, "a": 100.0, "b": 250.0, "c": -200.0}
    errors = []
    for seed in range(10):
        ratings = simulated(strengths, deals=400, seed=seed)
        errors += [
            (ratings.get(name).mean - strength) / ratings.get(name).sigma
            for name, strength in strengths.items()
            if name != ANCHOR
        ]
        assert all(ratings.get(name).sigma < 20 for name in strengths)
    # Standard normal, were the model exact: 30 numbers, of which one in 10,000 or so is beyond 4.
    assert max(map(abs, errors)) < 4
    assert abs(np.mean(errors)) < 1


def test_a_player_is_rated_through_others_that_it_has_not_met():
    chain = {ANCHOR: 0.0, "a": 150.0, "b": 300.0}
    ratings = simulated(chain, deals=1000, pairs=[(ANCHOR, "a"), ("a", "b")])
    assert ratings.get("b").mean == pytest.approx(300, abs=60)
    assert ratings.get("b").sigma > ratings.get("a").sigma


def test_the_anchor_stays():
    ratings = simulated({ANCHOR: 0.0, "a": 300.0}, deals=50)
    assert ratings.get(ANCHOR).mean == 0
    assert ratings.get("a").mean > 100


def test_ties_bring_players_together():
    ratings = Ratings()
    ratings.add_match("a", "b", won=30, tied=0, lost=0)
    apart = ratings.get("a").mean - ratings.get("b").mean
    ratings.add_match("a", "b", won=0, tied=30, lost=0)
    assert 0 < ratings.get("a").mean - ratings.get("b").mean < apart


def test_ratings_survive_as_json_to_the_last_bit():
    once = simulated({"a": 0.0, "b": 77.0, "c": 12.0}, deals=37)
    again = Ratings.from_state(json.loads(json.dumps(once.state())))
    for ratings in (once, again):
        ratings.add_match("a", "c", won=5, tied=2, lost=3)
    assert again.state() == once.state()


def test_a_network_begins_where_its_predecessor_stood_with_all_doubt():
    ratings = simulated({ANCHOR: 0.0, "old": 200.0}, deals=300)
    ratings.begin_at("new", "old")
    assert ratings.get("new") == (ratings.get("old").mean, PRIOR_SIGMA)
    ratings.begin_at("old", "new")  # has been rated: stays
    assert ratings.get("old").sigma < PRIOR_SIGMA
    ratings.begin_at("other", "nobody")
    assert ratings.get("other") is None


def test_a_match_with_oneself_says_nothing():
    ratings = Ratings()
    ratings.add_match("a", "a", won=5, tied=0, lost=5)
    assert list(ratings) == []


def test_outcomes_are_mixed_evenly():
    outcomes = list(_spread(won=60, tied=20, lost=20))
    assert [outcomes.count(outcome) for outcome in (1, 0, -1)] == [60, 20, 20]
    halves = outcomes[:50], outcomes[50:]
    assert all(abs(half.count(1) - 30) <= 1 and abs(half.count(0) - 10) <= 1 for half in halves)
