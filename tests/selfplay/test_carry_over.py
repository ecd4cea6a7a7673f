"""Rounds that one range leaves unfinished and the next one goes on with."""

import dataclasses

import numpy as np
import pytest
from support.evaluators import hashing
from support.run_equality import assert_same_end
from support.training_fakes import FakeJudge, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.errors import ConfigError
from blob_zero.learning.loop import train
from blob_zero.run.checkpoint import load_checkpoint
from blob_zero.selfplay.carry_over import CarryOver

TINY = {"players": 4, "cards": 3, "worlds": 2, "simulations": 6, "seed": 5, "batch_rows": 16}
ROWS = ["features", "legal", "policy", "values", "root_values", "round", "seat"]
ROUNDS = ["number", "points", "bids", "tricks"]


def play(rounds, *, first_round=0, carried=None, evaluator=None, **changes):
    player = bz.SelfPlay(**{**TINY, **changes}, rounds=rounds, first_round=first_round)
    return player.run(evaluator or hashing(), carried=carried)


def other(features, legal):
    policy, values = hashing()(features, legal)
    return policy[:, ::-1].copy(), -values


@pytest.fixture(scope="module")
def unfinished():
    """What rounds 0 to 19 leave, with the last 12 allowed to pause."""
    return play(20, carry_over=12)


def test_a_range_says_what_it_left(unfinished):
    left = unfinished.carry_over
    assert len(left) > 6
    assert left.round.min() > 20 - 12
    np.testing.assert_array_equal(np.sort(np.concatenate([unfinished.number, left.round])), np.arange(20))
    assert unfinished.stats.rounds == len(unfinished.number) == len(unfinished.points)
    assert (left.decisions == left.recorded).all()
    assert (np.diff(left.decisions.astype(int)) <= 1).all(), "rounds begun later stand further back"
    assert left.decisions[-1] <= 2 < left.decisions[0]
    assert len(play(20).carry_over) == 0


@pytest.mark.parametrize("own_view", [False, True])
def test_what_is_carried_over_ends_as_if_it_had_never_paused(own_view):
    unfinished = play(20, carry_over=12, own_view=own_view)
    whole = play(30, own_view=own_view)
    rest = play(10, first_round=20, carried=unfinished.carry_over, own_view=own_view)
    assert len(rest.carry_over) == 0
    np.testing.assert_array_equal(rest.number, [*unfinished.carry_over.round, *range(20, 30)])
    for names, key in ((ROWS, "round"), (ROUNDS, "number")):
        numbers = np.concatenate([getattr(unfinished, key), getattr(rest, key)])
        order = np.argsort(numbers, kind="stable")
        for name in names:
            parts = np.concatenate([getattr(unfinished, name), getattr(rest, name)])[order]
            np.testing.assert_array_equal(parts, getattr(whole, name), err_msg=name)


@pytest.mark.parametrize("threads", [1, 4])
def test_which_network_decides_what_depends_on_no_timing(unfinished, threads):
    changes = {"threads": threads, "rounds_in_flight": 3 * threads, "batch_rows": 1 + threads}
    again = play(20, carry_over=12, **changes)
    for name, array in unfinished.carry_over.arrays().items():
        assert getattr(again.carry_over, name).tobytes() == array.tobytes(), name
    ends = [
        play(10, first_round=20, carried=records.carry_over, evaluator=other, **options)
        for records, options in ((unfinished, {}), (again, changes))
    ]
    for name in ROWS + ROUNDS:
        assert getattr(ends[0], name).tobytes() == getattr(ends[1], name).tobytes(), name
    same = play(10, first_round=20, carried=unfinished.carry_over)
    assert same.policy.tobytes() != ends[0].policy.tobytes()


def test_the_state_keeps_every_byte(unfinished):
    left = unfinished.carry_over
    back = CarryOver.of_state(left.state())
    for name, array in left.arrays().items():
        assert getattr(back, name).dtype == array.dtype, name
        assert getattr(back, name).tobytes() == array.tobytes(), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": lambda x: np.full_like(x, 51)}, "none of this plan: illegal action 51"),
        ({"action": lambda x: np.full_like(x, 52)}, "carried action 52; it is below 52"),
        ({"action": lambda x: x[1:]}, r"carried action has \d+ entries for \d+ decisions"),
        ({"round": lambda x: x + np.uint64(20)}, "own rounds begin at 20"),
        ({"round": lambda x: x.astype(np.int64)}, r"carried round is .*should be an array uint64\[C\]"),
        ({"recorded": lambda x: x[1:]}, r"carried recorded has \d+ entries for \d+ rounds"),
        ({"features": lambda x: x[:, 1:]}, r"carried features has shape \(\d+, 255\).*256"),
        ({"seat": lambda x: np.full_like(x, 9)}, "carried seat 9; seats are below 8"),
        ({"seat": lambda x: np.full_like(x, 5)}, "seat 5 has a record; with 4 players seats are 0 to 3"),
    ],
)
def test_what_is_wrong_with_carried_rounds_is_named(unfinished, changes, words):
    left = unfinished.carry_over
    broken = dataclasses.replace(left, **{name: change(getattr(left, name)) for name, change in changes.items()})
    with pytest.raises(ConfigError, match=words):
        play(10, first_round=20, carried=broken)


def test_rounds_of_another_seed_are_refused(unfinished):
    with pytest.raises(ConfigError, match=r"round \d+ cannot be carried on: it is none of this plan"):
        play(10, first_round=20, carried=unfinished.carry_over, seed=6)


def test_more_than_all_rounds_cannot_pause():
    with pytest.raises(ConfigError, match="carry_over is 21; it is 0 to the number of rounds"):
        play(20, carry_over=21)


CARRYING = {
    "run": {"iterations": 4, "keep_checkpoints": 9},
    "game": {"players": 3, "cards": 3},
    "search": {"worlds": 1, "simulations": 4},
    "selfplay": {"rounds": 12, "carry_over": 1000, "batch_rows": 8, "playout_iterations": 1},
    "inference": {"dtype": "fp32"},
}


def run(folder, *, stop_after=None, **sections):
    class Stopper(SilentDisplay):
        def iteration_done(self, row):
            super().iteration_done(row)
            if row["iteration"] == stop_after:
                raise KeyboardInterrupt

    config = small_config(
        **{name: CARRYING.get(name, {}) | sections.get(name, {}) for name in {**CARRYING, **sections}}
    )
    display = Stopper()
    override = bool(sections) and folder.exists()
    train(config, folder, display=display, device="cpu", judge=FakeJudge(), override=override)
    return display


def carried(folder, iteration):
    tensors = load_checkpoint(folder / "checkpoints" / f"{iteration:06d}").tensors.get("carried", {"round": []})
    return [int(number) for number in tensors["round"]]


def test_a_run_that_is_stopped_goes_on_with_its_unfinished_rounds(tmp_path):
    whole = run(tmp_path / "whole")
    # Playouts wait for their rounds, and so does the last iteration, after which nobody would finish them.
    assert [carried(tmp_path / "whole", iteration) for iteration in (0, 1, 4)] == [[], [], []]
    for iteration in (2, 3):
        numbers = carried(tmp_path / "whole", iteration)
        assert len(numbers) > 4
        assert set(numbers) <= set(range(12 * (iteration - 1), 12 * iteration))
    # The last iteration also finishes what the one before it began.
    assert whole.rows[3]["rows"] > whole.rows[1]["rows"]
    for stop_after in (2, 3):
        folder = tmp_path / f"stopped after {stop_after}"
        with pytest.raises(KeyboardInterrupt):
            run(folder, stop_after=stop_after)
        run(folder)
        assert_same_end(folder, tmp_path / "whole")


def test_unfinished_rounds_of_another_game_are_dropped_and_that_is_said(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", stop_after=2)
    display = run(tmp_path / "run", game={"cards": 4})
    assert any("unfinished rounds are of another game or seed; they are dropped" in line for line in display.messages)
