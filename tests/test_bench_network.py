"""Benchmarks of the network itself: inference step by step, and training against its limit."""

import json
import sys
import warnings

import numpy as np
import pytest
import torch
from training_fakes import SMALL

from blob_zero.bench import inference, training
from blob_zero.bench.settings import PlaySettings
from blob_zero.cli import main
from blob_zero.config import TrainingConfig
from blob_zero.network import NetworkShape, seeded_network

SMALL_NET = PlaySettings(cards=3, worlds=2, simulations=6, batch_rows=32, threads=2, device="cpu")


@pytest.fixture
def small_networks(monkeypatch):
    """Benchmarks of the full network take minutes; their code is the same with a small one."""
    shape = NetworkShape(values=8, **SMALL)
    for module in ("settings", "training"):
        monkeypatch.setattr(f"blob_zero.bench.{module}.build_network", lambda _: seeded_network(shape, seed=0))


def bench(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["blob-zero", "bench", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code, *capsys.readouterr()


@pytest.mark.usefixtures("small_networks")
def test_each_step_of_inference_is_timed_and_compared_with_plain_fp32():
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a machine without a compiler says so
        rows = inference.bench_inference(SMALL_NET, passes=2, seconds=0.02, notice=told.append)
    assert [row["step"] for row in rows] == [step.name for step in inference.steps("cpu")]
    plain, folded, half = rows[:3]
    assert plain["speedup"] == 1
    assert plain["policy_difference_max"] == plain["value_difference_max"] == 0
    assert folded["value_difference_max"] < 1e-5
    assert half["value_difference_max"] < 0.05
    for row in rows:
        assert row["policy_difference_p99"] <= row["policy_difference_max"]
        assert row["value_difference_p99"] <= row["value_difference_max"]
        assert row["evaluations_per_s_low"] <= row["evaluations_per_s"] <= row["evaluations_per_s_high"]
        assert row["evaluator_threads"] == 2
    assert "folded" not in plain["computed_as"]
    assert "folded" in folded["computed_as"]
    assert sum(line.startswith("pass 2 of 2") for line in told) == len(rows)


def test_the_steps_of_a_gpu_end_with_all_that_inference_does_there():
    first, *_, last = inference.steps("cuda")
    assert not any(value is True for value in first.changes.values())
    on = {name for name, value in last.changes.items() if value is True}
    assert on == {"fold", "compile", "cuda_graphs", "pinned_memory", "copy_streams"}
    assert last.changes["dtype"] == "auto"


def test_a_row_of_a_batch_is_as_far_off_as_its_worst_number():
    exact = np.zeros((200, 52), np.float32), np.zeros((200, 8), np.float32)
    policy, values = (array.copy() for array in exact)
    policy[7, :3] = 0.5, -0.75, 0.25
    values[:, 1] = np.linspace(0, -1, 200)
    row = inference.differences((policy, values), exact)
    assert row["policy_difference_max"] == 0.75
    assert row["policy_difference_p99"] == 0
    assert row["value_difference_max"] == 1
    assert row["value_difference_p99"] == pytest.approx(0.99, abs=1e-3)


@pytest.mark.usefixtures("small_networks")
@pytest.mark.filterwarnings("ignore:cannot compile")
def test_bench_inference_prints_json(monkeypatch, capsys):
    arguments = "inference --device cpu --batch-rows 16 --threads 1 --passes 1 --seconds 0.01 --json"
    status, text, _ = bench(monkeypatch, capsys, *arguments.split())
    assert status == 0
    told = json.loads(text)
    assert told["settings"]["batch_rows"] == 16
    assert {row["evaluator_threads"] for row in told["rows"]} == {1}


@pytest.mark.usefixtures("small_networks")
def test_training_is_timed_in_turn_with_its_limit():
    told, threads = [], torch.get_num_threads()
    config = TrainingConfig(batch_size=64, precision="fp32")
    row = training.bench_training(config, SMALL_NET, passes=3, seconds=0.05, notice=told.append)
    assert row["examples_per_s_low"] <= row["examples_per_s"] <= row["examples_per_s_high"]
    assert row["step_ms"] == pytest.approx(64_000 / row["examples_per_s"])
    assert 0 < row["limit_share"] < 1
    assert row["torch_threads"] == 2
    assert torch.get_num_threads() == threads
    assert (row["precision"], row["compiled"], row["parts"], row["device"]) == ("fp32", False, 1, "cpu")
    assert sum(line.endswith("matrix products alone") for line in told) == 3


def test_the_limit_has_every_weight_that_counts():
    shape = NetworkShape(values=8, width=12, layers=2, heads=2, feed_forward=20, policy_hidden=7, value_hidden=5)
    net = seeded_network(shape, seed=0)
    weights = sum(p.numel() for p in net.parameters() if p.ndim == 2)
    unused = 2 * 2 * 12 * 12  # queries and keys of two layers
    assert sum(inputs * outputs for inputs, outputs in training.linear_layers(shape)) == weights - unused
    assert training.flops_a_row(shape) == 6 * (weights - unused) - 2 * 256 * 12


@pytest.mark.usefixtures("small_networks")
def test_bench_train_prints_json(monkeypatch, capsys):
    arguments = "train --device cpu --cards 2 --batch-size 16 --precision fp32 --passes 1 --seconds 0.01 --json"
    status, text, _ = bench(monkeypatch, capsys, *arguments.split())
    assert status == 0
    told = json.loads(text)
    assert told["examples_per_s"] > 0
    assert told["settings"]["batch_size"] == 16
    assert told["settings"]["cards"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("inference --passes 0", "passes is 0"),
        ("inference --device cuda:99", "cuda:99"),
        ("train --batch-size 0", "batch_size is 0"),
        ("train --players 9", "9 players"),
        ("train --device cuda:99", "cuda:99"),
    ],
)
def test_a_mistake_is_named(monkeypatch, capsys, arguments, words):
    status, _, err = bench(monkeypatch, capsys, *arguments.split())
    assert status == 2
    assert words in err
