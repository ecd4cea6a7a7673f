"""Benchmarks of the network itself: inference step by step."""

import json
import sys
import warnings

import numpy as np
import pytest
from training_fakes import SMALL

from blob_zero.bench import inference
from blob_zero.bench.settings import PlaySettings
from blob_zero.cli import main
from blob_zero.network import NetworkShape, seeded_network

SMALL_NET = PlaySettings(cards=3, worlds=2, simulations=6, batch_rows=32, threads=2, device="cpu")


@pytest.fixture
def small_networks(monkeypatch):
    """Benchmarks of the full network take minutes; their code is the same with a small one."""
    shape = NetworkShape(values=8, **SMALL)
    monkeypatch.setattr("blob_zero.bench.settings.build_network", lambda _: seeded_network(shape, seed=0))


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [("inference --passes 0", "passes is 0"), ("inference --device cuda:99", "cuda:99")],
)
def test_a_mistake_is_named(monkeypatch, capsys, arguments, words):
    status, _, err = bench(monkeypatch, capsys, *arguments.split())
    assert status == 2
    assert words in err
