"""A run may begin with the weights of another."""

import json
import shutil

import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config

from blob_zero.config.load import parse_config
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.loop import train
from blob_zero.run.checkpoint import checkpoint_paths, load_checkpoint
from blob_zero.run.weights_file import load_network, write_weights


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
    (tmp_path / "net.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"net\.json"):
        run(tmp_path / "next", beginning_with(tmp_path / "net.safetensors"))
    (tmp_path / "net.json").unlink()
    run(tmp_path / "next", beginning_with(tmp_path / "net.safetensors"))
    assert load_checkpoint(tmp_path / "next/checkpoints/000003").state["start"] == {}


def test_a_trained_network_stays_as_it_is_while_its_critic_warms_up(tmp_path):
    settings = {
        "run": {"iterations": 4, "seed": 1, "torch_threads": 1, "keep_checkpoints": 5},
        "game": {"players": 3, "cards": 2},
        "selfplay": {"agent": "policy", "rounds": 60},
        "network": {"kind": "outcome", "width": 16, "layers": 1},
        "training": {"batch_size": 32, "replay_rows": 2000, "critic_warmup": 2},
        "evaluation": {"every": 9, "deals": 5, "final_deals": 5, "opponents": ["random"]},
        "promotion": {"enabled": False},
    }

    def weights(folder):
        checkpoints = [load_checkpoint(path) for path in checkpoint_paths(folder / "checkpoints")]
        actors = [fingerprint(checkpoint.networks["weights"]) for checkpoint in checkpoints]
        critics = [checkpoint.tensors["optimizer"].get("critic.value.weight") for checkpoint in checkpoints]
        return actors, [float(critic.sum()) for critic in critics]

    train(parse_config(settings, source="test"), tmp_path / "run", display=SilentDisplay(), device="cpu")
    actors, critics = weights(tmp_path / "run")
    assert len(set(actors)) == len(set(critics)) == 5
    settings["run"]["start"] = str(tmp_path / "run")
    train(parse_config(settings, source="test"), tmp_path / "next", display=SilentDisplay(), device="cpu")
    actors, critics = weights(tmp_path / "next")
    assert actors[:3] == [actors[0]] * 3
    assert len(set(actors[2:])) == 3
    assert len(set(critics)) == 5
