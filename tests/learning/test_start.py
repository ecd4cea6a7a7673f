"""A run may begin with the weights of another."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from support.policy_rounds import played
from support.run_equality import assert_same_end
from support.stopping_worker import StoppingWorker
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config
from torch import nn
from typer.testing import CliRunner

from blob_zero.cli.main import app
from blob_zero.config.load import load_config, parse_config
from blob_zero.config.schema import TrainingConfig
from blob_zero.doctor import Request, examine
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.learner import Learner
from blob_zero.learning.loop import train
from blob_zero.learning.round_replay import RoundReplay
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeShape
from blob_zero.run.checkpoint import checkpoint_paths, load_checkpoint
from blob_zero.run.weights_file import lineage_of, load_network, write_weights


def run(folder, config=None, *, worker=None):
    train(
        config or small_config(),
        folder,
        display=SilentDisplay(),
        device="cpu",
        worker=worker or FakeWorker(),
        judge=FakeJudge(),
    )


def beginning_with(start, **sections):
    return small_config(**{"run": {"start": str(start), "seed": 6}, **sections})


@pytest.mark.parametrize("given", ["run", "run/checkpoints/000003", "net.safetensors"])
def test_it_begins_with_the_weights_and_knows_where_they_come_from(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "run")
    write_weights(tmp_path / "run", tmp_path / "net.safetensors")
    run(tmp_path / "next", beginning_with(given))
    assert fingerprint(load_network(tmp_path / "next/checkpoints/000000")) == fingerprint(
        load_network(tmp_path / given)
    )
    write_weights(tmp_path / "next", tmp_path / "next.safetensors")
    first = json.loads((tmp_path / "net.json").read_text())
    second = json.loads((tmp_path / "next.json").read_text())
    assert "start" not in first
    assert second["start"] == first
    assert second["config"]["run"]["start"] == given


def test_it_goes_on_without_them(tmp_path):
    run(tmp_path / "run")
    config = beginning_with(tmp_path / "run")
    run(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", config, worker=FakeWorker(stop_at=1))
    shutil.rmtree(tmp_path / "run")
    run(tmp_path / "stopped", config)
    ends = [load_checkpoint(checkpoint_paths(tmp_path / name / "checkpoints")[-1]) for name in ("whole", "stopped")]
    assert [fingerprint(end.networks["weights"]) for end in ends] == [fingerprint(ends[0].networks["weights"])] * 2
    assert ends[0].state["start"] == ends[1].state["start"]


def test_weights_of_another_shape_are_refused(tmp_path):
    run(tmp_path / "run")
    config = beginning_with(tmp_path / "run", network={"width": 32})
    with pytest.raises(ConfigError, match=r"is a network of .* width 16, .*should be of .* width 32, "):
        run(tmp_path / "next", config)
    with pytest.raises(ConfigError, match="'shipped' is a network of kind outcome, width 384"):
        run(tmp_path / "next", beginning_with("shipped"))
    with pytest.raises(CheckpointError, match="none"):
        run(tmp_path / "next", beginning_with(tmp_path / "none"))
    # Nothing was begun that would refuse corrected settings.
    run(tmp_path / "next")


def test_a_damaged_lineage_is_named(tmp_path):
    run(tmp_path / "run")
    write_weights(tmp_path / "run", tmp_path / "net.safetensors")
    for text in ("{", "[]", "null"):
        (tmp_path / "net.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"net\.json"):
            run(tmp_path / "next", beginning_with(tmp_path / "net.safetensors"))
    (tmp_path / "net.json").unlink()
    run(tmp_path / "next", beginning_with(tmp_path / "net.safetensors"))
    assert load_checkpoint(tmp_path / "next/checkpoints/000003").state["start"] == {}


def policy_config(training=None, game=None, **run):
    settings = {
        "run": {"iterations": 4, "seed": 1, "torch_threads": 1, "keep_checkpoints": 5, **run},
        "game": {"players": 3, "cards": 2, **(game or {})},
        "selfplay": {"agent": "policy", "rounds": 60},
        "network": {"kind": "outcome", "width": 16, "layers": 1},
        "training": {"batch_size": 32, "replay_rows": 2000, "critic_warmup": 2, **(training or {})},
        "evaluation": {"every": 9, "deals": 5, "final_deals": 5, "opponents": ["random"]},
        "promotion": {"enabled": False},
    }
    return parse_config(settings, source="test")


def learn(folder, *, override=False, notices=None, training=None, game=None, **settings):
    display = SilentDisplay()
    if notices is not None:
        display.message = notices.append
    train(
        policy_config(training=training, game=game, **settings),
        folder,
        display=display,
        device="cpu",
        override=override,
    )
    found = [load_checkpoint(path) for path in checkpoint_paths(folder / "checkpoints")]
    critics = [one.tensors["optimizer"].get("critic.value.weight", torch.zeros(1)) for one in found]
    return [fingerprint(one.networks["weights"]) for one in found], [float(critic.sum()) for critic in critics]


def test_a_trained_network_stays_as_it_is_while_its_critic_warms_up(tmp_path):
    actors, critics = learn(tmp_path / "run")
    assert len(set(actors)) == len(set(critics)) == 5
    started = str(tmp_path / "net.safetensors")
    write_weights(tmp_path / "run", tmp_path / "net.safetensors")
    # Half precision is all that a weights file has.
    actors[-1] = fingerprint(load_network(tmp_path / "net.safetensors"))
    next_actors, next_critics = learn(tmp_path / "next", start=started)
    assert next_actors[:3] == [actors[-1]] * 3
    assert len(set(next_actors[2:])) == 3
    assert len(set(next_critics)) == 5
    # A run that is stopped while the critic warms up goes on in the same way, without the weights.
    config = policy_config(start=started)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts", display=SilentDisplay(), device="cpu", worker=StoppingWorker(config, calls=1))
    assert [path.name for path in checkpoint_paths(tmp_path / "parts/checkpoints")] == ["000000", "000001"]
    (tmp_path / "net.safetensors").unlink()
    assert learn(tmp_path / "parts", start=started) == (next_actors, next_critics)
    assert_same_end(tmp_path / "parts", tmp_path / "next")


def test_the_critic_of_a_run_comes_along(tmp_path):
    actors, critics = learn(tmp_path / "run")
    started, notices = str(tmp_path / "run"), []
    next_actors, next_critics = learn(tmp_path / "next", start=started, notices=notices)
    assert f"begins with the network of {started}, its critic and the optimizer's moments" in notices
    assert (next_actors[0], next_critics[0]) == (actors[-1], critics[-1])
    assert len(set(next_actors)) == len(set(next_critics)) == 5  # nothing has to warm up
    last, first = (
        load_checkpoint(tmp_path / at).tensors["optimizer"]
        for at in ("run/checkpoints/000004", "next/checkpoints/000000")
    )
    assert last.keys() == first.keys()
    assert all(torch.equal(last[name], first[name]) for name in last)
    assert load_checkpoint(tmp_path / "next/checkpoints/000004").state["start"]["critic"]
    # Also when it is stopped and goes on without them.
    config = policy_config(start=started)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts", display=SilentDisplay(), device="cpu", worker=StoppingWorker(config, calls=1))
    shutil.rmtree(tmp_path / "run")
    assert learn(tmp_path / "parts", start=started) == (next_actors, next_critics)
    assert_same_end(tmp_path / "parts", tmp_path / "next")


def test_a_critic_of_another_size_begins_anew(tmp_path):
    actors, critics = learn(tmp_path / "run")
    started = str(tmp_path / "run")
    for size in ({"critic_width": 8}, {"critic_layers": 2}):
        notices = []
        folder = tmp_path / "-".join(size)
        next_actors, next_critics = learn(folder, start=started, training=size, notices=notices)
        assert f"begins with the network of {started}" in notices
        assert next_actors[:3] == [actors[-1]] * 3
        assert next_critics[0] != critics[-1]
        assert "critic" not in load_checkpoint(folder / "checkpoints/000004").state["start"]


@pytest.mark.parametrize("iteration", [0, 1])  # two were to warm up
def test_a_critic_that_has_not_learned_begins_anew(tmp_path, iteration):
    actors, _ = learn(tmp_path / "run")
    started = str(tmp_path / f"run/checkpoints/{iteration:06d}")
    assert learn(tmp_path / "next", start=started)[0][:3] == [actors[iteration]] * 3


def test_a_critic_of_other_rules_begins_anew(tmp_path):
    actors, _ = learn(tmp_path / "run")
    other = {"rules": {"scoring": "exact_plus_tricks"}}
    assert learn(tmp_path / "next", start=str(tmp_path / "run"), game=other)[0][:3] == [actors[-1]] * 3


def test_a_critic_of_later_weights_begins_anew(tmp_path):
    learn(tmp_path / "run")
    newest = tmp_path / "run/checkpoints/000004"
    state, manifest = (json.loads((newest / name).read_text()) for name in ("state.json", "manifest.json"))
    state["best_iteration"] = 3
    (newest / "state.json").write_text(json.dumps(state))
    manifest["sha256"]["state.json"] = hashlib.sha256((newest / "state.json").read_bytes()).hexdigest()
    (newest / "manifest.json").write_text(json.dumps(manifest))
    learn(tmp_path / "next", start=str(tmp_path / "run"))
    assert "critic" not in load_checkpoint(tmp_path / "next/checkpoints/000004").state["start"]


def test_a_damaged_critic_is_named(tmp_path):
    learn(tmp_path / "run")
    (tmp_path / "run/checkpoints/000004/optimizer.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors is damaged"):
        learn(tmp_path / "next", start=str(tmp_path / "run"))
    learn(tmp_path / "next")  # nothing was begun


def test_a_run_begins_once(tmp_path):
    learn(tmp_path / "run")
    learn(tmp_path / "next", iterations=3)
    with pytest.raises(ConfigError, match=r"run\.start"):
        learn(tmp_path / "next", start=str(tmp_path / "run"))
    notices: list[str] = []
    learn(tmp_path / "next", start=str(tmp_path / "run"), override=True, notices=notices)
    assert "run.start stays '', since the run has begun" in notices
    end = load_checkpoint(tmp_path / "next/checkpoints/000004")
    assert end.state["start"] is None
    assert end.state["config"]["run"]["start"] == ""
    assert load_config(tmp_path / "next/config.toml").run.start == ""


def test_running_means_stay_as_they_are_too():
    net = seeded_network(OutcomeShape(8, 1), seed=0)
    net.norm = nn.BatchNorm1d(3)
    learner = Learner(net, TrainingConfig(batch_size=32, critic_warmup=1), device=torch.device("cpu"), iterations=2)
    replay = RoundReplay(10_000)
    replay.append(played(100).rounds)
    for elsewhere in (False, True):
        learner.begun_elsewhere = elsewhere
        for iteration in range(2):
            learner.train(replay, np.random.default_rng(0), iteration=iteration)
            assert net.norm.training == (not elsewhere or iteration == 1)


def test_a_run_that_would_learn_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"critic_warmup is 2: should be below run\.iterations = 2"):
        policy_config(start="shipped", iterations=2)
    assert policy_config(iterations=2).training.critic_warmup == 2


@pytest.mark.parametrize("name", ["run", 'it\'s a "run"', "b\\n"])
def test_the_command_takes_any_path_and_refuses_before_it_begins(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / name)
    sizes = ["--set", "network.width=32", "--run-dir", "next"]
    done = CliRunner().invoke(app, ["train", "--preset", "quick", "--start", name, *sizes])
    assert isinstance(done.exception, ConfigError)
    assert f"run.start = {name!r} is a network of kind blobnet" in str(done.exception)
    assert not (tmp_path / "next").exists()


def test_doctor_looks_for_it(tmp_path):
    request = Request(run_dir=tmp_path / "next", preset="quick", changes=("run.start='nowhere'",), device="cpu")
    found = [finding for finding in examine(request).sections["network"] if finding.mark == "failure"]
    assert any("nowhere" in finding.found for finding in found)


def test_a_checkpoints_file_of_weights_has_its_lineage(tmp_path):
    run(tmp_path / "run")
    newest = checkpoint_paths(tmp_path / "run/checkpoints")[-1]
    assert lineage_of(newest / "weights.safetensors") == lineage_of(newest) == lineage_of(tmp_path / "run")
    # What is not needed for it may be damaged.
    (newest / "optimizer.safetensors").write_bytes(b"")
    assert lineage_of(newest)["rounds"] == 30
    (newest / "metrics.parquet").write_bytes(b"PAR1")
    with pytest.raises(CheckpointError, match=r"metrics\.parquet is damaged"):
        lineage_of(newest)


def test_a_network_that_learned_nothing_may_be_a_start(tmp_path):
    run(tmp_path / "run")
    run(tmp_path / "next", beginning_with(tmp_path / "run/checkpoints/000000"))
    assert load_checkpoint(tmp_path / "next/checkpoints/000003").state["start"]["rounds"] == 0
