"""Networks of your own: trained, continued, found again by their name, and refused where they cannot be used."""

import sys

import pytest
import torch
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config

import blob_zero as bz
from blob_zero.analysis.judges import read_judge
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train
from blob_zero.model.networks import build_network, configured_shape

OUTCOME = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Linear(256, width)
        self.norm = nn.BatchNorm1d(width)  # has buffers
        self.heads = nn.Linear(width, 52 + 8 + 52 + 14 + 52 + 112)

    def forward(self, features):
        outputs = self.heads(self.norm(self.body(features))).split([52, 8, 52, 14, 52, 112], 1)
        policy, values, make, missed, lean, tricks = outputs
        return policy, torch.tanh(values), make, missed, lean, tricks.unflatten(1, (8, 14))

class Picky(Own):
    def __init__(self, colour):
        super().__init__()

class Broken(Own):
    def forward(self, features):
        return self.body(features[:, :10])

function = print
"""

BLOBNET = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.Linear(256, 60)

    def forward(self, features):
        logits, values = self.heads(features).split([52, 8], 1)
        return logits, torch.tanh(values)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules in the working folder."""
    (tmp_path / "own_outcome.py").write_text(OUTCOME)
    (tmp_path / "own_blobnet.py").write_text(BLOBNET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("own_outcome", "own_blobnet"):
        sys.modules.pop(name, None)


class StopsAfterOne(SilentDisplay):
    def iteration_started(self, iteration, iterations):
        if iteration == iterations:
            raise KeyboardInterrupt


def outcome_config(name="own_outcome:Own", **run):
    return small_config(
        run={"iterations": 2, **run},
        selfplay={"agent": "policy", "rounds": 30},
        network={"kind": "outcome", "width": 16, "own": name},
        training={"epochs": 1},
        game={"players": 3, "cards": 2},
    )


def run_of(config, folder):
    train(config, folder, display=SilentDisplay(), device="cpu", judge=FakeJudge())
    return bz.load_network(folder)


def test_a_network_of_outcomes_is_trained_and_found_again(modules):
    config = outcome_config()
    net = run_of(config, modules / "run")
    assert fingerprint(net) != fingerprint(build_network(configured_shape(config)))
    assert net.own.body.out_features == 16
    inference = Inference(net, dtype="fp32")
    round_ = bz.Round(players=3, cards=2, trump="S", seed=1)
    match = bz.play_match(bz.Agent.policy(inference), bz.Agent.rule(), players=3, cards=2, deals=3, seed=0)
    assert match.points.shape == (3, 3, 3)
    chosen = bz.Player(modules / "run", search=None).choose(round_.observe())
    (judged,) = read_judge(str(modules / "run")).judge([round_.observe()])
    assert chosen == judged.actions[int(judged.policy.argmax())]


def test_a_stopped_run_goes_on_to_the_same_bytes(modules):
    whole = run_of(outcome_config(), modules / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(outcome_config(), modules / "stopped", display=StopsAfterOne(), device="cpu", judge=FakeJudge())
    continued = run_of(outcome_config(), modules / "stopped")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, continued.state_dict()[name]), name


def test_a_network_of_policies_and_values_learns_from_searches(modules):
    config = small_config(network={"kind": "blobnet", "own": "own_blobnet:Own"})
    folder = modules / "run"
    train(config, folder, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    round_ = bz.Round(players=3, cards=2, trump="S", seed=1)
    found = bz.search(round_, Inference(bz.load_network(folder)), worlds=1, simulations=5)
    assert found.visits.sum() > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:Own", "No module named 'nowhere'.*should be a module in this folder"),
        ("own_outcome:Missing", "has no class 'Missing' of torch.nn.Module"),
        ("own_outcome:function", "has no class 'function' of torch.nn.Module"),
        ("own_outcome:Picky", "is refused: .*'colour'"),
        ("own_outcome:Broken", r"cannot compute features \[2, 256\]"),
        (
            "own_blobnet:Own",
            r"returns \[\[2, 52\], \[2, 8\]\] for 2 rows; should be the tuple policy \[2, 52\], val",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_run_begins(modules, name, message):
    with pytest.raises(bz.ConfigError, match=message):
        run_of(outcome_config(name), modules / "run")
    assert not (modules / "run").exists()


def test_a_name_without_a_class_is_no_setting():
    with pytest.raises(bz.ConfigError, match=r"network\.own"):
        outcome_config("own_outcome")


def test_a_run_whose_class_is_gone_says_so(modules):
    run_of(outcome_config(iterations=1), modules / "run")
    (modules / "own_outcome.py").unlink()
    del sys.modules["own_outcome"]
    with pytest.raises(bz.CheckpointError, match="own_outcome should be a module in this folder, on PYTHONPATH"):
        bz.load_network(modules / "run")
