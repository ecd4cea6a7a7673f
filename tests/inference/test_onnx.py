"""Networks as ONNX files: the same outputs as PyTorch, in searches, self-play, matches and the arena."""

import json
import sys

import numpy as np
import pytest
import torch
from support.command_line import command
from support.networks import by_hand, network, varied_rows
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config
from torch import nn
from typer.testing import CliRunner

import blob_zero as bz

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'blob-zero[onnx]'")
pytest.importorskip("onnxscript", reason="needs onnxscript: pip install 'blob-zero[onnx]'")

import onnx

from blob_zero.analysis.engine import Engine
from blob_zero.analysis.judges import read_judge
from blob_zero.analysis.network import NetworkJudge
from blob_zero.arena.entrant import read_entrant
from blob_zero.cli.main import app
from blob_zero.inference.inference import Inference
from blob_zero.inference.onnx_evaluator import OnnxEvaluator
from blob_zero.learning.loop import train
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeShape
from blob_zero.play.levels import act, add_network
from blob_zero.run import onnx_export
from blob_zero.run.onnx_export import TOLERANCE, export_onnx
from blob_zero.run.weights_file import load_network

SMALL = {"width": 32, "layers": 1, "heads": 2, "feed_forward": 32, "policy_hidden": 16, "value_hidden": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "run"
    config = small_config(search={"worlds": 2, "simulations": 5, "c_puct": 2.5})
    train(config, folder, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    return folder


@pytest.fixture(scope="module")
def net(run):
    return load_network(run)


@pytest.fixture(scope="module")
def file(run):
    """Made once, by the command: PyTorch's exporter takes seconds to import."""
    path = run / "net.onnx"
    result = CliRunner().invoke(app, ["export", str(run), "--onnx", str(path)])
    assert "differ by" in result.output
    return path


def test_the_file_computes_what_the_network_does(net, file):
    evaluator = OnnxEvaluator(file)
    for count in (1, 2, 300):
        rows = varied_rows(count)
        for policy, values in (
            evaluator(rows.features * bz.feature_scale(), rows.legal),
            evaluator.evaluate_batch(rows.features, rows.legal),
        ):
            expected_policy, expected_values = by_hand(net, rows.features, rows.legal)
            assert np.abs(policy - expected_policy).max() <= TOLERANCE
            assert np.abs(values - expected_values).max() <= TOLERANCE


def test_the_file_says_what_it_reads(file):
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert metadata["encoding"] == str(bz.ENCODING_VERSION)
    assert metadata["blob_zero"] == bz.__version__
    assert json.loads(metadata["search"])["c_puct"] == 2.5


def test_searches_self_play_and_matches_take_the_file(file):
    round_ = bz.Round(players=4, cards=5, trump="S", dealer=3, seed=7)
    found = bz.search(round_, evaluator=str(file), worlds=2, simulations=5, seed=1)
    assert np.array_equal(
        found.visits, bz.search(round_, evaluator=OnnxEvaluator(file), worlds=2, simulations=5, seed=1).visits
    )
    play = bz.SelfPlay(players=3, cards=2, worlds=1, simulations=4, rounds=4, seed=0, batch_rows=16)
    assert np.array_equal(play.run(file).policy, play.run(str(file)).policy)
    match = bz.play_match(
        bz.Agent.policy(file), bz.Agent.network(file, worlds=1, simulations=4), players=3, cards=2, deals=4, seed=0
    )
    assert match.points.shape == (4, 3, 3)


def test_the_arena_takes_the_file_with_the_search_of_its_run(file, monkeypatch, capsys):
    entrant = read_entrant(str(file), bz.SearchOptions(worlds=7, simulations=9))
    assert (entrant.search.c_puct, entrant.search.worlds, entrant.search.simulations) == (2.5, 7, 9)
    status, printed, _ = command(
        monkeypatch, capsys, "arena", str(file), "rule", "--deals", "2", "--cards", "2", "--search", "1x4", "--json"
    )
    assert status == 0
    assert json.loads(printed)["settings"]["agents"] == [str(file), "rule"]


def test_a_network_of_outcomes_is_exported_for_play_without_search(tmp_path):
    net = seeded_network(OutcomeShape(width=24, layers=2), seed=3)
    with torch.no_grad():
        for head in (net.play, net.detail):
            head.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(3))
    path = tmp_path / "net.onnx"
    assert export_onnx(net, path) <= TOLERANCE
    evaluator = OnnxEvaluator(path)
    assert evaluator.search is None
    rules = bz.RoundRules(scoring="exact_plus_tricks")
    played = bz.SelfPlay(players=4, cards=5, worlds=1, simulations=2, rounds=6, seed=1, rules=rules).run("uniform")
    inference = Inference(net, dtype="fp32")
    for rows in (slice(1), slice(None)):
        features, legal = played.features[rows], played.legal[rows]
        expected_policy, expected_values = inference.evaluate_batch(features, legal)
        policy, values = evaluator.evaluate_batch(features, legal)
        assert np.abs(policy - expected_policy).max() <= TOLERANCE
        assert np.abs(values - expected_values).max() <= TOLERANCE
    assert policy.max() > 2 * policy[policy > 0].min()  # it prefers something
    observations = [bz.Round(players=4, cards=5, seed=seed).observe() for seed in range(40)]
    judges = NetworkJudge("net", net), read_judge(str(path))
    for mine, theirs in zip(*(judge.judge(observations) for judge in judges), strict=True):
        for part in ("points", "make", "tricks", "seat_points", "policy"):
            np.testing.assert_allclose(getattr(mine, part), getattr(theirs, part), atol=1e-4)
    players = bz.Player(net), bz.Player(path), bz.Player(path, search=None)
    assert [type(player.search) for player in players] == [bz.LookAhead, bz.LookAhead, type(None)]
    # In half precision a network chooses another action at times.
    mine, theirs, _ = (np.array(player.choose_many(observations)) for player in players)
    assert (mine == theirs).mean() > 0.8


def test_a_player_reads_the_search_of_the_file(file, run):
    observation = bz.Round(players=4, cards=3, trump="H", seed=2).observe()
    player = bz.Player(file)
    assert player.search == bz.Player(run).search
    assert player.choose(observation) == bz.Player(run).choose(observation)


def test_a_file_of_policy_and_values_judges_nothing(file):
    with pytest.raises(bz.ConfigError, match="no outputs make and tricks"):
        read_judge(str(file))


def test_play_and_analyze_take_a_file(tmp_path):
    path = tmp_path / "net.onnx"
    export_onnx(seeded_network(OutcomeShape(width=16, layers=1), seed=1), path)
    line = {"id": 1, "players": 3, "cards": 2, "trump": "S", "dealer": 2, "hand": ["AS", "2H"]}
    (found,) = Engine(str(path)).answer([json.dumps(line)])
    assert len(found["actions"]) == 3
    level = add_network(path)
    observation = bz.Round(players=3, cards=2, trump="S", seed=0).observe()
    assert act(level, observation, 0) in observation.legal_actions()


def test_a_module_of_another_kind_is_exported(tmp_path):
    class ByHand(nn.Module):
        def __init__(self):
            super().__init__()
            self.seats = nn.Linear(bz.FEATURES, bz.MAX_PLAYERS)

        def forward(self, features, legal):
            return legal / legal.sum(dim=1, keepdim=True), torch.tanh(self.seats(features))

    module = ByHand()
    export_onnx(module, tmp_path / "by_hand.onnx")
    features, legal = np.random.default_rng(0).random((5, 256), np.float32), np.ones((5, 52), np.bool_)
    policy, values = OnnxEvaluator(tmp_path / "by_hand.onnx")(features, legal)
    assert np.allclose(policy, 1 / 52)
    with torch.no_grad():
        assert np.allclose(values, torch.tanh(module.seats(torch.from_numpy(features))), atol=TOLERANCE)


def test_a_file_that_does_not_do_what_the_network_does_is_not_written(file, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "_serialized", lambda *_: file.read_bytes())
    with pytest.raises(bz.BlobError, match="onnxruntime differs from PyTorch"):
        export_onnx(network(seed=4, **SMALL), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def changed(file, path, change):
    model = onnx.load(file)
    change(model)
    onnx.save(model, path)
    return path


def test_other_files_are_refused(file, tmp_path):
    def older(model):
        next(entry for entry in model.metadata_props if entry.key == "encoding").value = "1"

    def without(model):
        del model.graph.output[1]

    with pytest.raises(bz.CheckpointError, match="encoding version 1; this is version"):
        OnnxEvaluator(changed(file, tmp_path / "old.onnx", older))
    with pytest.raises(bz.CheckpointError, match="inputs and outputs"):
        OnnxEvaluator(changed(file, tmp_path / "half.onnx", without))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(bz.CheckpointError, match="no ONNX model"):
        OnnxEvaluator(tmp_path / "text.onnx")
    with pytest.raises(bz.CheckpointError, match=r"no file .*missing\.onnx"):
        bz.Agent.policy(tmp_path / "missing.onnx")
    with pytest.raises(bz.ConfigError, match=r"the path of an \.onnx file"):
        bz.Agent.policy("net.pt")
    with pytest.raises(bz.ConfigError, match="values = 1"):
        export_onnx(network(**SMALL, values=1), tmp_path / "one.onnx")
    with pytest.raises(bz.DeviceError, match="onnxruntime-gpu"):
        OnnxEvaluator(file, device="cuda")


def test_a_missing_package_is_named_with_its_install_line(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(bz.BlobError, match=r"pip install 'blob-zero\[onnx\]'"):
        OnnxEvaluator(file)


def test_a_missing_exporter_is_named_with_its_install_line(net, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "find_spec", lambda package: None if package == "onnxscript" else package)
    with pytest.raises(bz.BlobError, match=r"needs onnxscript.*pip install 'blob-zero\[onnx\]'"):
        export_onnx(net, tmp_path / "net.onnx")
