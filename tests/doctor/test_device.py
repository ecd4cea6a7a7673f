import warnings

import pytest
import torch
from support.examinations import failures, findings_of, run_doctor


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
