"""A network that chooses actions, for programs."""

import numpy as np
import pytest
from support.training_fakes import SMALL, FakeJudge, FakeWorker, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.loop import train
from blob_zero.model.blobnet import NetworkShape
from blob_zero.model.networks import seeded_network

QUICK = SearchOptions(worlds=2, simulations=8)


@pytest.fixture(scope="module")
def net():
    return seeded_network(NetworkShape(**SMALL, values=8), seed=3)


def positions(count):
    """Observations of rounds of many sizes, bidding and playing, in which the seat to play has a choice."""
    rng = np.random.default_rng(5)
    found = []
    while len(found) < count:
        players = int(rng.integers(3, 9))
        round_ = bz.Round(
            players=players,
            cards=int(rng.integers(1, min(52 // players, 13) + 1)),
            trump=["S", "H", "C", "D", None][rng.integers(5)],
            dealer=int(rng.integers(players)),
            seed=int(rng.integers(2**32)),
        )
        for _ in range(int(rng.integers(0, 2 * players))):
            if round_.phase != "done":
                round_.play(int(rng.choice(round_.legal_actions())))
        if round_.phase != "done":
            found.append(round_.observe())
    return found


@pytest.mark.parametrize("search", [None, QUICK])
def test_choices_are_legal_and_the_same_alone_and_together(net, search):
    player, observations = bz.Player(net, search=search, seed=7), positions(70)
    together = player.choose_many(observations)
    assert all(action in one.legal_actions() for action, one in zip(together, observations, strict=True))
    assert [player.choose(one) for one in observations[:12]] == together[:12]
    assert bz.Player(net, search=search, seed=7).choose_many(observations[::-1]) == together[::-1]
    assert len({type(action) for action in together}) == 1
    assert isinstance(together[0], int)


def test_the_seed_moves_the_search_alone(net):
    observations = positions(40)
    assert bz.Player(net, search=QUICK, seed=1).choose_many(observations) != bz.Player(
        net, search=QUICK, seed=2
    ).choose_many(observations)
    assert bz.Player(net, search=None, seed=1).choose_many(observations) == bz.Player(
        net, search=None, seed=2
    ).choose_many(observations)


def test_no_observation_is_no_choice(net):
    assert bz.Player(net, search=None).choose_many([]) == []


def test_runs_checkpoints_and_weights_files_are_read(net, tmp_path):
    config = small_config(search={"worlds": 2, "simulations": 5, "c_puct": 2.5})
    train(config, tmp_path / "run", display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    of_run = bz.Player(tmp_path / "run")
    assert of_run.search == SearchOptions(worlds=2, simulations=5, c_puct=2.5).greedy()
    checkpoint = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1]
    assert bz.Player(str(checkpoint), search=None).choose_many(positions(5)) == bz.Player(
        tmp_path / "run", search=None
    ).choose_many(positions(5))
    assert bz.Player(net).search == SearchOptions().greedy()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"search": "3x30"}, "search is '3x30'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
    ],
)
def test_what_cannot_be_used_is_refused(net, arguments, words):
    with pytest.raises(ConfigError, match=words):
        bz.Player(**({"net": net} | arguments if arguments else {}))


def test_a_seat_that_is_not_to_play_is_refused(net):
    round_ = bz.Round(players=4, cards=3, trump="S", dealer=0, seed=1)
    with pytest.raises(ConfigError, match="observation 1 is of seat 3, which is not to play"):
        bz.Player(net, search=None).choose_many([round_.observe(), round_.observe(3)])


def test_a_path_without_a_network_is_refused(tmp_path):
    with pytest.raises(CheckpointError):
        bz.Player(tmp_path / "nothing")
