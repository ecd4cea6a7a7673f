"""Training on real rounds: the parts that the fakes stand in for elsewhere."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.training_fakes import SMALL, SilentDisplay, small_config

from blob_zero.arena import match
from blob_zero.arena.judge import LocalJudge
from blob_zero.config.schema import InferenceConfig
from blob_zero.config.search_options import SearchOptions
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train
from blob_zero.model.blobnet import NetworkShape
from blob_zero.model.networks import seeded_network
from blob_zero.run.checkpoint import checkpoint_paths
from blob_zero.selfplay import engine
from blob_zero.selfplay.sizes import auto_batch_rows
from blob_zero.selfplay.worker import LocalWorker, RoundRange

CONFIG = small_config(
    game={"players": 3, "cards": 2},
    search={"worlds": 1, "simulations": 4},
    selfplay={"rounds": 20, "batch_rows": 16},
    inference={"dtype": "fp32"},
    evaluation={"every": 2, "deals": 4, "final_deals": 5, "batch_rows": 16},
)


def weights(folder):
    return (checkpoint_paths(folder / "checkpoints")[-1] / "weights.safetensors").read_bytes()


def test_a_short_run_ends_with_three_matches_and_is_reproducible(tmp_path):
    first, second = SilentDisplay(), SilentDisplay()
    standings = train(CONFIG, tmp_path / "a", display=first, device="cpu")
    assert [standing.opponent for standing in standings] == ["untrained", "random", "rule"]
    assert all(standing.match.deals == 5 for standing in standings)
    assert len(first.rows) == 3
    assert all(0 < row["batch_fill"] <= 1 for row in first.rows)
    assert train(CONFIG, tmp_path / "b", display=second, device="cpu") == standings
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_self_play_gives_rows_that_can_be_learned_from():
    net = seeded_network(NetworkShape(8, **SMALL), seed=1)
    result = LocalWorker(CONFIG, device="cpu").play(net, RoundRange(seed=1, first_round=0, rounds=20))
    rows = result.records
    assert len(rows.features) == len(rows.legal) == len(rows.policy) == len(rows.values) > 0
    np.testing.assert_allclose(rows.policy.astype(float).sum(axis=1), 1, atol=5e-3)
    assert (rows.policy[~rows.legal] == 0).all()
    assert (rows.features[:, 228] == 3).all()
    assert np.abs(rows.values[:, :3]).max() <= 1
    assert 0 <= result.exact <= 1


def test_rounds_depend_on_their_numbers_and_not_on_how_they_are_split():
    net = seeded_network(NetworkShape(8, **SMALL), seed=1)
    worker = LocalWorker(CONFIG, device="cpu")
    whole = worker.play(net, RoundRange(seed=1, first_round=0, rounds=8)).records
    parts = [worker.play(net, RoundRange(seed=1, first_round=first, rounds=4)).records for first in (0, 4)]
    np.testing.assert_array_equal(whole.features, np.concatenate([part.features for part in parts]))


@pytest.fixture
def clocks(monkeypatch):
    """Events in their order: `ready N` when memory for batches of N rows is made, `timed` when a clock is read."""
    events = []
    new_lane, perf_counter = Inference._new_lane, time.perf_counter

    def watched_lane(inference, rows):
        events.append(f"ready {rows}")
        return new_lane(inference, rows)

    def watched_clock():
        events.append("timed")
        return perf_counter()

    monkeypatch.setattr(Inference, "_new_lane", watched_lane)
    for module in (engine, match):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=watched_clock))
    return events


def test_self_play_is_ready_before_it_is_timed(clocks):
    told = []
    net = seeded_network(NetworkShape(8, **SMALL), seed=1)
    worker = LocalWorker(CONFIG, device="cpu", notice=told.append)
    for first in (0, 5):
        sizes = worker.prepare(net, RoundRange(seed=1, first_round=first, rounds=5))
        worker.play(net, RoundRange(seed=1, first_round=first, rounds=5))
    lanes = ["ready 16"] * torch.get_num_threads()
    assert clocks == [*lanes, "timed", "timed", "timed", "timed"]
    assert sizes.batch_rows == 16
    assert sizes.evaluator_threads == torch.get_num_threads()
    assert sizes.rounds_in_flight == 5
    # The choice is reported once, not in every iteration.
    assert [line for line in told if "batches of 16 rows" in line] == [f"self-play: {sizes}"]


@pytest.mark.parametrize(
    ("settings", "in_progress", "rows"),
    [({}, 60, None), ({"rounds_in_flight": 20}, 20, None), ({"batch_rows": 100}, 60, 100)],
)
def test_self_play_takes_batches_that_its_rounds_can_fill(settings, in_progress, rows):
    config = small_config(game={"players": 3, "cards": 2}, selfplay=settings)
    worker = LocalWorker(config, device="cpu")
    net = seeded_network(NetworkShape(8, **SMALL), seed=1)
    sizes = worker.prepare(net, RoundRange(seed=1, first_round=0, rounds=60, worlds=32, simulations=2))
    workers = torch.get_num_threads()
    assert sizes.batch_rows == (rows or auto_batch_rows("cpu", workers=workers, leaves=32 * in_progress))


def test_matches_are_ready_before_they_are_timed(clocks):
    judge = LocalJudge(
        players=3,
        cards=2,
        search=SearchOptions(worlds=1, simulations=4),
        inference=InferenceConfig(),
        device="cpu",
        batch_rows="auto",
    )
    first, second = (seeded_network(NetworkShape(8, **SMALL), seed=seed) for seed in (1, 2))
    judge.match(first, second, deals=6, seed=3)
    judge.match(second, first, deals=6, seed=3)
    # Of 18 rounds one leaf each waits at a time: the smallest batches.
    lanes = ["ready 128"] * (2 * torch.get_num_threads())
    assert clocks == [*lanes, "timed", "timed", "timed", "timed"]


@pytest.mark.parametrize("opponent", ["random", "rule", "rollout:1x2"])
def test_every_agent_can_be_met(opponent):
    judge = LocalJudge(
        players=3,
        cards=2,
        search=SearchOptions(worlds=1, simulations=4),
        inference=InferenceConfig(),
        device="cpu",
        batch_rows=16,
    )
    match = judge.match(seeded_network(NetworkShape(8, **SMALL), seed=1), opponent, deals=6, seed=3)
    assert match.deals == 6
    assert match.low <= match.difference <= match.high
    assert match.first.exact + match.first.over + match.first.under == pytest.approx(1)
