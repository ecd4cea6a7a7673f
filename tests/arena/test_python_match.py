"""Agents that are Python functions: the same rounds as the core plays, and clear errors."""

import numpy as np
import pytest
from support.evaluators import hashing

import blob_zero as bz
from blob_zero.arena.agent import Agent
from blob_zero.arena.choose import choose
from blob_zero.arena.match import play_in_field
from blob_zero.inference.evaluator import BatchEvaluator


def rule(observation, _):
    return bz.rule_action(observation)


def same(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("points", "bids", "tricks", "trumps")
    )


@pytest.mark.parametrize(
    "settings", [{}, {"result_share": 0.5}, {"first_deal": 7}, {"rules": bz.RoundRules(turn_up=True)}]
)
def test_a_function_plays_the_rounds_that_the_core_plays(settings):
    plan = {"players": 3, "cards": 4, "deals": 5, "seed": 2, **settings}
    expected = bz.play_match(Agent.rule(), Agent.rule(), **plan)
    found = bz.play_match(Agent.of_function(rule), Agent.rule(), **plan)
    assert same(found, expected)
    assert (found.stats.rounds, found.stats.decisions) == (expected.stats.rounds, expected.stats.decisions)


def test_a_field_compares_a_function_on_the_same_deals():
    plan = {"players": 4, "cards": 3, "deals": 6, "seed": 3}
    assert same(
        play_in_field(Agent.of_function(rule), Agent.rule(), **plan), play_in_field(Agent.rule(), Agent.rule(), **plan)
    )
    assert same(play_in_field(None, Agent.of_function(rule), **plan), play_in_field(None, Agent.rule(), **plan))


def test_a_function_has_randomness_of_its_own_decision():
    def any_action(observation, rng):
        return rng.choice(observation.legal_actions())

    plan = {"players": 3, "cards": 5, "deals": 20}
    first = bz.play_match(Agent.of_function(any_action), Agent.random(), **plan, seed=1)
    assert same(first, bz.play_match(Agent.of_function(any_action), Agent.random(), **plan, seed=1))
    assert not same(first, bz.play_match(Agent.of_function(any_action), Agent.random(), **plan, seed=2))


class Bytes:
    """An evaluator of whole buffers alone."""

    def evaluate_batch(self, features, legal):
        return hashing()(features * bz.feature_scale(), legal)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (Agent.policy(hashing()), Agent.policy(Bytes())),
        (Agent.network(hashing(), worlds=1, simulations=8), Agent.network(Bytes(), worlds=1, simulations=8)),
    ],
)
def test_evaluators_of_both_forms_choose_alike(agent, expected):
    assert isinstance(expected.evaluator, BatchEvaluator)
    observations = [bz.Round(players=4, cards=5, trump="H", seed=seed).observe() for seed in range(10)]
    assert choose(agent, observations, range(10)) == choose(expected, observations, range(10))


@pytest.mark.parametrize(
    "agent",
    [
        Agent.rule(),
        Agent.ismcts(60),
        Agent.flat(5),
        Agent.rollout(worlds=3, simulations=40),
    ],
)
def test_agents_outside_of_the_core_are_as_strong_as_in_it(agent):
    """Both are far above random play, which makes about 2.5 points a round less than the rule bot."""
    outside = Agent.of_function(lambda observation, rng: choose(agent, [observation], [int(rng.integers(2**63))])[0])
    plan = {"players": 3, "cards": 4, "deals": 30, "seed": 5}
    points = [bz.play_match(one, Agent.random(), **plan).points for one in (agent, outside)]
    means = [np.einsum("drr->dr", each).mean() for each in points]
    assert abs(means[0] - means[1]) < 2
    assert min(means) > np.mean(points) + 0.5


def test_what_a_function_may_not_do_is_said():
    cheating = Agent.of_function(lambda _observation, _rng: 51)
    with pytest.raises(bz.IllegalActionError, match="chose 51 for <Observation of seat"):
        bz.play_match(cheating, Agent.rule(), players=3, cards=2, deals=2, seed=0)
    with pytest.raises(ZeroDivisionError):
        bz.play_match(Agent.of_function(lambda *_: 1 // 0), Agent.rule(), players=3, cards=2, deals=2, seed=0)
    done = bz.Round(players=3, cards=2, seed=0)
    with pytest.raises(bz.ConfigError, match="not to play"):
        choose(Agent.rule(), [done.observe((done.to_play + 1) % 3)], [0])


def test_sampled_rounds_are_the_sampled_worlds():
    round_ = bz.Round(players=4, cards=5, trump="S", seed=7)
    for action in (1, 0, 2):
        round_.play(action)
    observation = round_.observe()
    worlds = observation.sample_worlds(5, seed=3)
    for world, sampled in zip(worlds, observation.sample_rounds(5, seed=3), strict=True):
        assert [sum(1 << bz.card_index(card) for card in sampled.hand(seat)) for seat in range(4)] == world.tolist()
        assert sampled.observe() == observation
    with pytest.raises(bz.ConfigError, match="count is 0"):
        observation.sample_rounds(0)
