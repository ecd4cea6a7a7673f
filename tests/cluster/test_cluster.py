"""A run on a Ray cluster: its machines may fail, and the user may stop it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from support.command_line import start
from support.run_equality import assert_same_end
from support.training_fakes import SilentDisplay

from blob_zero.cluster.ray_nodes import connected
from blob_zero.config.load import parse_config, to_toml
from blob_zero.errors import ClusterError, ConfigError
from blob_zero.learning.loop import train
from blob_zero.run.signals import COMMIT_GRACE

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
    assert "raylet" not in done.stdout, "standard output is ours alone; it may be JSON"
    for lag, folder in enumerate(("cluster", "cluster-lag")):
        train(config(lag=lag), tmp_path / "alone" / folder, display=SilentDisplay(), device="cpu")
        assert_same_end(tmp_path / folder, tmp_path / "alone" / folder)


def marked(mark):
    """The processes that inherited a variable of the environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("BLOB_ZERO_TRIAL") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_ctrl_c_ends_a_run_on_a_cluster_soon_and_leaves_nothing_running(tmp_path):
    from support.ray_trial import SETTINGS

    # The second iteration does not end; it is begun in the background while the first one is learned from.
    endless = {"from": 20, "to": 100_000_000, "over": 1}
    settings = {**SETTINGS, "selfplay": {**SETTINGS["selfplay"], "lag": 1, "rounds": endless, "carry_over": 0}}
    path, folder, mark = tmp_path / "endless.toml", tmp_path / "run", uuid.uuid4().hex
    path.write_text(to_toml(parse_config(settings, source="test")))
    process = start(
        tmp_path,
        *("train", "--config", str(path), "--run-dir", str(folder), "--device", "cpu", "--ray", "local"),
        env={**os.environ, "BLOB_ZERO_TRIAL": mark},
    )
    while not (folder / "checkpoints" / "000001").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert len(marked(mark)) > 3, "Ray's processes are recognized"
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < COMMIT_GRACE + 5  # two seconds where neither disk nor cores are busy
    assert process.returncode == 130
    assert "same command goes on" in out + err
    assert "Traceback" not in err
    assert psutil.wait_procs(marked(mark), timeout=30)[1] == []
    assert marked(mark) == []


def test_an_address_without_a_head_is_refused_at_once():
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))  # nobody listens
        where = f"127.0.0.1:{here.getsockname()[1]}"
        with pytest.raises(ClusterError, match=rf"{where}.*is its head running there"), connected(where):
            pass
    for where in ("10.0.0.1", "10.0.0.1:", "ray://10.0.0.1:10001/x", ":6379", "head:9999999"):
        with pytest.raises(ConfigError, match="should be auto, local or HOST:PORT"), connected(where):
            pass
