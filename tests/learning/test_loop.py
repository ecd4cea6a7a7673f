import polars as pl
import pytest
import torch
from support.training_fakes import SMALL, FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config

from blob_zero.errors import CheckpointError, ConfigError, DeviceError
from blob_zero.learning.loop import train
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.checkpoint import checkpoint_paths, load_checkpoint
from blob_zero.run.weights_file import load_network

TIMES = ("selfplay_seconds", "training_seconds", "judging_seconds", "commit_seconds", "examples_per_second")


def run(folder, config=None, *, worker=None, judge=None, display=None, **options):
    return train(
        config or small_config(),
        folder,
        display=display or SilentDisplay(),
        device="cpu",
        worker=worker or FakeWorker(),
        judge=judge or FakeJudge(),
        **options,
    )


def final_bytes(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in checkpoint_paths(folder / "checkpoints")[-1].glob("*.safetensors")}


def metrics(folder) -> pl.DataFrame:
    return pl.read_parquet(folder / "metrics.parquet").drop(TIMES)


def test_a_run_learns_from_fresh_rounds_of_the_newest_network(tmp_path):
    worker = FakeWorker()
    run(tmp_path, worker=worker)
    assert [(first, count) for _, first, count in worker.calls] == [(0, 10), (10, 10), (20, 10)]
    assert len({seed for seed, _, _ in worker.calls}) == 1
    assert len(set(worker.fingerprints)) == 3
    frame = metrics(tmp_path)
    assert frame["iteration"].to_list() == [1, 2, 3]
    assert frame["rounds"].to_list() == [10, 20, 30]
    assert frame["replay_rows"].to_list() == [100, 200, 250]
    assert frame["steps"].to_list() == [6, 10, 14]  # from the second iteration on one round, of 10 rows, is held out
    assert frame["rounds_per_minute"].to_list() == [600.0] * 3
    assert frame["batch_fill"].to_list() == [0.25] * 3


def test_the_last_table_is_of_fresh_deals(tmp_path):
    judge = FakeJudge()
    standings = run(tmp_path, judge=judge)
    assert [standing.opponent for standing in standings] == ["untrained", "random", "rule"]
    measured, final = judge.matches[:-3], judge.matches[-3:]
    assert {deals for _, deals, _ in measured} == {11}
    assert {deals for _, deals, _ in final} == {22}
    # Every measurement is on the same deals, so that the curve compares; the last one on deals of its own.
    assert len({seed for _, _, seed in measured}) == 1
    assert not {seed for _, _, seed in measured} & {seed for _, _, seed in final}
    assert [opponent for opponent, _, _ in final[1:]] == ["random", "rule"]
    untrained = load_network(tmp_path / "checkpoints" / "000000")
    assert isinstance(final[0][0], BlobNet)
    assert fingerprint(final[0][0]) == fingerprint(untrained)
    assert fingerprint(load_network(tmp_path)) != fingerprint(untrained)


def test_measurements_come_every_few_iterations_and_last(tmp_path):
    run(tmp_path, small_config(evaluation={"every": 2}))
    assert [value is not None for value in metrics(tmp_path)["rule_difference"]] == [False, True, True]


@pytest.mark.parametrize("stop_at", [0, 1, 2])
@pytest.mark.parametrize("promotion", [True, False])
def test_a_stopped_run_ends_with_the_same_bytes(tmp_path, stop_at, promotion):
    config = small_config(promotion={"enabled": promotion})
    run(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", config, worker=FakeWorker(stop_at=stop_at))
    worker, display = FakeWorker(), SilentDisplay()
    run(tmp_path / "stopped", config, worker=worker, display=display)
    assert len(worker.calls) == 3 - stop_at
    assert f"after iteration {stop_at} of 3" in display.messages[0]
    assert final_bytes(tmp_path / "stopped") == final_bytes(tmp_path / "whole")
    assert metrics(tmp_path / "stopped").equals(metrics(tmp_path / "whole"))


def test_another_seed_is_another_run(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b", small_config(run={"seed": 6}))
    assert final_bytes(tmp_path / "a")["weights.safetensors"] != final_bytes(tmp_path / "b")["weights.safetensors"]


def test_a_damaged_checkpoint_costs_one_iteration(tmp_path):
    run(tmp_path / "whole")
    run(tmp_path / "hurt")
    (tmp_path / "hurt" / "checkpoints" / "000003" / "optimizer.safetensors").write_bytes(b"x")
    worker, display = FakeWorker(), SilentDisplay()
    run(tmp_path / "hurt", worker=worker, display=display)
    assert len(worker.calls) == 1
    assert "000003" in display.messages[0]
    assert final_bytes(tmp_path / "hurt") == final_bytes(tmp_path / "whole")
    assert metrics(tmp_path / "hurt").equals(metrics(tmp_path / "whole"))


def test_a_finished_run_only_makes_its_table_again(tmp_path):
    first = run(tmp_path)
    before = final_bytes(tmp_path)
    worker = FakeWorker()
    assert run(tmp_path, worker=worker) == first
    assert worker.calls == []
    assert final_bytes(tmp_path) == before


def test_other_settings_are_refused_with_what_differs(tmp_path):
    run(tmp_path)
    other = small_config(run={"iterations": 4}, search={"worlds": 5})
    with pytest.raises(ConfigError, match=r"run\.iterations: 3 there, 4 here; search\.worlds: 3 there, 5 here"):
        run(tmp_path, other)
    worker = FakeWorker()
    run(tmp_path, other, worker=worker, override=True)
    assert [first for _, first, _ in worker.calls] == [30]
    run(tmp_path, other)  # they are the run's settings now


def test_another_network_cannot_go_on(tmp_path):
    run(tmp_path)
    with pytest.raises(CheckpointError, match=r"width=16.*width=32"):
        run(tmp_path, small_config(network={"width": 32}), override=True)


def test_only_a_candidate_above_the_margin_plays(tmp_path):
    config = small_config(promotion={"enabled": True, "margin": 0.0})
    kept, promoted = FakeWorker(), FakeWorker()
    run(tmp_path / "kept", config, worker=kept, judge=FakeJudge(difference=0.4))  # lower end -0.1
    run(tmp_path / "promoted", config, worker=promoted, judge=FakeJudge(difference=0.6))  # lower end 0.1
    assert len(set(kept.fingerprints)) == 1
    assert len(set(promoted.fingerprints)) == 3
    assert metrics(tmp_path / "kept")["promoted"].to_list() == [False] * 3
    assert metrics(tmp_path / "kept")["best_iteration"].to_list() == [0, 0, 0]
    assert metrics(tmp_path / "promoted")["best_iteration"].to_list() == [1, 2, 3]
    assert fingerprint(load_network(tmp_path / "kept")) == kept.fingerprints[0]


def test_candidates_meet_the_best_on_fresh_deals(tmp_path):
    judge = FakeJudge()
    run(tmp_path, small_config(promotion={"enabled": True, "deals": 33}), judge=judge)
    seeds = [seed for _, deals, seed in judge.matches if deals == 33]
    assert len(set(seeds)) == 3


def test_old_checkpoints_go_and_the_untrained_stays(tmp_path):
    run(tmp_path, small_config(run={"iterations": 5}))
    assert [path.name for path in checkpoint_paths(tmp_path / "checkpoints")] == [
        "000000",
        "000004",
        "000005",
    ]


def test_a_device_that_is_not_there_leaves_no_folder(tmp_path):
    with pytest.raises(DeviceError):
        train(small_config(), tmp_path / "run", display=SilentDisplay(), device="cuda:99")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file"):
        run(tmp_path / "file" / "run")


def test_the_first_iterations_may_be_played_without_the_network(tmp_path):
    config = small_config(selfplay={"rounds": 10, "playout_iterations": 2})
    nets = []

    class Worker(FakeWorker):
        def play(self, net, rounds, **arguments):
            nets.append(net)
            return super().play(net or BlobNet(**SMALL), rounds, **arguments)

    train(config, tmp_path / "run", display=SilentDisplay(), device="cpu", worker=Worker(), judge=FakeJudge())
    assert [net is None for net in nets] == [True, True, False]


def test_a_network_is_made_ready_before_the_clock_of_its_first_iteration_starts(tmp_path):
    events = []

    class Worker(FakeWorker):
        def prepare(self, net, rounds):
            assert isinstance(net, BlobNet)
            assert rounds.rounds == 10
            events.append("ready")
            return super().prepare(net, rounds)

        def play(self, net, rounds, **arguments):
            events.append("play")
            return super().play(net or BlobNet(**SMALL), rounds, **arguments)

    class Display(SilentDisplay):
        def iteration_started(self, iteration, iterations):
            del iterations
            events.append(iteration)

    config = small_config(selfplay={"rounds": 10, "playout_iterations": 1})
    run(tmp_path, config, worker=Worker(), display=Display())
    assert events == [1, "play", "ready", 2, "play", "ready", 3, "play"]


def test_versions_seed_and_hardware_are_saved(tmp_path):
    run(tmp_path)
    state = load_checkpoint(checkpoint_paths(tmp_path / "checkpoints")[-1]).state
    assert state["config"]["run"]["seed"] == 5
    assert {"python", "numpy", "torch", "polars"} <= set(state["versions"])
    assert set(state["hardware"]) == {"cpu", "cpu_features", "cores", "memory_bytes", "system"}
    assert state["hardware"]["cores"] >= 1
    assert state["hardware"]["memory_bytes"] > 1e8


def test_the_sizes_that_were_chosen_are_saved(tmp_path):
    run(tmp_path)
    state = load_checkpoint(checkpoint_paths(tmp_path / "checkpoints")[-1]).state
    assert state["sizes"] == {"batch_rows": 30, "rounds_in_flight": 9, "search_threads": 1, "evaluator_threads": 2}


@pytest.mark.parametrize("difference", [0.4, 0.6])  # never promoted, always promoted
def test_every_network_that_played_has_a_rating(tmp_path, difference):
    config = small_config(promotion={"enabled": True}, evaluation={"opponents": ["rule", "rollout:1x2"]})
    run(tmp_path, config, judge=FakeJudge(difference))
    frame = metrics(tmp_path)
    before, after = (load_checkpoint(path).state["ratings"] for path in checkpoint_paths(tmp_path / "checkpoints")[-2:])
    assert set(after) == {*(f"iteration {k}" for k in range(4)), "rule", "rollout:1x2"}
    assert after["rule"][0] == 0
    best = "iteration 3" if difference > 0.5 else "iteration 0"
    assert [frame["rating"][-1], frame["rating_sigma"][-1]] == after[best]
    assert frame["rollout_difference"].to_list() == [difference] * 3
    # A network that is measured a second time plays the same match again, which is no new evidence.
    assert (after["rollout:1x2"] == before["rollout:1x2"]) == (difference < 0.5)


def test_a_network_that_met_nobody_has_no_rating(tmp_path):
    run(tmp_path, small_config(evaluation={"every": 3}))
    assert [value is not None for value in metrics(tmp_path)["rating"]] == [False, False, True]


def test_settings_follow_their_schedules(tmp_path):
    config = small_config(
        selfplay={"rounds": {"from": 10, "to": 30, "over": 2}, "simulations": {"from": 4, "to": 6, "over": 2}},
        training={"epochs": {"from": 1, "to": 3, "over": 1}, "replay_rows": 10_000},
    )
    worker = FakeWorker(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, config, worker=worker)
    later = FakeWorker()
    run(tmp_path, config, worker=later)
    assert [(first, count) for _, first, count in worker.calls + later.calls] == [(0, 10), (10, 20), (30, 30)]
    assert worker.searches + later.searches == [(None, 4), (None, 5), (None, 6)]
    # Ten rows a round in batches of 32, once in the first iteration and three times in the others.
    assert metrics(tmp_path)["steps"].to_list() == [100 // 32, 3 * (290 // 32), 3 * (570 // 32)]


@pytest.mark.parametrize("settings", [{"threads": 100_000}, {"batch_rows": 1 << 21}])
def test_what_the_core_refuses_is_refused_before_a_run_begins(tmp_path, settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"{name} is"):
        run(tmp_path / "run", small_config(selfplay=settings))
    assert not (tmp_path / "run").exists()


def test_memory_that_runs_out_anywhere_is_told_with_a_remedy(tmp_path):
    class Worker(FakeWorker):
        def play(self, *_arguments, **_more):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match=r"memory of cpu is exhausted: lower selfplay\.batch_rows"):
        run(tmp_path, worker=Worker())
    run(tmp_path)
    assert len(metrics(tmp_path)) == 3
