"""Real self-play in real processes that are killed, stopped and hurt. `make soak` goes on for minutes."""

import pytest
from support.crash_trials import CONFIGS, KINDS, Trials


@pytest.fixture(scope="module", params=CONFIGS)
def trials(tmp_path_factory, request):
    return Trials(tmp_path_factory.mktemp("trials"), CONFIGS[request.param], seed=1)


def test_a_run_that_is_hurt_again_and_again_ends_the_same(trials):
    missing = set(KINDS) - {"damage"}
    # A moment drawn at random may come after the end of the run; it then bounds the next ones.
    for _ in range(20):
        trials.one_run(kinds=tuple(sorted(missing)), attempts=2 * len(missing))
        missing -= set(trials.tally.faults)
        if not missing:
            return
    pytest.fail(f"no run was hit by {', '.join(missing)}")


def test_damage_to_a_file_is_made_good(trials):
    for _ in range(3):
        trials.one_damaged_run()
