import json
import re

import numpy as np
import pytest
from support.command_line import command, screen

import blob_zero as bz
from blob_zero.arena.deal_kinds import parse_players
from blob_zero.arena.field import FieldSettings, Shape, field_to_json, play_field
from blob_zero.arena.match import play_in_field
from blob_zero.cli.tables import field_tables
from blob_zero.errors import ConfigError
from blob_zero.run.weights_file import SHIPPED


def settings(*guests, field="ismcts:10", **changes):
    options = {"players": (4,), "cards": (3,), "deals": 30, "search": "1x2", "seed": 1, "device": "cpu"}
    return FieldSettings(guests=guests, field=field, **(options | changes))


def figures(match):
    report = json.loads(field_to_json(match))
    assert report.pop("seconds") > 0
    assert report.pop("field_milliseconds") > 0
    for guest in report["guests"]:
        assert guest.pop("milliseconds") > 0
    return report


def test_the_field_is_as_good_as_itself_on_every_deal():
    guest = play_field(settings("ismcts:10")).guests[0].all
    assert (guest.difference, guest.low, guest.high) == (0, 0, 0)
    assert (guest.points, guest.exact, guest.verdict) == (guest.field_points, guest.field_exact, "not told apart")


def test_a_difference_is_to_the_field_in_the_same_seat_of_the_same_deal():
    agents = {"guest": bz.Agent.random(), "field": bz.Agent.flat(worlds=2)}
    options = {"players": 3, "cards": 2, "deals": 12, "seed": 5}
    inside = play_in_field(agents["guest"], agents["field"], **options).points
    alone = play_in_field(None, agents["field"], **options).points
    assert (inside.shape, alone.shape) == ((12, 3, 3), (12, 3))
    # A match deals by the same numbers, so its deals are the same.
    match = play_in_field(agents["field"], agents["field"], **options).points
    np.testing.assert_array_equal(match, np.broadcast_to(alone[:, None], (12, 3, 3)))


def test_guests_share_the_field_and_do_not_change_each_other():
    both = figures(play_field(settings("rule", "random", players=(3, 4), cards=(1, 2))))
    assert figures(play_field(settings("rule", "random", players=(3, 4), cards=(1, 2), threads=1))) == both | {
        "settings": both["settings"] | {"threads": 1}
    }
    alone = figures(play_field(settings("random", players=(3, 4), cards=(1, 2))))
    assert alone["guests"] == both["guests"][1:]
    rule, random = both["guests"]
    assert rule["field_points"] == random["field_points"]
    assert random["difference"] < rule["difference"]
    assert random["verdict"] == "below"
    assert [part["players"] for part in rule["by_shape"]] == [3, 3, 4, 4]
    assert rule["difference"] == pytest.approx(np.mean([part["difference"] for part in rule["by_shape"]]))


def test_hands_that_cannot_be_dealt_to_many_players_are_left_out():
    match = play_field(settings("rule", field="random", players=(3, 8), cards=(6, 7), deals=2))
    assert match.shapes == (Shape(3, 6), Shape(3, 7), Shape(8, 6))
    with pytest.raises(ConfigError, match="7 cards"):
        play_field(settings("rule", field="random", players=(3, 8), cards=(7,)))


@pytest.mark.parametrize("text", ["", "2", "9", "4-3", "3-9", "four"])
def test_other_numbers_of_players_are_refused(text):
    with pytest.raises(ConfigError, match="should be such as 4, 3,5,8 or 3-8"):
        parse_players(text)


def test_the_command_prints_json_and_writes_it(monkeypatch, capsys, tmp_path):
    out = tmp_path / "field.json"
    arguments = ["rule", "flat:2", "--field", "ismcts:5", "--players", "3,4", "--cards", "2", "--deals", "4"]
    status, printed, _ = command(monkeypatch, capsys, "arena", *arguments, "--json", "--out", str(out))
    report = json.loads(printed)
    assert status == 0
    assert json.loads(out.read_text()) == report
    assert [guest["agent"] for guest in report["guests"]] == ["rule", "flat:2"]
    assert report["yardstick_version"] == 1


def test_the_tables_name_agents_shapes_and_speed():
    match = play_field(settings("rule", "shipped:2", cards=(1, 2), deals=3))
    console = screen(terminal=False)
    for table in field_tables(match):
        console.print(table)
    shown = console.file.getvalue()
    assert all(words in shown for words in ("In a field of ismcts:10: 4 x 1, 4 x 2", "ms: of a decision", "the field"))
    assert shown.count("4 x 2 ") == 2
    assert "search 1x2" not in shown  # no network searches by that; a look-ahead is in its name


def test_a_long_name_cuts_no_figure(tmp_path):
    path = tmp_path / f"{'network' * 15}.safetensors"
    path.write_bytes(SHIPPED.read_bytes())
    match = play_field(settings(f"{path}:policy", field="rule", deals=3))
    console = screen(terminal=False)
    for table in field_tables(match):
        console.print(table)
    shown = console.file.getvalue()
    assert str(path) not in shown  # it is folded
    assert re.search(r"[+-]\d\.\d\d \([+-]\d+\.\d\d to [+-]\d+\.\d\d\)", shown)


def test_pairs_have_one_number_of_players(monkeypatch, capsys):
    status, _, said = command(monkeypatch, capsys, "arena", "rule", "random", "--players", "3-5")
    assert status == 2
    assert "--field takes several" in said
