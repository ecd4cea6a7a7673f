"""Self-play of rounds of several sizes, and learning from them."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from support.evaluators import hashing
from support.training_fakes import FakeJudge, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.errors import ConfigError
from blob_zero.learning.loop import train
from blob_zero.selfplay.worker import RoundRange, configured_self_play

SHAPES = [(3, 2, 1.0), (4, 5, 1.0), (8, 3, 2.0)]


def play(**changes):
    settings = {"worlds": 2, "simulations": 4, "rounds": 60, "seed": 3, "batch_rows": 32} | changes
    return bz.SelfPlay(**settings).run(hashing())


def test_each_round_has_the_size_that_its_number_draws():
    records = play(shapes=SHAPES)
    played = set(zip(records.players.tolist(), records.cards.tolist(), strict=True))
    assert played == {(players, cards) for players, cards, _ in SHAPES}
    for name in ("points", "bids", "tricks"):
        array = getattr(records, name)
        assert (array.shape, array.dtype.name) == ((60, 8), "int16")
        assert not array[np.arange(8) >= records.players[:, None]].any()
    np.testing.assert_array_equal(records.tricks.sum(axis=1), records.cards)
    of_row = np.searchsorted(records.number, records.round)
    players = records.players[of_row]
    np.testing.assert_array_equal(records.features[:, 228], players)
    np.testing.assert_array_equal(records.features[:, 229], records.cards[of_row])
    out = np.arange(8) >= players[:, None]
    assert not records.values[out].any()
    assert not records.root_values[out].any()
    own = 2 * records.points[of_row, records.seat] / (10 + records.cards[of_row]) - 1
    np.testing.assert_allclose(records.values[:, 0], own, atol=1e-6)
    # A later range draws the same sizes, whatever the threads.
    part = play(shapes=SHAPES, first_round=40, rounds=20, threads=3)
    assert part.features.tobytes() == records.features[records.round >= 40].tobytes()


def test_weights_share_out_decisions():
    records = play(shapes=[(3, 1, 1.0), (4, 10, 1.0)], rounds=900, worlds=1, simulations=1)
    of_row = np.searchsorted(records.number, records.round)
    long = (records.cards[of_row] == 10).mean()
    # About 70 long rounds of 900, so the share has a standard error of 0.03; rounds of one card have fewer decisions
    # than is expected of them.
    assert 0.4 < long < 0.7
    assert (records.cards == 1).sum() > 700


def test_one_shape_is_players_and_cards():
    one, other = play(shapes=[(4, 5, 7.0)]), play(players=4, cards=5)
    assert one.points.shape == (60, 4)
    assert one.features.tobytes() == other.features.tobytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no players, no cards and no shapes were given"),
        ({"players": 4, "cards": 5, "shapes": SHAPES}, "players, cards and shapes were given"),
        ({"players": 4}, "players, no cards and no shapes were given"),
        ({"shapes": []}, "shapes is empty"),
        ({"shapes": [(8, 7, 1.0)]}, "7 cards"),
        ({"shapes": [(2, 7, 1.0)]}, "2 players"),
        ({"shapes": [(4, 5, 0.0)]}, "weight is 0; the weight of a shape is a finite number above 0"),
    ],
)
def test_what_cannot_be_played_is_named(given, words):
    with pytest.raises(ConfigError, match=words):
        play(**given)


def test_a_run_learns_from_all_sizes(tmp_path):
    config = small_config(
        game={"shapes": ({"players": (3, 8), "cards": (1, 4), "weight": 1.0},)},
        run={"iterations": 2},
        search={"worlds": 1, "simulations": 4},
        selfplay={"rounds": 30, "batch_rows": 16, "carry_over": 10},
        inference={"dtype": "fp32"},
        training={"replay_rows": 5000},
    )
    display = SilentDisplay()
    train(config, tmp_path, display=display, device="cpu", judge=FakeJudge())
    for row in display.rows:
        assert 0 < row["selfplay_points"] < 14
        assert 0 < row["selfplay_exact"] < 1
        assert np.isfinite(row["value_loss"])
    files = [load_file(path) for path in sorted((tmp_path / "replay").iterdir())]
    features, values = (np.concatenate([rows[name] for rows in files]) for name in ("features", "values"))
    players, cards = features[:, 228], features[:, 229]
    assert set(zip(players.tolist(), cards.tolist(), strict=True)) == {(3, 1), (3, 4), (8, 1), (8, 4)}
    assert not values[np.arange(8) >= players[:, None]].any()


def test_self_play_of_a_run_keeps_the_rules_of_its_table():
    config = small_config(game={"rules": {"hook": False, "scoring": "exact_plus_tricks"}})
    rounds = RoundRange(first_round=0, rounds=40, seed=3)
    records = configured_self_play(config, rounds, device=torch.device("cpu")).run("uniform")
    np.testing.assert_array_equal(records.points, records.tricks + 10 * (records.bids == records.tricks))
    assert (records.bids.sum(axis=1) == config.game.cards).any()  # without the hook
