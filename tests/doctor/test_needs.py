import errno
import shutil
from types import SimpleNamespace

import pytest
import torch
from support.disk_faults import BrokenDisk
from support.examinations import CONFIG, failures, findings_of, run_doctor

from blob_zero.doctor.needs import Needs
from blob_zero.machine.memory import available_memory
from blob_zero.run.checkpoint import checkpoint_paths

NEEDS = {"memory": {"replay ring": 0}, "gpu_memory": {}, "checkpoint": 10**6, "disk": 10**9}


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (errno.EROFS, "Read-only file system", "make its file system writable"),
        (errno.ENOSPC, "No space left", "free some space there"),
    ],
)
def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path, settings, error, words, remedy):
    with BrokenDisk(tmp_path, error, at=1, times=1000).watched():  # root may write where modes forbid it
        found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["disk", "writable"].mark == "failure"
    assert words in found["disk", "writable"].found
    assert remedy in found["disk", "writable"].remedy
    assert "--run-dir" in found["disk", "writable"].remedy
    assert list(tmp_path.iterdir()) == [settings]


def test_a_file_in_the_place_of_the_folder_is_a_failure(monkeypatch, capsys, settings):
    arguments = ("--config", settings, "--run-dir", settings, "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert status == 1
    assert ("disk", "writable") in failures(found)


@pytest.mark.parametrize(("share", "mark"), [(0.9, "failure"), (1.1, "warning"), (2, "ok")])
def test_space_is_compared_with_what_the_run_needs(monkeypatch, tmp_path, settings, share, mark):
    usage = SimpleNamespace(free=int(share * Needs(CONFIG, device=torch.device("cpu")).disk))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")["disk", "space"]
    assert (found.mark, found.figures["free_bytes"]) == (mark, usage.free)
    assert found.figures["needed_bytes"] == Needs(CONFIG, device=torch.device("cpu")).disk


def test_needs_hold_for_a_real_run(finished):
    needs = Needs(CONFIG, device=torch.device("cpu"))
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in checkpoint_paths(finished / "checkpoints")]
    # Parquet and JSON have a fixed part of some ten kilobytes, which only a run as small as this one notices.
    assert needs.checkpoint / 2 < max(sizes) <= needs.checkpoint + 50_000
    assert len(sizes) <= CONFIG.run.keep_checkpoints + 2


def test_rows_of_who_looks_on_are_counted():
    seeing = CONFIG.model_copy(update={"search": CONFIG.search.model_copy(update={"own_view": True})})
    plain, twice = (Needs(config, device=torch.device("cpu")) for config in (CONFIG, seeing))
    assert twice.memory["records of an iteration"] == pytest.approx(
        2 * plain.memory["records of an iteration"], rel=0.01
    )
    assert twice.memory["rounds in flight"] >= plain.memory["rounds in flight"]


def test_files_that_are_there_are_not_needed_again(monkeypatch, finished):
    """Rows of the replay ring lie beside the checkpoints, in a folder of their own."""
    monkeypatch.setattr("blob_zero.doctor.needs.Needs.__init__", lambda self, *_, **__: vars(self).update(NEEDS))
    found = findings_of(run_dir=finished, device="cpu")["disk", "space"]
    there = sum(path.stat().st_size for part in ("checkpoints", "replay") for path in (finished / part).rglob("*.*"))
    assert any((finished / "replay").iterdir())
    assert found.figures["needed_bytes"] == NEEDS["disk"] - there


def test_too_little_memory_is_a_failure(monkeypatch, tmp_path, settings):
    monkeypatch.setattr("blob_zero.doctor.needs.available_memory", lambda: (10**8, 10**8))
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")["memory", "memory"]
    assert found.mark == "failure"
    assert "replay ring" in found.found
    assert "replay_rows" in found.remedy


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/job", {"job/memory.max": 5_000_000, "job/memory.current": 2_000_000, "memory.max": "max"}),
        ("0::/not/seen/from/here", {"memory.max": 5_000_000, "memory.current": 2_000_000}),
        (
            "4:memory:/job",
            {"memory/job/memory.limit_in_bytes": 5_000_000, "memory/job/memory.usage_in_bytes": 2_000_000},
        ),
    ],
)
def test_limits_of_control_groups_count(monkeypatch, tmp_path, membership, files):
    own = tmp_path / "own"
    own.write_text(f"{membership}\n")
    for name, content in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    monkeypatch.setattr("blob_zero.machine.memory.GROUPS", tmp_path / "groups")
    monkeypatch.setattr("blob_zero.machine.memory.OWN_GROUP", own)
    assert available_memory() == (5_000_000, 3_000_000)


def test_more_threads_than_cores_are_a_warning(tmp_path, settings):
    settings.write_text(settings.read_text().replace("torch_threads = 1", "torch_threads = 1000"))
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cuda:99")["CPU", "threads"]
    assert (found.mark, "set run.torch_threads to" in found.remedy) == ("warning", True)


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch, tmp_path, settings):
    def broken():
        raise OSError("the weather")

    monkeypatch.setattr("blob_zero.doctor.needs.available_memory", broken)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["memory", "memory"].mark == "failure"
    assert found["memory", "memory"].found == "not finished: OSError: the weather"
    assert found["use", "training"].mark == "ok"
