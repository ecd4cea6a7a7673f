"""The look-ahead: the same choices in a match and outside, and settings that are checked."""

import numpy as np
import pytest

import blob_zero as bz
from blob_zero import _core
from blob_zero.arena.choose import choose
from blob_zero.errors import ConfigError
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeShape


def hashed(features, legal):
    """A policy and values that follow from the position alone."""
    weights = (np.abs(np.sin(features @ np.arange(1, 257) + np.arange(52)[:, None]).T) + 0.1) * legal
    values = np.sin(features @ np.arange(257, 1, -1))[:, None] * np.ones(8)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), values.astype(np.float32)


def positions(count=12):
    found = []
    for seed in range(count):
        position = bz.Round(players=3 + seed % 4, cards=1 + seed % 5, trump="H", dealer=0, seed=seed)
        for _ in range(seed % 7):
            if position.to_play is not None:
                position.play(position.legal_actions()[0])
        if position.to_play is not None:
            found.append(position.observe(position.to_play))
    return found


def test_a_choice_does_not_depend_on_the_positions_beside_it():
    agent = bz.Agent.look_ahead(hashed, worlds=7)
    observations = positions()
    together = choose(agent, observations, range(len(observations)))
    alone = [choose(agent, [one], [seed])[0] for seed, one in enumerate(observations)]
    assert together == alone
    assert all(action in one.legal_actions() for action, one in zip(together, observations, strict=True))


def test_threads_and_batches_change_no_result_of_a_match():
    agent = bz.Agent.look_ahead(hashed, worlds=5)
    results = [
        bz.play_match(
            agent, bz.Agent.rule(), players=4, cards=3, deals=6, seed=2, threads=threads, batch_rows=rows
        ).points
        for threads, rows in ((1, 16), (2, 100), (2, 1024))
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_what_comes_of_an_action_in_the_worlds_is_followed():
    def even(features, legal):
        return legal / legal.sum(axis=1, keepdims=True).astype(np.float32), np.zeros((len(features), 8), np.float32)

    # The last to play to the first of two tricks needs both, and holds its only winner.
    position = bz.Round(players=3, cards=2, trump="C", dealer=2, hands=[["KS", "3D"], ["2S", "4H"], ["AS", "7S"]])
    for bid in (1, 0, 2):
        position.play(bid)
    for card in ("KS", "2S"):
        position.play(bz.card_index(card))
    agent = bz.Agent.look_ahead(even, worlds=20, own_share=0.0)
    assert choose(agent, [position.observe(2)], [1]) == [bz.card_index("AS")]


def counts_its_trumps(features, legal):
    """Bids as many tricks as it holds trumps, and plays at random."""
    policy = legal.astype(np.float64)
    bidding = features[:, 225] > 0
    trumps = features[:, :13].sum(axis=1).astype(int)
    policy[bidding] *= 1e-3
    rows = np.flatnonzero(bidding)
    policy[rows, trumps[rows]] += legal[rows, trumps[rows]]
    values = np.zeros((len(features), 8), np.float32)
    return (policy / policy.sum(axis=1, keepdims=True)).astype(np.float32), values


def value_of_bidding(root, belief):
    """The value of the first bid, what it cost, and how many different worlds it was tried in."""
    ((_, values, evaluations, effective),) = _core.look_ahead(
        [root], counts_its_trumps, seeds=[1], worlds=100, own_share=0.0, policy_temperature=0.1, belief=belief
    )
    return values[0][1], evaluations, effective


def test_worlds_are_drawn_by_what_the_others_did():
    position = bz.Round(players=3, cards=2, trump="S", dealer=0, hands=[["5S", "2H"], ["AS", "KS"], ["2C", "4D"]])
    position.play(2)
    position.play(0)
    believed, with_past, some = value_of_bidding(position.observe(), 1.0)
    uniform, without, every = value_of_bidding(position.observe(), 0.0)
    # Seat 1 holds trumps alone and leads one, most often above the five; else a trump as a rule wins a trick.
    assert believed < -0.2
    assert uniform > 0
    assert with_past > without
    # Seat 1 has any two of twelve trumps and seat 2 any two cards, so worlds are hardly ever the same.
    assert 90 < some <= 100
    assert every == 100
    # The same position without its past is judged as if nothing was known.
    (world,) = position.observe().sample_rounds(1, seed=3)
    unknown, *_ = value_of_bidding(world.observe(position.to_play), 1.0)
    assert unknown > 0


def test_settings_out_of_range_are_named():
    with pytest.raises(ConfigError, match=r"belief is 1\.5"):
        bz.LookAhead(belief=1.5)
    with pytest.raises(ConfigError, match="worlds is 0"):
        bz.LookAhead(worlds=0)
    with pytest.raises(ConfigError, match=r"own_share is 2"):
        bz.LookAhead(own_share=2.0)
    with pytest.raises(ConfigError, match="needs a network"):
        bz.LookAhead().spec("uniform")


def test_a_player_looks_ahead_by_default_and_need_not():
    net = seeded_network(OutcomeShape(width=16, layers=1), seed=1)
    assert bz.Player(net).search == bz.LookAhead()
    assert bz.Player(net, search=None).search is None
    player = bz.Player(net, search=bz.LookAhead(worlds=3), seed=4)
    observations = positions(5)
    assert player.choose_many(observations) == [player.choose(one) for one in observations]
