import shutil
import subprocess
import sys
from importlib import metadata

import pytest
from support.command_line import command
from support.examinations import failures, findings_of, run_doctor

from blob_zero import _core
from blob_zero.doctor import Finding, Request
from blob_zero.doctor.versions import check_versions
from blob_zero.errors import ConfigError
from blob_zero.run.checkpoint import checkpoint_paths
from blob_zero.run.lock import lock_run


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
    monkeypatch.setattr("blob_zero.learning.run.FORMAT", 5)
    found = findings_of(run_dir=finished, device="cpu")["run", "checkpoint"]
    assert found.mark == "failure"
    assert "has format 4, and this version of blob-zero continues format 5" in found.found
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
