"""The ring of a run on disk: files of rows that checkpoints share."""

import polars as pl
import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.errors import CheckpointError
from blob_zero.learning.loop import train
from blob_zero.run.checkpoint import checkpoint_paths, load_checkpoint, save_checkpoint
from blob_zero.run.weights_file import load_network


def run(folder, *, worker=None, **training):
    """Three iterations of 100 rows each, or the rest of them; returns what was said."""
    display = SilentDisplay()
    train(
        small_config(training={"replay_rows": 250, **training}, run={"iterations": 5, "keep_checkpoints": 2}),
        folder,
        display=display,
        device="cpu",
        override=True,
        worker=worker or FakeWorker(),
        judge=FakeJudge(),
    )
    return display.messages


def stop(folder, *, after, **training):
    with pytest.raises(KeyboardInterrupt):
        run(folder, worker=FakeWorker(stop_at=after), **training)


def metrics(folder):
    return pl.read_parquet(folder / "metrics.parquet")


@pytest.mark.parametrize("capacity", [450, 350, 120])
def test_the_ring_may_change_its_size_and_keeps_the_newest_rows(tmp_path, capacity):
    stop(tmp_path, after=3, replay_rows=250)
    run(tmp_path, replay_rows=capacity)
    frame = metrics(tmp_path)
    # Three files of 100 rows were in the smaller ring, the oldest in part.
    assert frame["replay_rows"].to_list() == [100, 200, 250, min(capacity, 400), min(capacity, 500)]
    assert frame["skipped_steps"].to_list() == [0] * 5


def test_a_commit_writes_the_new_rows_alone(tmp_path):
    stop(tmp_path, after=2)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "replay").iterdir()}
    assert sorted(before) == ["000001.safetensors", "000002.safetensors"]
    stop(tmp_path, after=1)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "replay").iterdir()}
    assert sorted(after) == [*sorted(before), "000003.safetensors"]
    assert {name: after[name] for name in before} == before
    row_bytes = 256 + 52 + 2 * 52 + 4 * 8 + 1
    assert (tmp_path / "replay" / "000003.safetensors").stat().st_size < 100 * row_bytes + 1000


def test_files_that_no_checkpoint_needs_go(tmp_path):
    run(tmp_path, replay_rows=150)
    names = [path.name for path in sorted((tmp_path / "replay").iterdir())]
    # Of iterations 4 and 5, which are kept, each needs the two newest files for 150 rows.
    assert names == ["000003.safetensors", "000004.safetensors", "000005.safetensors"]


@pytest.mark.parametrize("damage", ["missing", "changed", "truncated"])
def test_rows_that_are_damaged_are_named_and_cost_nothing_else(tmp_path, damage):
    stop(tmp_path, after=3)
    path = tmp_path / "replay" / "000002.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        rest = bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(content[:middle] + (rest if damage == "changed" else b""))
    worker = FakeWorker()
    said = run(tmp_path, worker=worker)
    (line,) = [line for line in said if "000002.safetensors" in line]
    assert "going on without its 100 rows" in line
    assert len(worker.calls) == 2
    assert metrics(tmp_path)["replay_rows"].to_list() == [100, 200, 250, 250, 250]


def test_a_checkpoint_of_another_format_is_refused_and_its_network_can_be_used(tmp_path):
    stop(tmp_path, after=1)
    path = checkpoint_paths(tmp_path / "checkpoints")[-1]
    checkpoint = load_checkpoint(path)
    state = {name: value for name, value in checkpoint.state.items() if name != "format"}
    save_checkpoint(path.parent, type(checkpoint)(**{**vars(checkpoint), "state": state}))
    with pytest.raises(CheckpointError, match=r"iteration 1 has format 1, .*continues format 4: use the version"):
        run(tmp_path)
    load_network(tmp_path)


def test_held_out_rounds_are_measured_and_never_trained_on(tmp_path):
    run(tmp_path)
    frame = metrics(tmp_path)
    # Rounds 19 and 39, of ten rows each; the ring of 250 rows has both in iteration 4.
    assert frame["held_out_rows"].to_list() == [None, 10, 10, 20, 10]
    assert frame["held_out_policy_loss"][1] > frame["held_out_policy_kl"][1] > 0
    assert frame["held_out_value_loss"][4] > 0


def test_the_time_of_a_commit_stands_in_the_row_after_it(tmp_path):
    stop(tmp_path, after=2)
    run(tmp_path)
    seconds = metrics(tmp_path)["commit_seconds"].to_list()
    assert [value is None for value in seconds] == [False, False, True, False, False]
