"""Rounds of a match are written as text that replays to the same points."""

import numpy as np
import pytest
from support.command_line import command

import blob_zero as bz
from blob_zero.arena.saved_rounds import SavedRounds
from blob_zero.notation import read_game


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"result_share": 0.5},
        {"rules": bz.RoundRules(hook=False, scoring="exact_plus_tricks", turn_up=True)},
        {"players": 5, "cards": 6, "first_deal": 7},
    ],
)
def test_every_round_ends_as_it_did_in_the_match(changes):
    played = {"players": 3, "cards": 4, "deals": 4, "seed": 9} | changes
    record = bz.play_match(bz.Agent.ismcts(20), bz.Agent.random(), **played)
    saved = SavedRounds()
    saved.add("ismcts:20", "random", record)
    rounds = read_game(saved.text()).rounds
    players = played["players"]
    assert [round_.after().scores() for round_ in rounds] == record.points.reshape(-1, players).tolist()
    in_a_game = len(rounds) // (4 * players)
    for index, round_ in enumerate(rounds):
        rotation = index // in_a_game % players
        assert round_.seats == tuple("ismcts:20" if seat == rotation else "random" for seat in range(players))
    np.testing.assert_array_equal([round_.after().bids for round_ in rounds], record.bids.reshape(-1, players))


def test_the_arena_writes_them(monkeypatch, capsys, tmp_path):
    path = tmp_path / "rounds.txt"
    arguments = ["rule", "random", "--players", "3", "--cards", "2-3", "--deals", "5", "--save-rounds", str(path)]
    status, _, _ = command(monkeypatch, capsys, "arena", *arguments)
    assert status == 0
    assert len(read_game(path.read_text()).rounds) == 2 * 5 * 3
    status, out, _ = command(monkeypatch, capsys, "review", str(path), "--net", "flat:10", "--most", "3")
    assert status == 0
    assert "of 30 rounds" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--field", "rule"], "leave out --field"),
        (["--save-rounds", "nowhere/rounds.txt"], "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_refused(monkeypatch, capsys, tmp_path, arguments, message):
    path = str(tmp_path / "rounds.txt")
    status, _, err = command(monkeypatch, capsys, "arena", "rule", "random", "--save-rounds", path, *arguments)
    assert status == 2
    assert message in " ".join(err.split())
