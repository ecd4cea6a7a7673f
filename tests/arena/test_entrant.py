import json

import pytest
from support.command_line import command
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.arena.entrant import NetworkName, parse_agent, read_entrant
from blob_zero.config.bots import Bot
from blob_zero.config.search_options import SearchOptions, parse_search
from blob_zero.errors import ConfigError
from blob_zero.learning.loop import train


def test_agents_are_named(tmp_path):
    assert parse_agent("random") == Bot("random")
    assert parse_agent("rule") == Bot("rule")
    assert parse_agent("rollout:9x10") == Bot("rollout", SearchOptions(worlds=9, simulations=10))
    assert parse_agent(str(tmp_path)) == NetworkName(tmp_path, "")
    assert parse_agent(f"{tmp_path}:policy") == NetworkName(tmp_path, "policy")
    assert parse_agent(f"{tmp_path}:64") == NetworkName(tmp_path, "64")
    assert parse_agent(f"{tmp_path}:9x10") == NetworkName(tmp_path, "9x10")


@pytest.mark.parametrize(
    "text", ["rulebot", "rollout", "rollout:3", "rollout:0x5", "runs/none", ".:search", "none:policy"]
)
def test_other_names_are_refused_with_the_ones_there_are(text):
    with pytest.raises(ConfigError, match="should be"):
        parse_agent(text)


@pytest.mark.parametrize("text", ["3", "3x", "x30", "3x-1", "3 x 30", "03x30", "3x30x2"])
def test_a_search_is_worlds_x_simulations(text):
    assert parse_search("3x30") == SearchOptions(worlds=3, simulations=30)
    with pytest.raises(ConfigError, match="such as 3x30"):
        parse_search(text)


def test_a_bot_of_a_file_is_named_by_file_and_function(tmp_path, monkeypatch, capsys):
    (tmp_path / "bots.py").write_text(
        "HIGH = 3\ndef highest(observation, rng):\n    return observation.legal_actions()[-1]\n", encoding="utf-8"
    )
    bot = f"{tmp_path / 'bots.py'}:highest"
    status, printed, _ = command(monkeypatch, capsys, "arena", bot, "rule", "--deals", "2", "--cards", "2", "--json")
    assert status == 0
    assert json.loads(printed)["settings"]["agents"] == [bot, "rule"]
    for name, words in {
        "bots.py:lowest": "no function 'lowest'",
        "bots.py:HIGH": "no function",
        "none.py:x": "no file",
    }.items():
        with pytest.raises(ConfigError, match=words):
            read_entrant(str(tmp_path / name), SearchOptions())


def test_a_look_ahead_needs_a_network_that_plays_without_search(tmp_path):
    config = small_config()
    train(config, tmp_path, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    with pytest.raises(ConfigError, match="trained with a search"):
        read_entrant(f"{tmp_path}:64", SearchOptions())
    assert read_entrant(f"{tmp_path}:policy", SearchOptions()).search is None
