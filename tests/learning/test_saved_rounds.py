"""Rounds of self-play are written as text that a person can read."""

import pytest
from support.training_fakes import SilentDisplay

from blob_zero.config.load import parse_config
from blob_zero.learning.loop import train
from blob_zero.notation import read_game

SETTINGS = {
    "run": {"iterations": 2, "torch_threads": 1},
    "game": {"players": 3, "cards": 2},
    "selfplay": {"agent": "policy", "rounds": 12},
    "network": {"kind": "outcome", "width": 16, "layers": 1},
    "training": {"batch_size": 32, "replay_rows": 250},
    "evaluation": {"every": 2, "deals": 5, "final_deals": 5, "opponents": ["random"]},
    "promotion": {"enabled": False},
}


@pytest.mark.parametrize("whole_games", [False, True])
def test_some_rounds_of_each_iteration_are_written(tmp_path, whole_games):
    settings = {**SETTINGS, "run": {**SETTINGS["run"], "save_rounds": 5}}
    settings["game"] = {**SETTINGS["game"], "whole_games": whole_games}
    train(parse_config(settings, source="test"), tmp_path, display=SilentDisplay(), device="cpu")
    files = sorted((tmp_path / "rounds").iterdir())
    assert [path.name for path in files] == ["0001.txt", "0002.txt"]
    for iteration, path in enumerate(files, start=1):
        game = read_game(path.read_text())
        assert game.tags["Iteration"] == str(iteration)
        assert [round_.after().phase for round_ in game.rounds] == ["done"] * 5


def test_without_the_setting_nothing_is_written(tmp_path):
    train(parse_config(SETTINGS, source="test"), tmp_path, display=SilentDisplay(), device="cpu")
    assert not (tmp_path / "rounds").exists()
