"""An evaluator's policy as an agent, without search."""

import numpy as np
import pytest
from support.evaluators import hashing

import blob_zero as bz
from blob_zero import _core
from blob_zero.errors import ConfigError, EvaluatorError


def match(agent, other, **changes):
    return bz.play_match(agent, other, **({"players": 3, "cards": 3, "deals": 30, "seed": 4} | changes))


def test_it_plays_the_likeliest_legal_action():
    def lowest(features, legal):
        policy = legal * np.linspace(1, 0.1, 52, dtype=np.float32)
        return policy, np.zeros((len(features), 8), np.float32)

    played = match(bz.Agent.policy(lowest), bz.Agent.random())
    # Seat r of rotation r bids the lowest legal bid: 0, unless the hook forbids it to the dealer.
    own = played.bids[:, range(3), range(3)]
    assert set(np.unique(own)) <= {0, 1}
    assert (own == 0).mean() > 0.8


def test_the_same_on_any_number_of_threads_and_rows():
    results = [
        match(bz.Agent.policy(hashing()), bz.Agent.rule(), threads=threads, batch_rows=rows).points
        for threads, rows in [(1, 1), (2, 16), (8, 64)]
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_two_policies_share_an_evaluator():
    evaluator = hashing()
    same = match(bz.Agent.policy(evaluator), bz.Agent.policy(evaluator))
    # One agent in every seat: the rotations of a deal are the same round.
    np.testing.assert_array_equal(same.points[:, 0], same.points[:, 1])


def test_it_meets_a_search_with_the_same_evaluator():
    evaluator = hashing()
    played = match(bz.Agent.policy(evaluator), bz.Agent.network(evaluator, worlds=2, simulations=4))
    assert played.points.shape == (30, 3, 3)


def test_a_policy_without_mass_is_refused():
    def nothing(features, legal):
        return np.zeros(legal.shape, np.float32), np.zeros((len(features), 8), np.float32)

    with pytest.raises(EvaluatorError, match="nothing on a legal action"):
        match(bz.Agent.policy(nothing), bz.Agent.rule())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"temperature": -1.0}, "temperature is -1"),
        ({"random_share": 1.5}, "random_share is 1.5"),
        ({"random_share": float("nan")}, "random_share is NaN"),
    ],
)
def test_exploration_out_of_range_is_refused(arguments, words):
    with pytest.raises(ConfigError, match=words):
        _core.AgentSpec.policy(0, **arguments)
    with pytest.raises(ConfigError, match="model is 64"):
        _core.AgentSpec.policy(64)
