"""The optimizer against PyTorch's own class, and what it is spared of."""

import copy
import subprocess
import sys

import torch
from torch import nn

from blob_zero.config.load import parse_config, to_toml
from blob_zero.config.schema import TrainingConfig
from blob_zero.learning.optimizer import ensure_moments, make_optimizer, set_rates


def test_steps_are_those_of_pytorchs_class_to_the_bit():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(33, 65), nn.ReLU(), nn.Linear(65, 7))
    other = copy.deepcopy(net)
    mine = make_optimizer(net, TrainingConfig(weight_decay=0.3))
    groups = [
        {"params": [p for p in other.parameters() if p.ndim > 1], "weight_decay": 0.3},
        {"params": [p for p in other.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, fused=True)
    ensure_moments(mine)
    for step in range(20):
        rate, rows = 1e-2 / (step + 1), torch.randn(9, 33)
        set_rates(mine, rate)
        for group in theirs.param_groups:
            group["lr"] = rate
        for model, optimizer in ((net, mine), (other, theirs)):
            model.zero_grad()
            model(rows).square().mean().backward()
            optimizer.found_inf = torch.tensor(float(step % 5 == 3))
            optimizer.step()
        assert all(map(torch.equal, net.parameters(), other.parameters()))
    for parameter, same in zip(net.parameters(), other.parameters(), strict=True):
        for name in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(mine.state[parameter][name], theirs.state[same][name])


def test_a_gradient_that_has_become_0_leaves_no_subnormal_moment():
    net = nn.Linear(4, 4)
    other = copy.deepcopy(net)
    mine = make_optimizer(net, TrainingConfig(weight_decay=0.0))
    theirs = torch.optim.AdamW(other.parameters(), weight_decay=0.0, fused=True)
    ensure_moments(mine)
    set_rates(mine, 1e-3)
    for step in range(1200):
        for model, optimizer in ((net, mine), (other, theirs)):
            model.weight.grad = torch.full((4, 4), float(step == 0))
            # Its square, a thousandth of it a step, is below the least normal number at once.
            model.bias.grad = torch.full((4,), 1e-18 if step == 0 else 0.0)
            optimizer.step()
    assert all(map(torch.equal, net.parameters(), other.parameters()))
    for parameter, same in zip(net.parameters(), other.parameters(), strict=True):
        for name in ("exp_avg", "exp_avg_sq"):
            moment, flushed = theirs.state[same][name], mine.state[parameter][name]
            subnormal = (moment > 0) & (moment < torch.finfo(torch.float32).tiny)
            assert torch.equal(flushed, moment.masked_fill(subnormal, 0.0))
            assert subnormal.all() == (name == "exp_avg" or parameter is net.bias)


def test_a_network_without_vectors_is_trained():
    net = nn.Linear(4, 4, bias=False)
    before = net.weight.detach().clone()
    optimizer = make_optimizer(net, TrainingConfig())
    ensure_moments(optimizer)
    net(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    assert not torch.equal(net.weight, before)


def test_a_run_on_a_cpu_never_waits_for_the_import_of_pytorchs_compiler(tmp_path):
    settings = {
        "run": {"iterations": 1, "torch_threads": 1},
        "game": {"shapes": [{"players": [3], "cards": [2]}], "players": 3, "cards": 2},
        "selfplay": {"agent": "policy", "rounds": 4},
        "network": {"kind": "outcome", "width": 16, "layers": 1},
        "evaluation": {"every": 1, "deals": 2, "final_deals": 2, "opponents": ["random"]},
    }
    path = tmp_path / "config.toml"
    path.write_text(to_toml(parse_config(settings, source="test")))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['torch._dynamo'] = None;"  # an import of it fails
            "from blob_zero.cli.main import main; main()",
            *("train", "--config", str(path), "--run-dir", str(tmp_path / "run"), "--device", "cpu"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
