"""A run goes on to the same end wherever it is stopped, and whatever its disk does. `make soak` tries many more."""

import errno
import hashlib
import os
import shutil

import polars as pl
import pytest
import torch
from support.disk_faults import Disk
from support.run_equality import assert_same_end, committed
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, fingerprint, small_config
from support.write_trials import ERRORS, FOREVER, break_at, go_on, run, snapshots

from blob_zero.errors import BlobError, CheckpointError
from blob_zero.learning.learner import Learner
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.atomic_files import write_atomically
from blob_zero.run.checkpoint import Checkpoint, save_checkpoint
from blob_zero.run.lock import lock_run
from blob_zero.run.weights_file import load_network


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder)
    return folder


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_process_that_dies_at_any_write_loses_no_committed_iteration(tmp_path, whole, power_cut):
    copies = snapshots(tmp_path, every=31, power_cut=power_cut)
    reached = [committed(copy) for copy in copies]
    assert reached == sorted(reached)
    assert set(reached) == {-1, 0, 1, 2, 3}
    for copy in copies:
        go_on(copy, whole)


def test_what_gets_its_name_is_on_disk_already_and_stays_there(tmp_path):
    class Strict(Disk):
        renamed = 0

        def before(self, name, path):
            if name in ("rename", "replace") and not path.name.endswith(".old") and path.name.endswith(".partial"):
                self.renamed += 1
                assert not [entry for entry in self.unsynced if entry == path or path in entry.parents]

    disk = Strict(tmp_path)
    with disk.watched():
        run(tmp_path / "run")
    assert disk.renamed > 8
    assert {path.name for path in disk.unsynced} <= {".lock", "run", tmp_path.name}, disk.unsynced


@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_fails_at_any_write_is_named_and_nothing_is_lost(tmp_path, whole, error):
    errors = []
    for at in range(3, 2000, 61):
        folder = tmp_path / str(at)
        failed, caught = break_at(folder, error, at=at, times=FOREVER)
        if not failed:
            break  # the run has fewer calls
        if caught is not None:
            errors.append(caught)
        go_on(folder, whole)
    else:
        pytest.fail("the run makes more calls than are tried")
    words = {errno.ENOSPC: "No space left on device; free some", errno.EROFS: "Read-only", errno.EIO: "check the disk"}
    assert len(errors) > 5
    for caught in errors:
        assert str(tmp_path) in str(caught)
        assert words[error] in str(caught)
        assert isinstance(caught.__cause__, OSError)


def test_a_full_disk_gets_the_space_of_half_a_checkpoint_back(tmp_path):
    class Filling(Disk):
        def before(self, name, path):
            if name == "write" and path.name == "learner.safetensors" and "000002" in str(path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        Filling(tmp_path).watched(),
        pytest.raises(CheckpointError, match=r"000002/learner.safetensors: No space left"),
    ):
        run(tmp_path)
    assert committed(tmp_path) == 1
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("stop_at", [1, 2, 3, 7, 11, 16])
def test_stopping_anywhere_changes_no_byte_of_the_end(tmp_path, whole, stop_at):
    class Stopper(SilentDisplay):
        """Interrupts the run at the n-th sign of life: in self-play, training, judging or the table."""

        calls = 0

        def __getattribute__(self, name):
            if name in ("iteration_started", "training", "judging", "iteration_done"):
                self.calls += 1
                if self.calls == stop_at:
                    raise KeyboardInterrupt
            return super().__getattribute__(name)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", display=Stopper())
    run(tmp_path / "run")
    assert_same_end(tmp_path / "run", whole)


def test_a_short_write_is_finished(tmp_path):
    # The counting disk takes half of what each write offers.
    disk = Disk(tmp_path)
    with disk.watched():
        write_atomically(tmp_path / "file", bytes(range(256)) * 9)
    assert disk.names.count("write") > 5
    assert (tmp_path / "file").read_bytes() == bytes(range(256)) * 9


@pytest.mark.parametrize("damage", ["missing", "truncated", "a bit changed", "rows lost", "a number changed"])
def test_damaged_metrics_come_back_from_the_checkpoint(tmp_path, whole, damage):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    path = folder / "metrics.parquet"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "a bit changed":  # a reader may take it for the size of something, and the process ends
        content = bytearray(path.read_bytes())
        content[54] ^= 1
        path.write_bytes(content)
    elif damage == "a number changed":
        pl.read_parquet(path).with_columns(pl.col("rows") + 1).write_parquet(path)
    else:
        pl.read_parquet(path).head(1).write_parquet(path)
    display = SilentDisplay()
    run(folder, display=display)
    assert "metrics.parquet" in display.messages[0]
    assert "from the checkpoint" in display.messages[0]
    assert_same_end(folder, whole)


@pytest.mark.parametrize("damage", ["missing", "empty", "no TOML", "cut off between two settings", "edited"])
def test_lost_settings_come_back_from_the_checkpoint(tmp_path, whole, damage):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    path = folder / "config.toml"
    text = path.read_text()
    if damage == "missing":
        path.unlink()
    else:
        cut = text.index("[search]")
        path.write_text(
            {
                "empty": "",
                "no TOML": text + "[run\n",
                "cut off between two settings": text[:cut],
                "edited": text.replace("iterations = 3", "iterations = 4"),
            }[damage]
        )
    display = SilentDisplay()
    run(folder, display=display)
    assert "config.toml" in display.messages[0]
    assert_same_end(folder, whole)
    (folder / "config.toml").unlink()
    with pytest.raises(BlobError, match=r"run\.seed: 5 there, 6 here"):
        run(folder, config=small_config(selfplay={"rounds": 3}, training={"replay_rows": 70}, run={"seed": 6}))


def test_a_checkpoint_that_may_not_be_read_is_no_damage(tmp_path, whole, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    before = committed(folder)

    digest = hashlib.file_digest

    def newest_refused(file, name):
        if "000003" in file.name:
            raise PermissionError(errno.EACCES, "Permission denied", file.name)
        return digest(file, name)

    with monkeypatch.context() as patched:
        patched.setattr("hashlib.file_digest", newest_refused)
        with pytest.raises(CheckpointError, match=r"000003.*Permission denied"):
            run(folder)
    assert committed(folder) == before


def test_a_table_that_was_played_is_not_played_again(tmp_path, whole):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    judge = FakeJudge()
    table = run(folder, judge=judge)
    assert judge.matches == []
    for damaged in ("{", "[]", "{}"):
        (folder / "standings.json").write_text(damaged)
        assert run(folder) == table
        assert_same_end(folder, whole)


def test_a_table_of_other_settings_or_weights_is_played_again(tmp_path, whole):
    for settings in ({"evaluation": {"final_deals": 23}}, {"run": {"iterations": 4}}):
        folder = tmp_path / next(iter(settings))
        shutil.copytree(whole, folder)
        judge = FakeJudge()
        config = small_config(**{"selfplay": {"rounds": 3}, "training": {"replay_rows": 70}, **settings})
        run(folder, config=config, judge=judge, override=True)
        final = settings.get("evaluation", {}).get("final_deals", 22)
        assert [deals for _, deals, _ in judge.matches[-3:]] == [final] * 3


class Poisoned(FakeWorker):
    """Spoils the learner in the given iterations, as a bug or a faulty device could."""

    def __init__(self, at, monkeypatch):
        super().__init__()
        learn = Learner.train

        def train_and_spoil(learner, *args, iteration, **options):
            metrics = learn(learner, *args, iteration=iteration, **options)
            if iteration + 1 in at:
                with torch.no_grad():
                    learner.net.position[0] = float("nan")
                learner.optimizer.state[learner.net.position]["exp_avg"][0] = float("inf")
            return metrics

        monkeypatch.setattr("blob_zero.learning.learner.Learner.train", train_and_spoil)


def test_weights_that_are_not_finite_go_back_and_the_run_goes_on(tmp_path, monkeypatch):
    display = SilentDisplay()
    with monkeypatch.context() as patched:
        run(tmp_path / "run", worker=Poisoned({2}, patched), display=display)
    (line,) = display.messages
    assert "training of iteration 2" in line
    assert "and 1 more tensor" in line
    assert "back where iteration 1 left it" in line
    frame = pl.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert frame["training_undone"].to_list() == [False, True, False]
    assert torch.isfinite(torch.tensor(fingerprint(load_network(tmp_path / "run"))))
    second = tmp_path / "run" / "checkpoints" / "000002"
    assert fingerprint(load_network(second)) != fingerprint(load_network(tmp_path / "run"))


def test_a_run_that_cannot_learn_says_so(tmp_path, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(BlobError, match=r"iteration 3 .*2 iterations before: lower"):
        run(tmp_path / "run", worker=Poisoned({1, 2, 3}, patched))
    assert committed(tmp_path / "run") == 2


def test_nothing_that_is_not_finite_is_saved(tmp_path):
    net = BlobNet(width=8, layers=1, heads=1, feed_forward=8, policy_hidden=8, value_hidden=8)
    with torch.no_grad():
        net.position[3] = float("inf")
    broken = Checkpoint(1, {"weights": net}, {"replay": {"values": torch.tensor([0.0, float("nan")])}}, {})
    with pytest.raises(CheckpointError, match=r"000001 is not written: .*weights\.position, replay\.values"):
        save_checkpoint(tmp_path, broken)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused_and_says_by_whom(tmp_path):
    with lock_run(tmp_path), pytest.raises(BlobError, match=rf"in use by process {os.getpid()} on \S+ since 2\S+:"):
        run(tmp_path)
    run(tmp_path)
