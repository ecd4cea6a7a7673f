"""Ctrl-C and SIGTERM as a user sends them: how soon the process is gone, with which status, and what it says."""

import signal
import subprocess
import sys
import time

import pytest
from support.command_line import start
from support.run_equality import committed
from support.training_fakes import SMALL, SilentDisplay, small_config

from blob_zero.config.load import load_config, to_toml
from blob_zero.errors import RunLockedError
from blob_zero.learning.loop import train
from blob_zero.run.signals import COMMIT_GRACE
from blob_zero.run.weights_file import load_network

LIMIT = 2.0
"""Seconds from the signal to the end of a process that is not in the middle of a commit."""

ENDLESS = {
    "game": {"players": 3, "cards": 2},
    "search": {"worlds": 1, "simulations": 4},
    "selfplay": {"rounds": 20, "batch_rows": 16},
    "inference": {"dtype": "fp32"},
    "evaluation": {"every": 1000, "deals": 4, "final_deals": 5},
    "run": {"iterations": 100_000, "torch_threads": 1},
}


def config_file(folder, **sections):
    path = folder / "config.toml"
    merged = {name: ENDLESS.get(name, {}) | sections.get(name, {}) for name in {**ENDLESS, **sections}}
    path.write_text(to_toml(small_config(**merged)))
    return path


def wait_for(condition, process):
    """Waits until something is so; the process must not end before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def stop(process, number):
    """Sends a signal; gives seconds until the process ended, and what it said on standard output and error."""
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return time.monotonic() - began, out, err


def test_a_run_is_its_process_alone_and_ends_soon_at_a_signal(tmp_path):
    folder, config = tmp_path / "run", config_file(tmp_path)
    process = start(tmp_path, "train", "--config", str(config), "--run-dir", str(folder), "--device", "cpu")
    wait_for((folder / "checkpoints" / "000001").exists, process)
    with pytest.raises(RunLockedError, match=f"in use by process {process.pid} on "):
        train(load_config(config), folder, display=SilentDisplay(), device="cpu")
    assert load_network(folder).shape.width == SMALL["width"]  # reading needs no lock
    # SIGTERM and going on afterwards are tested in test_crashes.py.
    seconds, out, err = stop(process, signal.SIGINT)
    assert process.returncode == 130
    assert seconds < COMMIT_GRACE + LIMIT  # it may be in the middle of a commit, and other work may keep the disk busy
    assert "same command goes on" in out
    assert err == ""
    assert not list(folder.rglob("*.partial"))
    assert committed(folder) > 0


def test_in_native_code_and_at_a_second_signal_it_ends_without_the_main_thread():
    # Native code runs on after a signal, and what swallows the exception (a destructor, say) is not ours to know.
    script = """if True:
        import ctypes
        from blob_zero.run.signals import stoppable
        with stoppable("last words"):
            print("ready", flush=True)
            while True:
                try:
                    ctypes.CDLL(None).usleep(20_000_000)
                except KeyboardInterrupt:
                    pass
    """

    def begin():
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        return process

    first, second = begin(), begin()
    seconds, _, err = stop(first, signal.SIGTERM)
    assert first.returncode == 143
    assert 1 < seconds < LIMIT
    assert err == "last words\n"
    second.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    seconds, _, err = stop(second, signal.SIGINT)
    assert second.returncode == 130
    assert seconds < 0.5
    assert err == "last words\n"


COMMITTING = """if True:
    import os, signal, time
    from blob_zero.run import signals
    steps = []
    try:
        with signals.stoppable("last words"):
            with signals.held():
                os.kill(os.getpid(), signal.SIGTERM)
                {commit}
                steps.append("written")
            steps.append("too far")
    except signals.Stopped as stop:
        print(steps, signals.exit_status(stop))
"""
"""A process that is stopped while it commits."""


def test_a_commit_of_seconds_ends_before_the_signal_is_answered():
    script = COMMITTING.format(commit="time.sleep(signals.GRACE + 0.5)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "['written'] 143\n"
    assert done.returncode == 0


@pytest.mark.parametrize("reason", ["second signal", "too long"])
def test_a_commit_is_not_waited_for_at_a_second_signal_or_for_ever(reason):
    commit = {
        "second signal": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        "too long": "time.sleep(60)",
    }[reason]
    script = COMMITTING.format(commit=commit).replace("steps = []", "steps = []; signals.COMMIT_GRACE = 0.2")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == (130 if reason == "second signal" else 143)
    assert (done.stdout, done.stderr) == ("", "last words\n")


def test_ctrl_c_during_the_imports_is_silent(tmp_path):
    # The interpreter reports each import on standard error as it ends; the signal comes after our first one.
    process = start(tmp_path, "train", "--preset", "quick", options=("-X", "importtime"))
    assert process.stderr is not None
    for line in process.stderr:
        if "blob_zero._startup" in line:
            break
    seconds, out, err = stop(process, signal.SIGINT)
    assert process.returncode == -signal.SIGINT
    assert seconds < LIMIT
    assert out == ""
    assert all(line.startswith("import time:") for line in err.splitlines()), err


def test_importing_blob_zero_leaves_other_programs_their_ctrl_c():
    script = "import signal, blob_zero; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
