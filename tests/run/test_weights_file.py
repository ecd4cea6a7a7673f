"""The network that comes with the package, and networks as files of their own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.arena.entrant import NetworkEntrant, read_entrant
from blob_zero.config.search_options import LookAhead, SearchOptions
from blob_zero.errors import CheckpointError
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train
from blob_zero.run.weights_file import SHIPPED, load_network, write_weights


def played(agent, *, players, cards, deals=60):
    """Points a round of the agent in each seat among rule bots, less those of a rule bot there on the same deals."""
    rule = bz.Agent.rule()
    own = bz.play_match(agent, rule, players=players, cards=cards, deals=deals, seed=5).points
    bots = bz.play_match(rule, rule, players=players, cards=cards, deals=deals, seed=5).points
    seats = range(players)
    return (own[:, seats, seats] - bots[:, 0, :]).mean()


@pytest.mark.parametrize(("players", "cards"), [(4, 5), (3, 7), (6, 4), (8, 2)])
def test_the_network_of_the_package_plays_better_than_the_rule_bot(players, cards):
    agent = bz.Agent.policy(Inference(bz.load_network()))
    assert played(agent, players=players, cards=cards) > 0.2


def test_its_lineage_is_known():
    lineage = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
    assert lineage["encoding_version"] == bz.ENCODING_VERSION
    parts = [lineage]
    while "start" in parts[-1]:
        parts.append(parts[-1]["start"])
    assert sum(part["rounds"] for part in parts) > 1_000_000
    assert all(part["curve"]["iteration"] for part in parts)
    assert SHIPPED.stat().st_size < 12_000_000


def test_it_is_an_agent_of_the_arena():
    (policy, ahead) = (read_entrant(name, SearchOptions()) for name in ("shipped", "shipped:16"))
    assert isinstance(policy, NetworkEntrant)
    assert policy.search is None
    assert ahead.search == LookAhead(worlds=16)


def test_a_player_without_a_network_takes_it():
    position = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=2)
    assert bz.Player().choose(position.observe(position.to_play)) in position.legal_actions()


def test_a_run_is_written_in_half_precision(tmp_path, monkeypatch):
    train(
        small_config(), tmp_path / "run", display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge()
    )
    write_weights(tmp_path / "run", tmp_path / "net.safetensors")
    net, whole = load_network(tmp_path / "net.safetensors"), load_network(tmp_path / "run")
    for mine, theirs in zip(net.parameters(), whole.parameters(), strict=True):
        assert mine.dtype == torch.float32
        np.testing.assert_allclose(mine.detach(), theirs.detach(), rtol=1e-3, atol=1e-7)
    lineage = json.loads((tmp_path / "net.json").read_text())
    assert lineage["config"]["run"]["seed"] == small_config().run.seed
    assert lineage["curve"]["iteration"]
    # A checkpoint that lies elsewhere has the same to tell.
    monkeypatch.chdir(tmp_path)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    shutil.copytree(newest, "alone")
    write_weights(Path("alone"), Path("again.safetensors"))
    assert json.loads(Path("again.json").read_text()) == lineage
    with pytest.raises(CheckpointError, match="cannot read"):
        load_network(tmp_path / "none.safetensors")
