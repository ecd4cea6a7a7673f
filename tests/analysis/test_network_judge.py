"""A network as a judge: what it says of each action agrees with itself and with what can still happen."""

import json

import numpy as np
import pytest
import torch
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.analysis.engine import Engine
from blob_zero.analysis.judges import read_judge
from blob_zero.analysis.network import NetworkJudge
from blob_zero.config.load import parse_config
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train
from blob_zero.model.outcome_net import OutcomeNet


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(3)
    net = OutcomeNet(width=32, layers=2)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


@pytest.fixture(scope="module")
def judge(net):
    return NetworkJudge("test", net)


def decisions(**changes):
    round_ = bz.Round(**({"players": 4, "cards": 6, "trump": "H", "seed": 4, "dealer": 1} | changes))
    found = []
    while round_.phase != "done":
        found.append(round_.copy())
        round_.play(round_.legal_actions()[-1])
    return found


@pytest.mark.parametrize("scoring", ["exact", "exact_plus_tricks"])
def test_distributions_agree_with_each_other(judge, scoring):
    for round_ in decisions(rules=bz.RoundRules(scoring=scoring)):
        (found,) = judge.judge([round_.observe()])
        seat = round_.to_play
        assert list(found.actions) == round_.legal_actions()
        np.testing.assert_allclose(found.tricks.sum(axis=1), 1, atol=1e-6)
        assert found.policy.sum() == pytest.approx(1)
        won, left = round_.tricks_won[seat], len(round_.hand(seat))
        counts = np.arange(14)
        assert not found.tricks[:, (counts < won) | (counts > won + left)].any()
        for row, action in enumerate(found.actions):
            bid = action if round_.bids[seat] is None else round_.bids[seat]
            assert found.make[row] == found.tricks[row, bid]
            expected = (10 + bid) * found.make[row]
            if scoring == "exact_plus_tricks":
                expected = 10 * found.make[row] + found.tricks[row] @ counts
            assert found.points[row] == pytest.approx(expected, abs=1e-5)
        assert found.seat_points.shape == (len(found.actions), 4)
        np.testing.assert_array_equal(found.seat_points[:, seat], found.points)


def test_a_judgement_depends_on_its_observation_alone(judge):
    observations = [round_.observe() for round_ in decisions()] * 3
    for together, observation in zip(judge.judge(observations), observations, strict=True):
        (alone,) = judge.judge([observation])
        np.testing.assert_array_equal(together.tricks, alone.tricks)
        np.testing.assert_array_equal(together.seat_points, alone.seat_points)


def test_its_policy_is_the_one_that_the_network_plays(net, judge):
    inference = Inference(net, device="cpu", dtype="fp32")
    player = bz.Player(net, search=None)
    for round_ in decisions():
        observation = round_.observe()
        (found,) = judge.judge([observation])
        places = observation.encoded_actions()[round_.legal_actions()]
        legal = np.isin(np.arange(52), places)
        policy, _ = inference.evaluate_batch(observation.encode_bytes()[None], legal[None])
        np.testing.assert_allclose(found.policy, policy[0, places], atol=1e-5)
        ranked = np.sort(found.policy)[::-1]
        if len(ranked) == 1 or ranked[0] > 1.1 * ranked[1]:  # bfloat16 tells no smaller difference
            assert found.actions[int(found.policy.argmax())] == player.choose(observation)


def test_the_engine_takes_the_path_of_a_run(tmp_path):
    settings = {
        "run": {"iterations": 1},
        "network": {"kind": "outcome", "width": 16, "layers": 1},
        "selfplay": {"agent": "policy", "rounds": 10},
        "training": {"epochs": 1, "batch_size": 32, "replay_rows": 250, "precision": "fp32"},
        "promotion": {"enabled": False},
    }
    train(parse_config(settings, source="test"), tmp_path, display=SilentDisplay(), device="cpu", judge=FakeJudge())
    position = {"id": 1, "players": 4, "cards": 2, "trump": "S", "dealer": 3, "hand": ["AS", "KD"]}
    request = json.dumps({**position, "net": str(tmp_path), "search": "2x10"})
    (answer,) = Engine().answer([request])
    assert answer["net"] == str(tmp_path)
    assert sum(action["visits"] for action in answer["actions"]) == 20


def test_the_network_of_the_package_knows_the_ace_of_trumps():
    position = {"id": 1, "players": 4, "cards": 1, "trump": "S", "dealer": 3, "hand": ["AS"]}
    (answer,) = Engine().answer([json.dumps(position)])
    assert answer["net"] == "shipped"
    assert answer["actions"][0]["action"] == "1"
    assert answer["actions"][0]["make"] > 0.95


def test_other_networks_are_refused(tmp_path):
    train(small_config(), tmp_path, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    with pytest.raises(bz.ConfigError, match="is a BlobNet; only an OutcomeNet"):
        read_judge(str(tmp_path))
