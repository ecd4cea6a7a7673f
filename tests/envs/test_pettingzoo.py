"""The PettingZoo environment: PettingZoo's own tests, and rounds that equal the engine's."""

import copy
import pickle
import sys
import warnings

import numpy as np
import pytest

import blob_zero as bz

pytest.importorskip("pettingzoo", reason="needs PettingZoo: pip install 'blob-zero[pettingzoo]'")

from pettingzoo.test import api_test, seed_test

from blob_zero.envs.pettingzoo import BlobEnv, env

SETTINGS = [
    {},
    {"players": 8, "cards": 1},
    {"players": 4, "cards": 13},
    {"players": 3, "cards": 4, "whole_game": True},
    {"players": 5, "cards": 3, "rules": bz.RoundRules(hook=False, scoring="exact_plus_tricks", turn_up=True)},
    {"players": 6, "cards": 2, "whole_game": True, "rules": bz.RoundRules(turn_up=True), "render_mode": "ansi"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_passes_the_api_test(settings, capsys):
    with warnings.catch_warnings():
        # Its own advice for environments that are not on its list; masks of seats that have terminated are empty.
        for advice in (
            "Observation is not a NumPy array",
            "Observation space for each agent",
            "Action mask numpy array is",
        ):
            warnings.filterwarnings("ignore", advice)
        api_test(env(**settings), num_cycles=50)
    assert "Passed API test" in capsys.readouterr().out


@pytest.mark.parametrize("settings", SETTINGS)
def test_passes_the_seed_test(settings):
    seed_test(lambda: env(**settings), num_cycles=30)


def played(table, choose):
    """Plays an episode; returns the rewards of each seat, summed."""
    totals = dict.fromkeys(table.possible_agents, 0)
    for agent in table.agent_iter():
        observation, reward, terminated, _, _ = table.last()
        totals[agent] += reward
        table.step(None if terminated else choose(observation["action_mask"]))
    return list(totals.values())


def test_rewards_are_the_points_of_the_same_round():
    table = BlobEnv(players=5, cards=6)
    for seed in range(20):
        table.reset(seed=seed)
        round_ = table.round
        rng = np.random.default_rng(seed)

        def choose(mask, round_=round_, rng=rng):
            assert mask.sum() == len(round_.legal_actions())
            place = int(rng.choice(np.flatnonzero(mask)))
            round_.play(table.action(place))
            return place

        assert played(table, choose) == round_.scores()


def test_a_bot_of_the_package_plays_a_game_through_the_mask():
    table = BlobEnv(players=3, cards=3, whole_game=True)
    table.reset(seed=5)
    game = table.game
    totals = played(table, lambda _: table.place(bz.rule_action(table.round.observe())))
    while not game.done:
        game.play(bz.rule_action(game.round.observe()))
    assert totals == game.totals
    assert table.game.history == game.history


def test_an_observation_is_the_engines_and_only_the_seat_to_play_may_act():
    table = BlobEnv()
    table.reset(seed=1)
    for seat, agent in enumerate(table.possible_agents):
        observed = table.observe(agent)
        assert np.array_equal(observed["observation"], table.round.observe(seat).encode())
        assert observed["action_mask"].any() == (agent == table.agent_selection)


def test_an_action_that_the_mask_forbids_is_refused_and_changes_nothing():
    table = BlobEnv(cards=3)
    table.reset(seed=1)
    before = table.round
    with pytest.raises(bz.IllegalActionError, match=r"action 9 of seat_\d: its action mask allows 0, 1, 2, 3"):
        table.step(9)
    assert table.round == before


def test_the_deals_of_a_seed_go_on_from_reset_to_reset():
    first, second = BlobEnv(), BlobEnv()
    first.reset(seed=3)
    second.reset(seed=3)
    assert first.round == second.round
    first.reset()
    assert first.round != second.round
    second.reset()
    assert first.round == second.round


@pytest.mark.parametrize("settings", [{}, {"whole_game": True, "rules": bz.RoundRules(hook=False)}])
def test_a_copy_goes_on_alone(settings):
    table = BlobEnv(**settings)
    table.reset(seed=4)
    other = copy.deepcopy(table)
    assert other.round == table.round
    other.step(int(np.flatnonzero(other.observe(other.agent_selection)["action_mask"])[0]))
    assert other.round != table.round
    assert pickle.loads(pickle.dumps(table.round.rules)) == settings.get("rules", bz.RoundRules())


def test_settings_that_cannot_be_played_are_refused():
    with pytest.raises(bz.ConfigError, match="players"):
        BlobEnv(players=9)
    with pytest.raises(bz.ConfigError, match="render_mode 'human'"):
        BlobEnv(render_mode="human")


def test_a_missing_package_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    monkeypatch.delitem(sys.modules, "blob_zero.envs.pettingzoo")
    with pytest.raises(ImportError, match=r"pip install 'blob-zero\[pettingzoo\]'"):
        import blob_zero.envs.pettingzoo  # noqa: F401
