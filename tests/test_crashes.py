"""Real self-play in real processes that are killed, stopped and hurt. `make soak` goes on for minutes."""

import pytest
from crash_trials import KINDS, Trials


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    return Trials(tmp_path_factory.mktemp("trials"), seed=1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "damage"])
def test_a_run_that_is_hurt_again_and_again_ends_the_same(trials, kind):
    trials.one_run(kinds=(kind,), attempts=4)
    assert trials.tally.faults[kind] > 0


def test_damaged_files_cost_no_more_than_the_newest_iteration(trials):
    for _ in range(4):
        trials.one_run(kinds=("damage", "kill -9"), attempts=6)
        if trials.tally.faults["damage"]:
            return
    pytest.fail("no run came far enough to be damaged")
