"""The judge by playouts counts what the rule bot's playouts end in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blob_zero as bz
from blob_zero.analysis import PlayoutJudge


@st.composite
def decisions(draw):
    players = draw(st.integers(3, 8))
    cards = draw(st.integers(1, min(8, 52 // players)))
    seed = draw(st.integers(0, 2**32))
    round_ = bz.Round(players=players, cards=cards, trump=draw(st.sampled_from(["S", None])), seed=seed)
    for _ in range(draw(st.integers(0, players * (cards + 1) - 1))):
        round_.play(draw(st.sampled_from(round_.legal_actions())))
    return round_


@given(decisions(), st.integers(1, 40))
def test_distributions_agree_with_each_other(round_, worlds):
    (found,) = PlayoutJudge(worlds).judge([round_.observe()])
    assert list(found.actions) == round_.legal_actions()
    np.testing.assert_allclose(found.tricks.sum(axis=1), 1)
    np.testing.assert_allclose(found.policy.sum(), 1)
    own_bid = round_.bids[round_.to_play]
    for row, action in enumerate(found.actions):
        bid = action if own_bid is None else own_bid
        assert found.make[row] == found.tricks[row, bid]
        assert found.points[row] == pytest.approx((10 + bid) * found.make[row])
        assert found.seat_points[row, round_.to_play] == found.points[row]


def test_an_action_is_played_out_as_the_rule_bot_would_play_it():
    # One card each, and whoever is last knows nothing that matters: AS wins wherever the others' cards lie.
    round_ = bz.Round(players=3, trump="S", dealer=2, hands=[["AS"], ["2H"], ["3H"]])
    (found,) = PlayoutJudge(50).judge([round_.observe()])
    assert found.points.tolist() == [0, 11]
    assert found.make.tolist() == [0, 1]
    assert found.tricks[1, :2].tolist() == [0, 1]


def test_a_judgement_depends_on_its_observation_alone():
    rounds = [bz.Round(players=4, cards=5, trump="H", seed=seed).observe() for seed in range(30)]
    judge = PlayoutJudge(20)
    together, alone = judge.judge(rounds), [judge.judge([one])[0] for one in rounds]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a.tricks, b.tricks)
        np.testing.assert_array_equal(a.seat_points, b.seat_points)


def test_ismcts_finds_the_winning_bid():
    round_ = bz.Round(players=3, trump="S", dealer=2, hands=[["AS"], ["2H"], ["3H"]])
    result = bz._core.ismcts(round_.observe(), simulations=200, seed=1)
    assert result.visits.argmax() == 1
    assert result.visits.sum() == 200


def test_wrong_sizes_are_refused():
    round_ = bz.Round(players=3, cards=2, seed=1)
    with pytest.raises(bz.ConfigError, match="worlds is 0"):
        bz._core.action_playouts([round_.observe()], seeds=[1], worlds=0)
    with pytest.raises(bz.ConfigError, match="seat 0, which is not to play"):
        bz._core.action_playouts([round_.observe(0)], seeds=[1], worlds=3)
    with pytest.raises(bz.ConfigError, match="2 seeds for 1 observations"):
        bz._core.action_playouts([round_.observe()], seeds=[1, 2], worlds=3)
    with pytest.raises(bz.ConfigError, match="simulations is 0"):
        bz._core.ismcts(round_.observe(), simulations=0, seed=1)
    with pytest.raises(bz.ConfigError, match="70000 worlds"):
        PlayoutJudge(70_000)
