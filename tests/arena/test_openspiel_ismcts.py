"""OpenSpiel's ISMCTS as an opponent, and agents as OpenSpiel bots."""

import json
import sys

import numpy as np
import pytest
from support.command_line import command

import blob_zero as bz

pytest.importorskip("pyspiel", reason="needs OpenSpiel: pip install 'blob-zero[openspiel]'")

import pyspiel

from blob_zero.arena.agent import Agent
from blob_zero.arena.openspiel_ismcts import OpenSpielIsmcts
from blob_zero.config.bots import read_bot
from blob_zero.envs.openspiel_bot import AgentBot


def test_it_beats_random_play_under_any_rules():
    for rules in (bz.RoundRules(), bz.RoundRules(hook=False, scoring="exact_plus_tricks", turn_up=True)):
        match = bz.play_match(
            Agent.bot(read_bot("openspiel:ismcts:20")),
            Agent.random(),
            players=3,
            cards=2,
            deals=12,
            seed=1,
            rules=rules,
        )
        own = np.einsum("drr->dr", match.points)
        assert own.mean() > match.points.mean() + 1


def test_it_takes_a_sure_point():
    """Alone with the ace of trumps in a one-card round, a bid of 1 is worth 11 points and a bid of 0 none."""
    round_ = bz.Round(players=3, trump="S", dealer=0, hands=[["2H"], ["AS"], ["3H"]])
    assert OpenSpielIsmcts(50)(round_.observe(), np.random.default_rng(0)) == 1


def test_the_arena_takes_it_by_name(monkeypatch, capsys):
    status, printed, _ = command(
        monkeypatch,
        capsys,
        "arena",
        "rule",
        "--field",
        "openspiel:ismcts:5",
        "--players",
        "3",
        "--cards",
        "1",
        "--deals",
        "2",
        "--json",
    )
    assert status == 0
    assert json.loads(printed)["settings"]["field"] == "openspiel:ismcts:5"
    status, _, error = command(monkeypatch, capsys, "arena", "rule", "openspiel:ismcts:x")
    assert status == 2
    assert "openspiel:ismcts:100" in error


def test_a_missing_package_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    monkeypatch.delitem(sys.modules, "blob_zero.arena.openspiel_ismcts")
    with pytest.raises(bz.BlobError, match=r"pip install 'blob-zero\[openspiel\]'"):
        Agent.bot(read_bot("openspiel:ismcts:5"))


@pytest.mark.parametrize(
    "agent", [Agent.rule(), Agent.ismcts(10), Agent.of_function(lambda observation, _: observation.legal_actions()[0])]
)
def test_agents_play_as_openspiel_bots(agent):
    game = pyspiel.load_game("python_blob(players=3,cards=3)")
    state = game.new_initial_state()
    rng = np.random.default_rng(0)
    while state.is_chance_node():
        state.apply_action(int(rng.choice(state.legal_actions())))
    bots = [AgentBot(agent, player, seed=player) for player in range(3)]
    returns = pyspiel.evaluate_bots(state, bots, 0)
    assert state.is_terminal()
    assert list(returns) == state.round.scores()


def test_a_bot_plays_what_its_agent_does():
    state = pyspiel.load_game("python_blob").new_initial_state()
    rng = np.random.default_rng(1)
    while not state.is_terminal():
        if state.is_chance_node():
            state.apply_action(int(rng.choice(state.legal_actions())))
            continue
        bot = AgentBot(Agent.rule(), state.current_player())
        policy, action = bot.step_with_policy(state)
        assert action == state.to_openspiel(bz.rule_action(state.round.observe()))
        assert dict(policy)[action] == 1 == sum(dict(policy).values())
        with pytest.raises(bz.ConfigError, match="is to play"):
            AgentBot(Agent.rule(), (state.current_player() + 1) % 4).step(state)
        state.apply_action(action)
