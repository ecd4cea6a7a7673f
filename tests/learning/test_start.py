"""A run may begin with the weights of another."""

import json
import shutil

import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config

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
