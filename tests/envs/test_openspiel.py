"""The OpenSpiel game: OpenSpiel's own tests, oh_hell as an oracle, and what a player sees."""

import os
import pickle
import sys

import numpy as np
import pytest

import blob_zero as bz

pytest.importorskip("pyspiel", reason="needs OpenSpiel: pip install 'blob-zero[openspiel]'")

import pyspiel

from blob_zero.envs.openspiel import FIRST_BID

ROUNDS = int(os.environ.get("OH_HELL_ROUNDS", "1000"))
"""Rounds of the comparison with oh_hell; `make oh-hell` plays 100,000."""

GAMES = [
    "python_blob",
    "python_blob(players=3,cards=13)",
    "python_blob(players=8,cards=1)",
    "python_blob(players=5,cards=3,hook=False,scoring=exact_plus_tricks,turn_up=True)",
]


@pytest.mark.parametrize("name", GAMES)
def test_passes_the_random_simulation_test(name):
    pyspiel.random_sim_test(pyspiel.load_game(name), num_sims=2, serialize=True, verbose=False)


def test_passes_the_python_games_simulation_test(capsys):
    from open_spiel.python.tests.games_sim_test import GamesSimTest

    for name in GAMES:
        GamesSimTest("test_pig").sim_game(pyspiel.load_game(name))
    assert "terminated with" in capsys.readouterr().out


def play(state, rng, *, until=lambda _: False):
    """Plays at random to the end, or until a decision of which `until` is true."""
    while not state.is_terminal():
        if not state.is_chance_node() and until(state):
            break
        state.apply_action(int(rng.choice(state.legal_actions())))
    return state


@pytest.mark.parametrize("name", GAMES)
def test_returns_are_the_points_of_the_engines_round(name):
    game = pyspiel.load_game(name)
    state = play(game.new_initial_state(), np.random.default_rng(0))
    assert state.returns() == state.round.scores()
    assert len(state.history()) == game.max_chance_nodes_in_history() + game.max_game_length()
    assert all(0 <= points <= game.max_utility() for points in state.returns())


@pytest.mark.parametrize("name", GAMES)
def test_a_copy_and_a_saved_state_go_on_alone(name):
    rng = np.random.default_rng(1)
    state = play(pyspiel.load_game(name).new_initial_state(), rng, until=lambda _: rng.random() < 0.2)
    for other in (state.clone(), pickle.loads(pickle.dumps(state))):
        before = str(state)
        other.apply_action(other.legal_actions()[0])
        assert str(state) == before != str(other)


@pytest.mark.parametrize("name", GAMES)
def test_what_a_player_sees_tells_nothing_of_hidden_cards(name):
    rng = np.random.default_rng(2)
    game = pyspiel.load_game(name)
    changed = 0
    for _ in range(10):
        state = play(game.new_initial_state(), rng, until=lambda _: rng.random() < 0.1)
        if state.is_terminal():
            continue
        player = int(rng.integers(game.num_players()))
        other = state.resample_from_infostate(player, rng.random)
        assert other.information_state_string(player) == state.information_state_string(player)
        assert other.information_state_tensor(player) == state.information_state_tensor(player)
        assert other.observation_string(player) == state.observation_string(player)
        assert other.observation_tensor(player) == state.observation_tensor(player)
        assert other.current_player() == state.current_player()
        changed += str(other) != str(state)
    assert changed >= 3


def test_an_observer_reads_the_table():
    state = pyspiel.load_game("python_blob(players=3,cards=2)").new_initial_state()
    cards = ["2S", "AS", "3H", "KS", "4D", "5C"]
    for draw in [2, 0, *map(bz.card_index, cards)]:
        state.apply_action(draw)
    for action in [FIRST_BID + 1, FIRST_BID, FIRST_BID, bz.card_index("KS")]:
        state.apply_action(action)
    assert state.observation_string(1) == (
        "seat 1; hand AS 4D; dealer 2; trump S; bids 1 0 0; won 0 0 0; trick 0:KS; gone KS"
    )
    assert state.information_state_string(2) == "seat 2; dealt 3H 5C; dealer 2; trump S; bids 1 0 0; plays KS"
    observer = state.get_game().make_py_observer()
    observer.set_from(state, 1)
    assert np.flatnonzero(observer.dict["hand"]).tolist() == [bz.card_index("AS"), bz.card_index("4D")]
    assert observer.dict["trick"][0, bz.card_index("KS")] == 1
    assert observer.dict["bids"].argmax(axis=1).tolist() == [1, 0, 0]
    assert state.action_to_string(1, bz.card_index("AS")) == "AS"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("python_blob(players=9)", "9 players"),
        ("python_blob(scoring=none)", "unknown scoring"),
        ("python_blob(cards=14)", "14"),
    ],
)
def test_parameters_that_cannot_be_dealt_are_refused(name, message):
    with pytest.raises(bz.ConfigError, match=message):
        pyspiel.load_game(name)


SUITS = "CDSH"
"""The suits of oh_hell; its card index is 4 * rank + suit."""


def to_oh_hell(card):
    suit, rank = divmod(card, 13)
    return 4 * rank + SUITS.index("SHCD"[suit])


def from_oh_hell(card):
    rank, suit = divmod(card, 4)
    return 13 * "SHCD".index(SUITS[suit]) + rank


def test_rounds_equal_those_of_oh_hell():
    rng = np.random.default_rng(3)
    rules = bz.RoundRules(scoring="exact_plus_tricks", turn_up=True)
    games = {}
    for _ in range(ROUNDS):
        players = int(rng.integers(3, 8))
        cards = int(rng.integers(1, min(13, 51 // players) + 1))
        dealer = int(rng.integers(players))
        pack = [int(card) for card in rng.permutation(52)[: players * cards + 1]]
        if (players, cards) not in games:
            games[players, cards] = pyspiel.load_game("oh_hell", {"players": players, "num_tricks_fixed": cards})
        state = games[players, cards].new_initial_state()
        for draw in [cards, dealer, *map(to_oh_hell, pack)]:
            state.apply_action(draw)
        round_ = bz.Round(
            players=players,
            dealer=dealer,
            hands=[[bz.card_text(card) for card in pack[seat:-1:players]] for seat in range(players)],
            rules=rules,
            turned_up=bz.card_text(pack[-1]),
        )
        while not state.is_terminal():
            assert state.current_player() == round_.to_play
            legal = state.legal_actions()
            ours = [action - 52 if action >= 52 else from_oh_hell(action) for action in legal]
            assert sorted(ours) == round_.legal_actions()
            choice = int(rng.integers(len(legal)))
            state.apply_action(legal[choice])
            round_.play(ours[choice])
        assert round_.phase == "done"
        assert state.returns() == round_.scores()


def test_a_missing_package_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    monkeypatch.delitem(sys.modules, "blob_zero.envs.openspiel")
    with pytest.raises(ImportError, match=r"pip install 'blob-zero\[openspiel\]'"):
        import blob_zero.envs.openspiel  # noqa: F401
