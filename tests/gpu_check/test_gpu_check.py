"""The command for a machine with a GPU, with small sizes on the CPU."""

import json
import os
import subprocess
import sys

import pytest

from blob_zero.gpu_check import __main__ as command
from blob_zero.gpu_check.registry import Check


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["gpu_check", *map(str, arguments)])
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    status = command.main()
    return status, capsys.readouterr().out


def test_every_check_passes_on_a_cpu_but_for_those_that_need_a_gpu(tmp_path):
    arguments = ["-m", "blob_zero.gpu_check", "--device", "cpu", "--small", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "gpu_check.json").read_text())
    outcomes = {check["name"]: check["outcome"] for check in results["checks"]}
    assert {name for name, outcome in outcomes.items() if outcome == "no GPU"} == {
        "memory short in capture",
        "memory short in a step",
    }
    assert set(outcomes.values()) == {"ok", "no GPU"}
    assert len(outcomes) >= 30
    assert "28 of 30 checks are ok" in (tmp_path / "gpu_check.txt").read_text()


def failing(_place):
    raise ValueError("a wrong number")


def test_it_goes_on_after_a_failure_and_says_at_the_end_what_failed(monkeypatch, capsys, tmp_path):
    checks = [Check("first", "checks", 60, failing), Check("second", "bench", 60, lambda _place: {"rate": 2.5})]
    monkeypatch.setattr(command, "all_checks", lambda: checks)
    status, printed = run(monkeypatch, capsys, "--device", "cpu", "--small", "--out", tmp_path)
    assert status == 1
    assert "1 of 2 checks are ok" in printed
    assert "ValueError: a wrong number" in printed.partition("checks are ok")[2]
    assert "rate 2.5" in printed
    status, printed = run(monkeypatch, capsys, "--device", "cpu", "--small", "--only", "bench", "--out", tmp_path)
    assert status == 0
    assert "first" not in printed


def test_what_there_is_no_time_for_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "all_checks", lambda: [Check("first", "checks", 60, failing)])
    status, printed = run(monkeypatch, capsys, "--device", "cpu", "--small", "--minutes", "0", "--out", tmp_path)
    assert status == 0
    assert "not run: first" in printed


@pytest.mark.parametrize(
    ("name", "seconds", "outcome"), [("no such check", 300, "failed"), ("ten shapes", 1, "too slow")]
)
def test_a_check_in_its_own_process_fails_alone_and_is_ended_in_time(
    monkeypatch, capsys, tmp_path, name, seconds, outcome
):
    monkeypatch.setattr(command, "all_checks", lambda: [Check(name, "checks", seconds, failing)])
    monkeypatch.setattr(command, "_machine", lambda _device: {})
    status, printed = run(monkeypatch, capsys, "--device", "cuda", "--out", tmp_path)
    assert status == 1
    assert printed.startswith(outcome)


def test_full_sizes_are_refused_on_a_cpu(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, capsys, "--device", "cpu")
    assert "give --small with --device cpu" in capsys.readouterr().err
