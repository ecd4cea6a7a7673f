"""A row for each optimizer step, and the same for TensorBoard."""

import errno
import importlib.util
import math
import os

import numpy as np
import polars as pl
import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.loop import train
from blob_zero.learning.run import Run
from blob_zero.metrics.log import COLUMNS, POLICY_LOSSES
from blob_zero.metrics.steps import STEP_COLUMNS, step_frame, write_steps
from blob_zero.metrics.tensorboard import tag_of


def run(folder, *, worker=None, **changes):
    display = SilentDisplay()
    train(
        small_config(**changes),
        folder,
        display=display,
        device="cpu",
        worker=worker or FakeWorker(),
        judge=FakeJudge(),
    )
    return display.messages


def steps(folder):
    return pl.read_parquet(folder / "steps" / "*.parquet")


def test_every_step_has_a_row(tmp_path):
    run(tmp_path)
    frame, metrics = steps(tmp_path), pl.read_parquet(tmp_path / "metrics.parquet")
    assert frame.columns == [column.name for column in STEP_COLUMNS]
    assert frame["step"].to_list() == list(range(1, len(frame) + 1))
    assert not frame["skipped"].any()
    means = frame.group_by("iteration", maintain_order=True).agg(pl.all().mean(), pl.len().alias("steps"))
    assert means["steps"].to_list() == metrics["steps"].to_list()
    for name in ("policy_loss", "policy_entropy", "value_loss", "value_error", "gradient_norm"):
        assert means[name].to_numpy() == pytest.approx(metrics[name].to_numpy()), name
    last = frame.group_by("iteration", maintain_order=True).last()
    assert last["learning_rate"].to_list() == metrics["learning_rate"].to_list()


def test_a_skipped_step_has_no_losses(tmp_path):
    measured = np.array([[1, 1.5, 1.0, 0.5, 0.25, 2.0], [0, 0, 0, 0, 0, 0]])
    frame = step_frame(
        ("policy_loss", "policy_entropy", "value_loss", "value_error"),
        measured,
        np.array([0.1, 0.2]),
        iteration=3,
        first_step=7,
    )
    write_steps(tmp_path, frame)
    assert all(steps(tmp_path)[loss.name].is_null().all() for loss in POLICY_LOSSES)
    assert steps(tmp_path).drop(loss.name for loss in POLICY_LOSSES).rows() == [
        (3, 7, 1.5, 1.0, 0.5, 0.25, 2.0, 0.1, False),
        (3, 8, None, None, None, None, None, 0.2, True),
    ]


@pytest.mark.parametrize("stop_at", [0, 1, 2])
def test_steps_of_a_run_that_was_stopped_are_those_of_one_that_was_not(tmp_path, stop_at):
    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", worker=FakeWorker(stop_at=stop_at))
    # An iteration that was not committed may have left its steps.
    folder = tmp_path / "stopped" / "steps"
    folder.mkdir(exist_ok=True)
    (folder / "000003.parquet").write_bytes(b"not committed")
    run(tmp_path / "stopped")
    for path in (tmp_path / "whole" / "steps").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name
    assert len(list(folder.iterdir())) == 3


def test_tensorboard_that_is_not_installed_is_named_before_anything_begins(tmp_path, monkeypatch):
    monkeypatch.setattr("blob_zero.metrics.tensorboard.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'blob-zero\[tensorboard\]'"):
        run(tmp_path / "run", run={"tensorboard": True})
    assert not (tmp_path / "run").exists()


def test_every_column_has_a_heading_and_a_name_of_its_own():
    tags = [tag_of(column.name) for column in COLUMNS]
    assert len(set(tags)) == len(tags)
    assert all(tag.count("/") == 1 for tag in tags)
    assert tag_of("rule_difference") == "rule/difference"


with_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="an extra: blob-zero[tensorboard]"
)


@with_tensorboard
def test_tensorboard_shows_each_iteration_and_step_once(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    commit = Run.commit

    def commit_and_stop(run, row=None, steps=None):
        commit(run, row, steps)
        if row is not None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("blob_zero.learning.run.Run.commit", commit_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, run={"tensorboard": True})
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, worker=FakeWorker(stop_at=1), run={"tensorboard": True})
    # The second iteration was shown, and is played again.
    (tmp_path / "checkpoints" / "000002" / "optimizer.safetensors").unlink()
    run(tmp_path, run={"tensorboard": True})
    shown = {}
    for name in ("iterations", "steps"):
        events = EventAccumulator(str(tmp_path / "tensorboard" / name))
        events.Reload()
        shown[name] = events
    metrics = pl.read_parquet(tmp_path / "metrics.parquet")
    losses = shown["iterations"].Scalars("loss/policy_loss")
    assert [event.step for event in losses] == [1, 2, 3]
    assert [event.value for event in losses] == pytest.approx(metrics["policy_loss"].to_list())
    by_step = shown["steps"].Scalars("loss/policy_loss")
    assert [event.step for event in by_step] == steps(tmp_path)["step"].to_list()
    assert all(math.isfinite(event.value) for event in by_step)


@with_tensorboard
@pytest.mark.parametrize("call", ["__init__", "flush", "close"])
def test_a_disk_that_fails_tensorboard_is_named(tmp_path, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"torch.utils.tensorboard.SummaryWriter.{call}", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*/tensorboard: No space left on device; free some"):
        run(tmp_path, run={"tensorboard": True})
