import errno
import json
import shutil
import subprocess
import sys
import warnings
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.command_line import command
from support.disk_faults import BrokenDisk
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero import _core
from blob_zero.config.load import to_toml
from blob_zero.doctor import Finding, Request, examine
from blob_zero.doctor.needs import Needs
from blob_zero.doctor.versions import check_versions
from blob_zero.errors import ConfigError
from blob_zero.inference.host_lane import HostLane
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train
from blob_zero.machine.memory import available_memory
from blob_zero.run.checkpoint import checkpoint_paths
from blob_zero.run.lock import lock_run

CONFIG = small_config(
    game={"players": 3, "cards": 2},
    search={"worlds": 1, "simulations": 4},
    selfplay={"batch_rows": 16},
)


@pytest.fixture(autouse=True)
def _torch_as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(to_toml(CONFIG))
    return path


@pytest.fixture
def finished(tmp_path):
    """The folder of a finished run, played and judged by stand-ins."""
    folder = tmp_path / "run"
    train(CONFIG, folder, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    return folder


def run_doctor(monkeypatch, capsys, *arguments):
    """Exit status and the findings of --json by section and check; each that is not ok names a remedy."""
    status, out, err = command(monkeypatch, capsys, "doctor", "--json", *map(str, arguments))
    report = json.loads(out)
    assert "Traceback" not in err
    assert status == (0 if report["healthy"] else 1)
    assert report["healthy"] == (report["failures"] == 0)
    marks = [finding["mark"] for finding in report["findings"]]
    assert (report["failures"], report["warnings"]) == (marks.count("failure"), marks.count("warning"))
    assert all(finding["remedy"] for finding in report["findings"] if finding["mark"] != "ok")
    return status, {
        (finding["section"], finding["check"]): SimpleNamespace(**finding) for finding in report["findings"]
    }


def failures(findings):
    return {where for where, finding in findings.items() if finding.mark == "failure"}


def findings_of(**request):
    """The same without the command, where only some findings matter."""
    sections = examine(Request(**request)).sections
    return {(section, finding.check): finding for section, found in sections.items() for finding in found}


def test_a_machine_that_works_has_no_failure(monkeypatch, capsys, tmp_path, settings):
    run_dir = tmp_path / "a" / "b"
    status, found = run_doctor(monkeypatch, capsys, "--config", settings, "--run-dir", run_dir, "--device", "cpu")
    assert status == 0
    assert found["versions", "torch"].found == metadata.version("torch")
    assert found["versions", "Rust core"].found.startswith(_core.__version__)
    assert found["device", "device"].found == "cpu, as asked"
    assert found["network", "folding"].figures["values"] <= 1e-5
    assert found["network", "precision"].figures["policy"] <= 0.02
    # Speed is measured here, and not taken from another machine.
    assert f"{found['network', 'speed'].figures['speedup']:.1f} times as fast" in found["network", "speed"].found
    assert "times as fast" not in found["CPU", "instructions"].found
    assert "16 of 16 rounds" in found["network", "self-play"].found
    assert found["memory", "memory"].figures["needed_bytes"] > 0
    assert found["disk", "space"].figures["free_bytes"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert "batches of 16" in found["use", "self-play"].found
    assert "on cpu" in found["use", "inference"].found
    # Nothing is left behind, and no folder is made for a run that has not begun.
    assert list(tmp_path.iterdir()) == [settings]


def test_the_screen_says_the_same_with_marks_and_remedies(monkeypatch, capsys, settings, tmp_path):
    status, out, _ = command(
        monkeypatch,
        capsys,
        "doctor",
        "--config",
        str(settings),
        "--run-dir",
        str(tmp_path / "run"),
        "--device",
        "cuda:7",
    )
    assert status == 1
    lines = [line.split() for line in out.splitlines()]
    assert ["failure", "device"] in [line[:2] for line in lines]
    assert ["ok", "writable"] in [line[:2] for line in lines]
    assert "remedy: " in out
    assert "1 failure, 2 warnings" in out  # without the device, neither the network nor what it would use is known


def test_help_names_what_is_examined(monkeypatch, capsys):
    status, out, _ = command(monkeypatch, capsys, "doctor", "--help")
    assert status == 0
    assert all(option in out for option in ("--run-dir", "--preset", "--config", "--device", "--json"))


def test_help_needs_no_torch():
    code = (
        "import sys; from blob_zero.cli.main import app; app(['doctor', '--help'], standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "False"


def test_preset_and_file_exclude_each_other(monkeypatch, capsys, settings):
    status, _, err = command(monkeypatch, capsys, "doctor", "--preset", "quick", "--config", str(settings))
    assert status == 2
    assert "one of --preset NAME and --config FILE" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [("[trainin]\n", "did you mean 'training'?"), ("[run", "not valid TOML"), (None, "cannot read")],
)
def test_settings_that_cannot_be_used_are_one_failure(monkeypatch, capsys, tmp_path, text, words):
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    arguments = ("--config", path, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert status == 1
    assert failures(found) == {("run", "settings")}
    assert words in found["run", "settings"].found
    # What needs no settings is examined all the same.
    assert found["disk", "writable"].mark == "ok"
    assert found["network", "network"].found == "not checked: there are no settings that can be used"


def test_an_unknown_preset_is_a_failure(monkeypatch, capsys, tmp_path):
    status, found = run_doctor(monkeypatch, capsys, "--preset", "quik", "--run-dir", tmp_path, "--device", "cpu")
    assert status == 1
    assert "did you mean 'quick'?" in found["run", "settings"].found


# Versions


def test_packages_that_are_missing_or_out_of_range(monkeypatch):
    installed = metadata.version
    monkeypatch.setattr(
        metadata, "requires", lambda _: ["numpy>=99", "not-here-at-all>=1", "also-not; extra == 'more'"]
    )
    monkeypatch.setattr(metadata, "metadata", lambda name: Metadata(installed(name), "more"))
    found = {finding.check: finding for finding in check_versions()}
    assert (found["numpy"].mark, found["numpy"].remedy) == ("failure", "pip install 'numpy>=99'")
    assert (found["not-here-at-all"].mark, found["not-here-at-all"].figures["usable"]) == ("failure", False)
    assert (found["extra more"].mark, found["extra more"].remedy) == ("ok", "if wanted: pip install 'blob-zero[more]'")


class Metadata(dict):
    def __init__(self, version, *extras):
        super().__init__({"Version": version, "Requires-Python": ">=3.11"})
        self.extras = extras

    def get_all(self, _name):
        return list(self.extras)


def test_a_python_that_is_too_old_and_a_core_that_does_not_fit(monkeypatch):
    monkeypatch.setattr("platform.python_version", lambda: "3.9.1")
    monkeypatch.setattr(_core, "OPTIMIZED", False)
    found = {finding.check: finding for finding in check_versions()}
    assert found["Python"].mark == "failure"
    assert "3.9.1; should be >=3.11" in found["Python"].found
    assert (found["Rust core"].mark, "debug build" in found["Rust core"].found) == ("warning", True)
    monkeypatch.delattr(_core, "OPTIMIZED")
    found = {finding.check: finding for finding in check_versions()}
    assert (found["Rust core"].mark, found["Rust core"].figures["usable"]) == ("failure", False)


def test_a_torch_that_cannot_be_imported_ends_the_examination_with_that(monkeypatch, capsys, settings):
    monkeypatch.setitem(sys.modules, "torch", None)  # as Python marks a module that must not be imported
    status, found = run_doctor(monkeypatch, capsys, "--config", settings)
    assert status == 1
    assert failures(found) == {("versions", "torch")}
    assert "pip install --force-reinstall 'torch" in found["versions", "torch"].remedy
    assert found["all else", "all else"].found == "not checked: torch cannot be used"


def test_a_package_without_metadata_is_a_failure(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    (found,) = check_versions()
    assert (found.mark, found.check) == ("failure", "blob-zero")


def test_a_warning_without_a_remedy_cannot_be_made():
    with pytest.raises(ValueError, match="no remedy"):
        Finding("disk", "warning", "slow")


# The device


def nvidia_smi(monkeypatch, folder, *, prints="", status=0):
    """Puts a program of that name first on the PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.fixture
def _no_gpu(monkeypatch):
    """No GPU and no driver, on whatever machine this is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("blob_zero.doctor.device.shutil.which", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_gpu_that_was_asked_for_and_is_not_there_is_a_failure(monkeypatch, capsys, tmp_path, settings, device):
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", device)
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert status == 1
    assert failures(found) == {("device", "device")}
    assert f"device {device!r} is not there; here: cpu" in found["device", "device"].found
    assert found["network", "network"].found == f"not checked: the device {device} cannot be used"
    assert ("network", "precision") not in found


@pytest.mark.usefixtures("_no_gpu")
def test_auto_says_why_it_takes_the_cpu(monkeypatch, tmp_path, settings):
    request = {"config": settings, "run_dir": tmp_path / "run"}
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    found = findings_of(**request)["device", "device"]
    assert (found.mark, "no NVIDIA driver" in found.found, "install its driver" in found.remedy) == (
        "warning",
        True,
        True,
    )
    assert findings_of(**request, device="cpu")["device", "device"].mark == "ok"
    monkeypatch.setattr(torch.version, "cuda", None)
    found = findings_of(**request)["device", "device"]
    assert "built without CUDA" in found.found
    assert "--device cpu" in found.remedy


@pytest.mark.parametrize(
    ("cuda", "visible", "words", "remedy"),
    [
        (None, None, "is built without CUDA, and NVIDIA H200 is here", "install a build of PyTorch with CUDA"),
        ("13.2", None, "cannot use NVIDIA H200 with driver 470.1: too old", "a driver for CUDA 13.2 or newer"),
        ("13.2", "", "CUDA_VISIBLE_DEVICES='' shows it none of NVIDIA H200", "unset CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_gpu_that_pytorch_cannot_use_is_a_warning(monkeypatch, tmp_path, settings, cuda, visible, words, remedy):
    def complain():
        if cuda and visible is None:
            warnings.warn("too old", stacklevel=1)
        return False

    nvidia_smi(monkeypatch, tmp_path / "bin", prints="NVIDIA H200, 470.1")
    monkeypatch.setattr(torch.cuda, "is_available", complain)
    monkeypatch.setattr("blob_zero.doctor.device.resolve_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = findings_of(config=settings, run_dir=tmp_path / "run")["device", "device"]
    assert found.mark == "warning"
    assert words in found.found
    assert remedy in found.remedy


def test_a_driver_that_fails_is_said(monkeypatch, tmp_path, settings):
    nvidia_smi(monkeypatch, tmp_path / "bin", prints="Driver/library version mismatch", status=18)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    found = findings_of(config=settings, run_dir=tmp_path / "run")["device", "device"]
    assert "nvidia-smi fails: Driver/library version mismatch" in found.found
    assert "reboot" in found.remedy


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a PyTorch that cannot compute on a GPU")
def test_a_gpu_that_does_not_compute_is_a_failure(monkeypatch, tmp_path, settings):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA K80")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (3, 7))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10 * 10**9, 12 * 10**9))
    found = findings_of(config=settings, run_dir=tmp_path / "run")
    assert (
        "auto takes the first GPU: cuda:0, NVIDIA K80, compute capability 3.7, 12.0 GB"
        in found["device", "device"].found
    )
    assert found["device", "GPU"].mark == "failure"
    assert "capability 3.7" in found["device", "GPU"].remedy
    assert found["network", "network"].mark == "warning"
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cuda:7")["device", "device"]
    assert (found.mark, "cuda:0 (NVIDIA K80)" in found.found) == ("failure", True)


# The network


def test_outputs_that_are_not_finite_are_a_failure(monkeypatch, capsys, tmp_path, settings):
    honest = HostLane.evaluate

    def broken(self, features, legal):
        policy, values = honest(self, features, legal)
        values[0, 0] = np.nan
        return policy, values

    original = Inference.__init__

    def only_as_the_run_has_it(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if kwargs.get("dtype") != "fp32":
            monkeypatch.setattr(HostLane, "evaluate", broken)

    monkeypatch.setattr(Inference, "__init__", only_as_the_run_has_it)
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert status == 1
    assert failures(found) == {("network", "precision"), ("network", "self-play")}
    assert "not finite in 1 of 16 rows" in found["network", "precision"].found
    assert "not finite" in found["network", "self-play"].found


@pytest.mark.parametrize(("off", "failed"), [(0.0, False), (0.05, True)])
def test_a_precision_that_is_off_is_a_failure(monkeypatch, capsys, tmp_path, settings, off, failed):
    class Off(Inference):
        def evaluate_batch(self, features, legal):
            policy, values = super().evaluate_batch(features, legal)
            return policy, values + np.float32(off if self.dtype != torch.float32 else 0)

    monkeypatch.setattr("blob_zero.doctor.network.Inference", Off)
    text = settings.read_text()
    settings.write_text(text.replace('dtype = "auto"', 'dtype = "bf16"'))
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert (status == 1) == failed
    assert (("network", "precision") in failures(found)) == failed
    assert found["network", "precision"].figures["values"] == pytest.approx(off, abs=0.02)


def test_a_fold_that_is_off_is_a_failure(monkeypatch, tmp_path, settings):
    class Off(Inference):
        def evaluate_batch(self, features, legal):
            policy, values = super().evaluate_batch(features, legal)
            return policy, values + np.float32(1e-4 if "folded" in self.steps else 0)

    monkeypatch.setattr("blob_zero.doctor.network.Inference", Off)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "folding"].mark == "failure"
    assert "should be 1e-05" in found["network", "folding"].found


def test_a_network_that_cannot_be_compiled_is_a_warning(monkeypatch, tmp_path, settings):
    from torch._inductor.exc import InvalidCxxCompiler

    def no_compiler():
        raise InvalidCxxCompiler

    monkeypatch.setattr("blob_zero.inference.forward._compiled_answer", no_compiler)
    settings.write_text(settings.read_text().replace('compile = "auto"', "compile = true"))
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "compilation"].mark == "warning"
    assert "C++ compiler" in found["network", "compilation"].found
    assert found["network", "self-play"].mark == "ok"


def test_a_batch_too_large_for_the_memory_is_a_warning_of_its_own(monkeypatch, tmp_path, settings):
    forward, calls = HostLane.evaluate, []

    def short_once(self, features, legal):
        calls.append(len(features))
        if len(calls) == 3:  # after the plain network and the folded one
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, features, legal)

    monkeypatch.setattr(HostLane, "evaluate", short_once)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "memory"].mark == "warning"
    assert "rows at a time" in found["network", "memory"].found
    assert ("network", "compilation") not in found


# The run's folder


def test_a_run_is_found_with_its_settings(monkeypatch, capsys, finished):
    before = sorted(path for path in finished.rglob("*") if not path.name.startswith(".lock"))
    status, found = run_doctor(monkeypatch, capsys, "--run-dir", finished, "--device", "cpu")
    assert status == 0
    assert found["run", "checkpoint"].figures["iteration"] == 3
    assert str(finished) in found["run", "settings"].found
    assert "batches of 16" in found["use", "self-play"].found
    assert sorted(path for path in finished.rglob("*") if not path.name.startswith(".lock")) == before


def test_other_settings_than_the_run_has_are_a_failure(finished, settings):
    settings.write_text(settings.read_text().replace("iterations = 3", "iterations = 9"))
    found = findings_of(run_dir=finished, config=settings, device="cpu")
    assert found["run", "other settings"].mark == "failure"
    assert "run.iterations: 3 there, 9 here" in found["run", "other settings"].found


def test_settings_changed_on_the_command_line_are_those_of_the_run(finished, settings):
    settings.write_text(settings.read_text().replace("iterations = 3", "iterations = 9"))
    found = findings_of(run_dir=finished, config=settings, changes=("run.iterations=3",), device="cpu")
    assert ("run", "other settings") not in found
    with pytest.raises(ConfigError, match="--set changes the settings of"):
        Request(run_dir=finished, changes=("run.iterations=3",))


def test_a_truncated_checkpoint_is_named_and_the_one_before_is_used(finished):
    weights = checkpoint_paths(finished / "checkpoints")[-1] / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    found = findings_of(run_dir=finished, device="cpu")["run", "checkpoint"]
    assert found.mark == "warning"
    assert str(weights) in found.found
    assert found.figures == {"iteration": 2, "damaged": 1}


def test_a_checkpoint_of_another_version_is_a_failure(finished, monkeypatch):
    monkeypatch.setattr("blob_zero.learning.run.FORMAT", 3)
    found = findings_of(run_dir=finished, device="cpu")["run", "checkpoint"]
    assert found.mark == "failure"
    assert "has format 2, and this version of blob-zero continues format 3" in found.found
    assert "another --run-dir" in found.remedy


def test_no_whole_checkpoint_is_a_failure(monkeypatch, capsys, finished):
    for path in checkpoint_paths(finished / "checkpoints"):
        (path / "manifest.json").write_bytes(b"{")
    status, found = run_doctor(monkeypatch, capsys, "--run-dir", finished, "--device", "cpu")
    assert status == 1
    assert failures(found) == {("run", "checkpoint")}
    assert "no checkpoint in" in found["run", "checkpoint"].found


def test_damaged_settings_of_a_run_come_from_its_checkpoint(finished):
    path = finished / "config.toml"
    path.write_bytes(path.read_bytes()[:200])
    found = findings_of(run_dir=finished, device="cpu")
    assert found["run", "config.toml"].mark == "warning"
    assert "batches of 16" in found["use", "self-play"].found


def test_a_run_that_another_process_has_is_a_failure(monkeypatch, capsys, finished):
    with lock_run(finished):
        status, found = run_doctor(monkeypatch, capsys, "--run-dir", finished, "--device", "cpu")
    assert status == 1
    assert failures(found) == {("run", "lock")}
    assert "is in use by process" in found["run", "lock"].found
    assert "stop it" in found["run", "lock"].remedy
    # The examination itself keeps nobody out.
    with lock_run(finished):
        pass


# Memory and disk


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
