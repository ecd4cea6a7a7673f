"""A run on a Ray cluster whose machines fail ends with the bytes of a run on one machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.run_equality import assert_same_end
from support.training_fakes import SilentDisplay

from blob_zero.learning.loop import train

pytest.importorskip("ray", reason="Ray is not installed: pip install 'blob-zero[ray]'")

TESTS = Path(__file__).parents[1]


def test_a_run_whose_machines_die_and_stop_ends_with_the_bytes_of_one_machine(tmp_path):
    from support.ray_trial import config

    done = subprocess.run(
        [sys.executable, "-m", "support.ray_trial", str(tmp_path / "cluster")],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "3 workers (cpu) on 3 machines" in done.stdout
    assert "is lost" in done.stdout
    assert "another helps" in done.stdout
    for lag, folder in enumerate(("cluster", "cluster-lag")):
        train(config(lag=lag), tmp_path / "alone" / folder, display=SilentDisplay(), device="cpu")
        assert_same_end(tmp_path / folder, tmp_path / "alone" / folder)
