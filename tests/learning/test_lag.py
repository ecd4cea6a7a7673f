"""`selfplay.lag = 1`: an iteration is played by the network before the newest, however often the run is stopped."""

import pytest
from support.run_equality import assert_same_end
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config

from blob_zero.learning.loop import train
from blob_zero.run.checkpoint import load_checkpoint
from blob_zero.run.weights_file import load_network


def run(folder, config, worker=None, **options):
    worker = worker or FakeWorker()
    train(config, folder, display=SilentDisplay(), device="cpu", worker=worker, judge=FakeJudge(), **options)
    return worker


def lagging(**sections):
    return small_config(run={"iterations": 4, "keep_checkpoints": 9}, selfplay={"lag": 1}, **sections)


def trained(folder):
    """What the network after each iteration is known by, the untrained one first."""
    return [fingerprint(load_network(path)) for path in sorted((folder / "checkpoints").iterdir())]


def test_an_iteration_is_played_by_the_network_before_the_newest(tmp_path):
    worker = run(tmp_path, lagging())
    networks = trained(tmp_path)
    assert len(set(networks)) == 5
    assert worker.fingerprints == [networks[0], networks[0], networks[1], networks[2]]


def test_without_a_lag_the_newest_plays_and_nothing_is_begun_early(tmp_path):
    worker = run(tmp_path, small_config(run={"iterations": 4, "keep_checkpoints": 9}))
    assert worker.fingerprints == trained(tmp_path)[:-1]
    assert worker.begun == []
    assert "player.safetensors" not in {path.name for path in (tmp_path / "checkpoints" / "000004").iterdir()}


def test_what_is_begun_is_what_is_played_next(tmp_path):
    worker = run(tmp_path, lagging())
    played = [(first, net) for (_, first, _), net in zip(worker.calls, worker.fingerprints, strict=True)]
    assert worker.begun == played[1:]


@pytest.mark.parametrize("stop_at", [1, 2, 3])
@pytest.mark.parametrize("promotion", [True, False])
def test_a_stopped_run_ends_with_the_same_bytes(tmp_path, stop_at, promotion):
    config = lagging(promotion={"enabled": promotion, "margin": -1.0})
    run(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", config, FakeWorker(stop_at=stop_at))
    run(tmp_path / "stopped", config)
    assert_same_end(tmp_path / "stopped", tmp_path / "whole")


def test_a_run_may_get_a_lag_later(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, small_config(run={"iterations": 4, "keep_checkpoints": 9}), FakeWorker(stop_at=2))
    worker = run(tmp_path, lagging(), override=True)
    networks = trained(tmp_path)
    assert worker.fingerprints == [networks[2], networks[2]]
    assert "player" in load_checkpoint(tmp_path / "checkpoints" / "000004").networks
