"""OutcomeNet: chances that belong together, and the same answers in every form that it is computed in."""

import numpy as np
import pytest
import torch

import blob_zero as bz
from blob_zero.errors import ConfigError
from blob_zero.inference.inference import Inference
from blob_zero.model.networks import copy_network, describe, seeded_network, shape_of
from blob_zero.model.outcome_net import (
    JUDGEMENT_TEMPERATURE,
    OutcomeNet,
    OutcomeShape,
    bids_of_actions,
    trick_chances,
)

SHAPE = OutcomeShape(width=24, layers=2)


def network(seed: int = 3) -> OutcomeNet:
    """Weights that make chances and tricks differ."""
    net = seeded_network(SHAPE, seed=seed)
    assert isinstance(net, OutcomeNet)
    with torch.no_grad():
        for head in (net.play, net.detail):
            head.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(seed))
            head.bias.zero_()
    return net


@pytest.fixture(scope="module")
def positions():
    """Features and legal actions of bids and cards of several sizes."""
    records = bz.SelfPlay(
        shapes=[(3, 4, 1.0), (5, 2, 1.0), (8, 6, 1.0)], rounds=12, worlds=1, simulations=2, threads=1
    ).run("uniform")
    return records.features, records.legal


def test_the_bid_of_an_action_is_the_action_or_the_one_that_was_made():
    rounds = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=1)
    bidding = torch.from_numpy(rounds.observe(rounds.to_play).encode_bytes()[None])
    assert bids_of_actions(bidding)[0, :6].tolist() == [0, 1, 2, 3, 4, 5]
    for bid in (2, 0, 1, 1):
        rounds.play(bid)
    playing = torch.from_numpy(rounds.observe(rounds.to_play).encode_bytes()[None])
    assert set(bids_of_actions(playing)[0].tolist()) == {2.0}


def test_tricks_are_a_distribution_with_the_chance_of_the_bid_in_it(positions):
    raw = torch.from_numpy(positions[0])
    with torch.no_grad():
        outcomes = network()(raw.float() * torch.from_numpy(bz.feature_scale()))
        chances = trick_chances(outcomes, raw)
    legal = torch.from_numpy(positions[1])
    torch.testing.assert_close(chances.sum(dim=2)[legal], torch.ones(int(legal.sum())))
    bids = bids_of_actions(raw).long().clamp(0, 13)
    at_bid = chances.gather(2, bids[:, :, None]).squeeze(2)
    torch.testing.assert_close(at_bid[legal], torch.sigmoid(outcomes.make)[legal])


@pytest.mark.parametrize(("dtype", "pack"), [("fp32", False), ("fp32", "auto"), ("bf16", "auto")])
def test_inference_answers_as_the_network_does(positions, dtype, pack):
    net, (features, legal) = network(), positions
    inference = Inference(net, dtype=dtype, pack=pack)
    policy, values = inference.evaluate_batch(features, legal)
    raw = torch.from_numpy(features)
    with torch.no_grad():
        outcomes = net(raw.float() * torch.from_numpy(bz.feature_scale()))
    logits = outcomes.policy.masked_fill(~torch.from_numpy(legal), -torch.inf)
    expected = torch.softmax(logits, dim=1).numpy()
    assert np.abs(policy - expected).max() < (1e-5 if dtype == "fp32" else 0.05)
    assert np.abs(values - outcomes.values.numpy()).max() < (1e-5 if dtype == "fp32" else 0.03)


def test_rows_are_judged_in_detail_as_far_as_asked_for(positions):
    net = network()
    features = torch.from_numpy(positions[0]).float() * torch.from_numpy(bz.feature_scale())
    with torch.no_grad():
        whole, part = net(features), net(features, detailed=5)
    assert len(part.missed) == len(part.tricks) == 5
    torch.testing.assert_close(part.make, whole.make)
    torch.testing.assert_close(part.policy, whole.policy)
    torch.testing.assert_close(part.tricks, whole.tricks[:5])


def test_a_policy_begins_with_the_points_of_made_bids(positions):
    net, raw = network(), torch.from_numpy(positions[0])
    features = raw.float() * torch.from_numpy(bz.feature_scale())
    with torch.no_grad():
        net.play.weight[:52] = 0
        outcomes = net(features)
    points = torch.sigmoid(outcomes.make) * (10 + bids_of_actions(raw))
    torch.testing.assert_close(outcomes.policy, points / JUDGEMENT_TEMPERATURE, atol=1e-4, rtol=1e-4)
    outcomes = net(features)
    outcomes.policy.sum().backward()
    assert not net.play.weight.grad[60:].any()  # the chances are no part of the policy's gradient
    assert net.play.weight.grad[:52].any()


def test_new_weights_are_those_of_a_new_evaluator(positions):
    inference = Inference(network(1))
    inference.load(network(2))
    for mine, other in zip(
        inference.evaluate_batch(*positions), Inference(network(2)).evaluate_batch(*positions), strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    with pytest.raises(ConfigError, match="cannot load"):
        inference.load(seeded_network(OutcomeShape(width=25, layers=2), seed=1))


def test_an_untrained_network_plays_nearly_at_random(positions):
    features, legal = positions
    policy, _ = Inference(seeded_network(SHAPE, seed=1), dtype="fp32").evaluate_batch(features, legal)
    shares = policy * legal.sum(axis=1, keepdims=True)
    assert shares.max() < 1.5
    assert shares[legal].min() > 0.6


def test_shapes_are_read_as_they_were_described():
    net = seeded_network(SHAPE, seed=1)
    assert shape_of(describe(SHAPE)) == SHAPE
    assert copy_network(net).shape == SHAPE
    with pytest.raises(ValueError, match="unknown kind"):
        shape_of({"kind": "oracle"})
    with pytest.raises(ConfigError, match="width = 0"):
        OutcomeNet(width=0)


def test_folding_is_no_part_of_it():
    """`inference.fold` says nothing here, so it does not keep the weights from being packed."""
    forms = {Inference(network(), fold=fold).form for fold in (True, False)}
    assert len(forms) == 1
