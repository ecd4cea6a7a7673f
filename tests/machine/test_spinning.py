"""Threads that wait do not take the cores from other processes."""

import os
import sys
import time
from pathlib import Path

import pytest
import torch

from blob_zero.machine.spinning import Crowding, SleepingTeam, openmp_libraries

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="GNU's OpenMP on Linux")


def threads_of_process():
    return len(list(Path("/proc/self/task").iterdir()))


@linux
def test_a_team_gives_the_process_more_openmp_threads_than_cores_until_it_is_released():
    torch.ones(1 << 20).add_(1)
    if not openmp_libraries():
        pytest.skip("PyTorch uses another OpenMP here")
    cores = len(os.sched_getaffinity(0))
    before = threads_of_process()
    team = SleepingTeam(cores + 1)
    held = threads_of_process()
    team.release()
    assert held >= before + cores + 1  # its own thread and the team's others
    end = time.monotonic() + 30
    while threads_of_process() >= held and time.monotonic() < end:
        time.sleep(0.01)
    assert threads_of_process() < held


def test_a_crowd_is_seen_at_once_and_over_after_three_quiet_seconds():
    crowding = Crowding()
    seen = [crowding.look(others=others) for others in (0.0, 0.1, 1.0, 0.0, 0.0, 0.9, *[0.1] * 6, 0.0)]
    assert seen == [False, False, True, True, True, True, *[True] * 5, False, False]
