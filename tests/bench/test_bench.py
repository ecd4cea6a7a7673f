import functools
import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.training_fakes import SMALL, FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.bench import (
    compare,
    designs,
    inference,
    iteration,
    matrix_products,
    search,
    selfplay,
    training,
    tune,
    tune_advice,
)
from blob_zero.bench.limits import sample_batch
from blob_zero.bench.settings import NullEvaluator, PlaySettings, build_evaluator
from blob_zero.bench.timed_run import run_for
from blob_zero.config.load import parse_config
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import ConfigError
from blob_zero.inference.forward import _compiled_answer
from blob_zero.inference.packing import packing_obstacle
from blob_zero.learning.learner import Learner
from blob_zero.learning.loop import train
from blob_zero.machine.memory import forget_peak_memory, peak_memory
from blob_zero.model.blobnet import BlobNet, NetworkShape
from blob_zero.model.critic import ActorCritic
from blob_zero.model.networks import seeded_network
from blob_zero.model.outcome_net import OutcomeShape
from blob_zero.selfplay.sizes import Sizes

TINY_SEARCH = SearchOptions(worlds=2, simulations=6)
TINY = PlaySettings(
    cards=3,
    search=TINY_SEARCH,
    rounds=300,
    evaluator="null",
    batch_rows=32,
    rounds_in_flight=64,
    threads=2,
)
SMALL_NET = PlaySettings(
    cards=3,
    search=TINY_SEARCH,
    rounds=300,
    batch_rows=32,
    rounds_in_flight=64,
    threads=1,
    device="cpu",
)


@pytest.fixture
def small_networks(monkeypatch):
    """Benchmarks of the full network take minutes; their code is the same with a small one, compiled to no C++."""
    _compiled_answer.cache_clear()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    net = BlobNet(**SMALL)
    monkeypatch.setattr("blob_zero.bench.settings.build_network", lambda _: net)
    monkeypatch.setattr("blob_zero.bench.training.build_network", lambda _: net)
    yield
    _compiled_answer.cache_clear()


def test_a_row_of_selfplay_adds_up():
    row = selfplay.measure_selfplay(TINY, NullEvaluator(32), limit_seconds=0.2)
    assert row["rounds"] == pytest.approx(300, abs=10)  # some rounds end before the point where they would pause
    assert row["binding_limit"] == "search"
    assert row["inference_limit"] is None
    assert row["limit_share"] == pytest.approx(row["evaluations_per_s"] / row["search_limit"])
    assert row["evaluations_per_simulation"] == pytest.approx(row["evaluations_per_s"] / row["simulations_per_s"])
    assert 0 < row["batch_fill_p01"] <= row["batch_fill_p50"] <= 1
    assert 0 < row["batch_fill_mean"] <= 1
    assert 0 < row["python_share"] < 1
    assert row["hand_over_us"] < row["between_batches_us"]
    assert 30e6 < row["peak_memory_bytes"] <= peak_memory()


@pytest.mark.usefixtures("small_networks")
def test_a_network_is_measured_against_itself_alone():
    told = []
    row = selfplay.bench_selfplay(SMALL_NET, notice=told.append)
    assert row["device"] == "cpu"
    assert row["evaluator_threads"] == 1
    assert row["limit_share"] == pytest.approx(row["evaluations_per_s"] / row[f"{row['binding_limit']}_limit"])
    assert row["rounds_per_min"] == pytest.approx(60 * row["rounds"] / row["seconds"])
    assert any("300 rounds" in line for line in told)


def test_the_remembered_rows_are_seen_in_the_figures():
    one, other = (
        selfplay.measure_selfplay(
            PlaySettings(**{**vars(TINY), "cache_entries": entries}), NullEvaluator(32), limit_seconds=0.1
        )["evaluations_per_simulation"]
        for entries in (None, 0)
    )
    assert one < 0.97 * other


def test_few_rounds_are_measured_with_batches_that_they_fill():
    """As a training run with as few rounds an iteration chooses them."""
    settings = PlaySettings(rounds=200, device="cpu", threads=1)
    measured = selfplay.measure_selfplay(settings, NullEvaluator(settings.rows), limit_seconds=0.01)
    assert measured["batch_fill_mean"] > 0.7


def test_self_play_is_measured_with_rounds_at_every_stage_from_the_first_batch_on(monkeypatch):
    playing = []

    class Watching(NullEvaluator):
        def evaluate_batch(self, features, legal):
            playing.append(set(features[:, 226].tolist()))
            return super().evaluate_batch(features, legal)

    monkeypatch.setattr(selfplay, "inference_limit", lambda *_, **__: 1.0)  # has batches of its own
    selfplay.measure_selfplay(replace(TINY, rounds=64), Watching(32), limit_seconds=0.01)
    assert set().union(*playing[:3]) == {0, 1}, "some rounds are in bidding, and others past it"


@pytest.mark.parametrize(("driver", "use"), [("reports", 0.4), ("is missing", None)])
def test_the_use_of_a_gpu_is_measured_while_rounds_are_played(monkeypatch, driver, use):
    asked = []

    def utilization(device):
        asked.append(str(device))
        if driver == "is missing":
            raise RuntimeError("no driver")
        return 40

    class OnGpu(NullEvaluator):
        device = "cuda:1"

    monkeypatch.setattr(torch.cuda, "utilization", utilization)
    assert selfplay.measure_selfplay(TINY, OnGpu(32), limit_seconds=0.01)["gpu_use"] == use
    assert set(asked) == {"cuda:1"}
    assert importlib.util.find_spec("pynvml"), "PyTorch asks the driver through nvidia-ml-py"


def test_a_run_for_a_time_begins_with_rounds_at_every_stage():
    playing = []

    class Watching(NullEvaluator):
        def evaluate_batch(self, features, legal):
            playing.extend(features[:, 226].tolist())
            if len(playing) >= 6 * 32:  # the first two or three leaves of each tree
                raise KeyboardInterrupt
            return super().evaluate_batch(features, legal)

    with pytest.raises(KeyboardInterrupt):
        run_for(TINY, Watching(32), seconds=60)
    assert set(playing) == {0, 1}, "some rounds are in bidding, and others past it"


def test_a_run_for_a_time_ends_in_time():
    run = run_for(TINY, NullEvaluator(32), seconds=0.5)
    assert 0.5 < run.seconds < 5
    assert run.progress.simulations > 0
    assert run.serving.total == pytest.approx(run.seconds, rel=0.3)


def test_sample_batches_are_full_ones():
    features, legal = sample_batch(TINY)
    assert features.shape == (32, 256)
    assert (features[:, 228] == 4).all()
    assert (legal.sum(axis=1) >= 2).all()


def test_search_is_timed_three_ways(monkeypatch):
    monkeypatch.setattr(search, "SECONDS", 0.2)
    rows = search.bench_search(TINY)
    assert [(row["path"], row["threads"]) for row in rows] == [
        ("searches, no queue", 1),
        ("rounds, queue in Rust", 1),
        ("rounds, Python in the loop", 1),
        ("rounds, queue in Rust", 2),
        ("rounds, Python in the loop", 2),
    ]
    assert all(row["simulations_per_s"] > 1000 for row in rows)
    assert all(row["share"] == 1 for row in rows[:3])


@pytest.mark.usefixtures("small_networks")
def test_steps_of_inference_are_told_apart_by_speed_and_by_rounding(monkeypatch):
    monkeypatch.setattr(inference, "PASSES", 1)
    rows = inference.bench_inference(SMALL_NET, seconds=0.05)
    assert [row["step"] for row in rows] == list(inference.forms("cpu"))
    assert rows[0]["speedup"] == 1
    assert rows[0]["policy_difference_max"] == rows[0]["value_difference_max"] == 0
    assert 0 < rows[1]["value_difference_max"] < 1e-5, "folding rounds otherwise, and no more"
    for row in rows:
        assert row["evaluations_per_s"] > 0
        assert row["value_difference_p99"] <= row["value_difference_max"] < 0.03
        assert row["policy_difference_p99"] <= row["policy_difference_max"] < 0.03


WITHOUT_SEARCH = PlaySettings(
    agent="policy", cards=3, rounds=200, batch_rows=32, rounds_in_flight=64, threads=1, device="cpu"
)


def test_play_without_search_is_measured_against_the_network_and_the_rounds_alone():
    row = selfplay.measure_selfplay(WITHOUT_SEARCH, build_evaluator(WITHOUT_SEARCH), limit_seconds=0.05)
    assert row["rounds"] == pytest.approx(200, abs=10)
    assert row["simulations_per_s"] is row["evaluations_per_simulation"] is row["search_limit"] is None
    assert row["binding_limit"] in ("inference", "rounds")
    assert row["limit_share"] == pytest.approx(row["evaluations_per_s"] / row[f"{row['binding_limit']}_limit"])
    assert "worlds" not in WITHOUT_SEARCH.columns()
    alone = selfplay.measure_selfplay(replace(WITHOUT_SEARCH, evaluator="null"), NullEvaluator(32), limit_seconds=0.05)
    assert alone["binding_limit"] == "rounds"


def test_a_network_of_outcomes_is_timed_learning_from_rounds_and_in_each_form(monkeypatch):
    _compiled_answer.cache_clear()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    config = TrainingConfig(batch_size=64, precision="fp32")
    row = training.bench_training(config, WITHOUT_SEARCH, passes=1, seconds=0.05)
    assert row["step_ms"] == pytest.approx(64_000 / row["examples_per_s"])
    assert row["limit_share"] == pytest.approx(row["examples_per_s"] / row["limit_examples_per_s"])
    monkeypatch.setattr(inference, "PASSES", 1)
    rows = inference.bench_inference(WITHOUT_SEARCH, seconds=0.02)
    assert [row["step"] for row in rows] == list(inference.forms("cpu", outcome=True))
    assert rows[0]["policy_difference_max"] == 0
    assert all(row["evaluations_per_s"] > 0 for row in rows)
    if packing_obstacle(torch.device("cpu"), torch.float32) is None:
        assert str(rows[-1]["done"]).startswith("packed")
    _compiled_answer.cache_clear()


def test_agent_and_network_of_a_benchmark_belong_together(tmp_path):
    run = tmp_path / "run"
    train(small_config(), run, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    with pytest.raises(ConfigError, match=r"agent is policy, .*BlobNet\) of search: set agent to search"):
        build_evaluator(replace(WITHOUT_SEARCH, network=run))


@pytest.mark.usefixtures("small_networks")
def test_training_is_timed_in_turn_with_its_limit():
    told, threads = [], torch.get_num_threads()
    config = TrainingConfig(batch_size=64, precision="fp32")
    row = training.bench_training(config, replace(SMALL_NET, threads=2), passes=3, seconds=0.05, notice=told.append)
    assert row["examples_per_s_low"] <= row["examples_per_s"] <= row["examples_per_s_high"]
    assert row["step_ms"] == pytest.approx(64_000 / row["examples_per_s"])
    assert 0.1 < row["limit_share"] / (row["examples_per_s"] / row["limit_examples_per_s"]) < 10  # medians of 3
    assert row["torch_threads"] == 2
    assert torch.get_num_threads() == threads
    assert (row["precision"], row["compiled"], row["parts"], row["device"]) == ("fp32", False, 1, "cpu")
    assert sum(line.endswith("matrix products alone") for line in told) == 3


def test_the_limit_has_every_weight_that_counts():
    shape = NetworkShape(values=8, width=12, layers=2, heads=2, feed_forward=20, policy_hidden=7, value_hidden=5)
    net = seeded_network(shape, seed=0)
    weights = sum(p.numel() for p in net.parameters() if p.ndim == 2)
    unused = 2 * 2 * 12 * 12  # queries and keys of two layers
    config = TrainingConfig(critic_width=9, critic_layers=1)
    layers = matrix_products.linear_layers(shape, config)
    assert sum(inputs * outputs for inputs, outputs, _ in layers) == weights - unused
    assert matrix_products.flops_a_row(shape, config) == 6 * (weights - unused) - 2 * 256 * 12
    net = seeded_network(OutcomeShape(width=12, layers=2), seed=0)
    weights = sum(p.numel() for p in ActorCritic(net, width=9, layers=1).parameters() if p.ndim == 2)
    details = net.detail.weight.numel()
    layers = matrix_products.linear_layers(net.shape, config)
    assert sum(inputs * outputs for inputs, outputs, _ in layers) == weights - details


@pytest.mark.usefixtures("small_networks")
def test_designs_of_one_leaf_play_the_same_and_virtual_loss_does_not(monkeypatch):
    monkeypatch.setattr(compare, "LEVELS", {"tiny": "2x12"})
    rows = compare.bench_compare(SMALL_NET, levels=["tiny"], threads=[1], seconds=0.3, policy_rounds=4, deals=4)
    assert [row["design"] for row in rows] == [design.name for design in designs.designs(2)]
    assert rows[0]["speedup"] == 1
    assert rows[0]["policy_tv_mean"] == 0
    for row in rows:
        lossy = str(row["design"]).startswith("virtual loss")
        assert (row["exact_tv_max"] > 0) == lossy, row
        assert ("points_low" in row) == lossy
        # A mean may be above the 95th percentile: few decisions, and a far one among them.
        assert 0 <= row["policy_tv_mean"] <= 1
        assert 0 <= row["policy_tv_p95"] <= 1


def test_distances_are_those_of_the_decisions_that_both_runs_met():
    class Records:
        def __init__(self, rows):
            self.round = np.array([number for number, _, _ in rows])
            self.features = np.array([[state] * 4 for _, state, _ in rows], np.uint8)
            self.policy = np.array([policy for _, _, policy in rows], np.float16)

    reference = Records([(0, 1, [1, 0]), (0, 2, [0.5, 0.5]), (1, 1, [0, 1])])
    played = Records([(0, 1, [0.75, 0.25]), (0, 9, [1, 0]), (1, 1, [0, 1])])
    np.testing.assert_allclose(compare.policy_distances(played, reference), [0.25, 0])


@pytest.mark.usefixtures("small_networks")
def test_tuning_measures_what_auto_takes_and_what_lies_around_it(monkeypatch):
    monkeypatch.setattr(tune, "PASSES", 2)
    monkeypatch.setattr(tune, "BATCH_ROWS", (0.25, 2))
    monkeypatch.setattr(tune, "ROUNDS_IN_FLIGHT", (0.5,))
    tuning = tune.bench_tune(SMALL_NET, seconds=0.2)
    rows, in_flight = 2048, 5 * 2048 // 2
    assert tuning.sizes == Sizes(batch_rows=rows, rounds_in_flight=in_flight, search_threads=1, evaluator_threads=1)
    assert [(row["batch_rows"], row["rounds_in_flight"], row["choice"]) for row in tuning.rows] == [
        (rows // 4, in_flight // 4, ""),
        (rows, in_flight // 2, ""),
        (rows, in_flight, "auto"),
        (2 * rows, 2 * in_flight, ""),
    ]
    for row in tuning.rows:
        assert row["rounds_per_min"] > 0
        assert 0 < row["batch_fill_mean"] <= 1
        assert row["limit_share"] == pytest.approx(
            row["evaluations_per_s"] / min(row["inference_limit"], row["search_limit"])
        )

    shown = tune_advice.for_screen(tuning)
    assert [row["choice"] for row in shown] == ["", "", "auto", ""]
    assert all(row[name] is not None for row in shown for name in tune.COLUMNS)


def tuned(noise, **gains):
    """A tuning on a CPU of two threads, with the gain of each other try over `auto`."""
    rows = [
        {"batch_rows": 512, "rounds_in_flight": 854, "against_auto": 0.9},
        {"batch_rows": 1024, "rounds_in_flight": 1707, "against_auto": 1.0},
        {"batch_rows": 2048, "rounds_in_flight": 3414, "against_auto": 1 + gains.get("batch", 0)},
        {"batch_rows": 1024, "rounds_in_flight": 2731, "against_auto": 1 + gains.get("in_flight", 0)},
    ]
    sizes = Sizes(batch_rows=1024, rounds_in_flight=1707, search_threads=2, evaluator_threads=2)
    return tune.Tuning(rows=rows, sizes=sizes, leaves=3, noise=noise, device="cpu")


def test_what_auto_takes_is_explained_and_another_size_is_named_if_it_is_better():
    text = "\n".join(tune_advice.explain(tuned(0.02, batch=0.1, in_flight=-0.05)))
    assert "auto takes 1,024" in text
    assert "auto takes 1,707; 3 leaves of each wait at a time, which fills 5 batches" in text
    assert "With 2,048 it was 10.0% faster, more than noise: --set selfplay.batch_rows=2048" in text
    assert "The fastest other, 2,731, was 5.0% slower." in text
    assert "selfplay.rounds_in_flight=" not in text


def test_what_is_within_the_noise_is_not_recommended():
    text = "\n".join(tune_advice.explain(tuned(0.2, batch=0.1, in_flight=0.1)))
    assert "--set" not in text
    assert "The fastest other, 2,048, was 10.0% faster, which is within the noise." in text


def test_the_peak_of_memory_can_be_forgotten():
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux can")
    forget_peak_memory()
    np.ones(50_000_000, np.uint8)
    before = peak_memory()
    forget_peak_memory()
    assert peak_memory() < before - 40_000_000


def test_an_iteration_is_played_and_learned(monkeypatch):
    steps_before = []
    of_learner = Learner.train

    def watched(learner, *arguments, **options):
        steps_before.append(len(learner.optimizer.state))
        return of_learner(learner, *arguments, **options)

    monkeypatch.setattr(Learner, "train", watched)
    network = {name: size for name, size in SMALL.items() if name != "values"}
    config = parse_config(
        {
            "game": {"cards": 3},
            "search": {"worlds": 2, "simulations": 6},
            "selfplay": {"rounds": 60, "batch_rows": 32},
            "network": network,
            "training": {"epochs": 2, "batch_size": 64},
        },
        source="test",
    )
    _assert_played_and_learned(iteration.bench_iteration(config, device="cpu"), steps_before)


def test_an_iteration_without_search_is_played_and_learned(monkeypatch):
    steps_before = []
    of_learner = Learner.train

    def watched(learner, *arguments, **options):
        steps_before.append(len(learner.optimizer.state))
        return of_learner(learner, *arguments, **options)

    monkeypatch.setattr(Learner, "train", watched)
    config = parse_config(
        {
            "game": {"cards": 3},
            "selfplay": {"agent": "policy", "rounds": 60, "batch_rows": 32},
            "network": {"kind": "outcome", "width": 16, "layers": 2},
            "training": {"batch_size": 64},
        },
        source="test",
    )
    _assert_played_and_learned(iteration.bench_iteration(config, device="cpu"), steps_before)


def _assert_played_and_learned(row, steps_before):
    assert row["rounds"] == 60
    assert row["rows"] > 60 * 4
    assert row["iteration_seconds"] == pytest.approx(row["selfplay_seconds"] + row["training_seconds"])
    assert steps_before[0] > 0, "the learner has taken steps, and so is compiled, before its clock starts"
