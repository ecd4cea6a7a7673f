import json

import numpy as np
import pytest
from support.command_line import command, screen
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.arena.deal_kinds import TRUMPS, parse_hand_sizes
from blob_zero.arena.judge import LocalJudge
from blob_zero.arena.tournament import Settings, play
from blob_zero.arena.tournament_json import to_json
from blob_zero.cli.tables import tournament_tables
from blob_zero.config.search_options import SearchOptions
from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.loop import train


def settings(*agents, **changes):
    options = {"players": 3, "cards": (2,), "deals": 20, "search": "1x2", "seed": 1, "device": "cpu", "batch_rows": 16}
    return Settings(agents=agents, **(options | changes))


def figures(tournament):
    report = json.loads(to_json(tournament))
    for name in ("seconds", "deals_per_minute"):
        assert report.pop(name) > 0
    return report


def trained(folder, **sections):
    train(
        small_config(**sections), folder, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge()
    )
    return folder


@pytest.mark.parametrize(
    ("text", "sizes"), [("5", (5,)), ("1-4", (1, 2, 3, 4)), ("7,3,3", (3, 7)), ("1, 5-6", (1, 5, 6)), ("13", (13,))]
)
def test_hand_sizes_are_read(text, sizes):
    assert parse_hand_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "0", "14", "5-3", "1-14", "five", "1,,2", "-3", "1-2-3", "1-999"])
def test_other_hand_sizes_are_refused(text):
    with pytest.raises(ConfigError, match="should be such as 5, 1,3,5 or 1-8"):
        parse_hand_sizes(text)


@pytest.mark.parametrize(("players", "cards"), [(3, 1), (5, 4)])
def test_trumps_are_those_of_the_matches_deals(players, cards):
    rule = bz.Agent.rule()
    match = bz.play_match(rule, rule, players=players, cards=cards, deals=40, seed=7)
    later = bz.play_match(rule, rule, players=players, cards=cards, deals=30, first_deal=10, seed=7)
    assert (match.trumps.shape, match.trumps.dtype) == ((40,), np.int8)
    np.testing.assert_array_equal(match.trumps[10:], later.trumps)
    assert set(match.trumps.tolist()) == set(range(len(TRUMPS)))
    # The rows of the same deals in self-play have a trump or none, as encoded.
    records = bz.SelfPlay(players=players, cards=cards, worlds=1, simulations=1, rounds=40, seed=7).run("uniform")
    _, first_rows = np.unique(records.round, return_index=True)
    np.testing.assert_array_equal(records.features[first_rows, 180] == 1, match.trumps == TRUMPS.index("none"))


def test_trumps_of_a_whole_game_follow_its_rounds():
    rule = bz.Agent.rule()
    match = bz.play_match(rule, rule, players=3, cards=3, deals=2, seed=7, result_share=0.25)
    np.testing.assert_array_equal(match.trumps, [[0, 1, 2, 3, 4, 0, 1]] * 2)


def test_all_pairs_meet_and_the_parts_add_up():
    tournament = play(settings("rule", "random", "rollout:2x20", cards=(1, 3), deals=100))
    assert [(each.first, each.second) for each in tournament.pairings] == [
        ("rule", "random"),
        ("rule", "rollout:2x20"),
        ("random", "rollout:2x20"),
    ]
    assert tournament.rounds == 3 * 2 * 100 * 3
    for pairing in tournament.pairings:
        assert pairing.match.deals == 200
        assert [part.what for part in pairing.by_cards] == [1, 3]
        assert [part.what for part in pairing.by_trump] == list(TRUMPS)
        for parts in (pairing.by_cards, pairing.by_trump):
            assert sum(part.match.deals for part in parts) == 200
            assert sum(part.match.won for part in parts) == pairing.match.won
            for side in ("first", "second"):
                whole = getattr(pairing.match, side)
                for figure in ("points", "exact", "over", "under"):
                    mean = sum(part.match.deals * getattr(getattr(part.match, side), figure) for part in parts) / 200
                    assert mean == pytest.approx(getattr(whole, figure))
        assert pairing.match.first.exact + pairing.match.first.over + pairing.match.first.under == pytest.approx(1)
    assert tournament.pairings[0].match.verdict == "beats"
    assert list(tournament.ratings)[-1] == "random"
    assert tournament.ratings["rule"].mean == 0


def test_rule_variants_are_played():
    blob = play(settings("rule", "random")).pairings[0].match.first
    variant = play(settings("rule", "random", rules="exact_plus_tricks")).pairings[0].match.first
    # Every trick now has a point, so points a round of all seats grow.
    assert variant.points > blob.points + 0.2
    with pytest.raises(ConfigError, match="deals the whole pack"):
        play(settings("rule", "random", players=4, cards=(13,), rules="turn_up"))


def test_pairs_are_played_on_the_same_deals_and_the_same_seed_gives_the_same_figures():
    report = figures(play(settings("rule", "random", "rollout:1x2")))
    assert figures(play(settings("rule", "random", "rollout:1x2", threads=1))) == report | {
        "settings": report["settings"] | {"threads": 1}
    }
    assert figures(play(settings("rule", "random", "rollout:1x2", seed=2)))["matches"] != report["matches"]
    alone = figures(play(settings("rule", "rollout:1x2")))
    assert alone["matches"] == [report["matches"][1]]


def test_an_agent_against_itself_is_even():
    pairing = play(settings("rule", "rule", deals=50)).pairings[0]
    # The rule bot draws nothing, so a deal is played the same way from every seat.
    assert pairing.match.difference == 0
    assert pairing.match.tied == 50


def test_networks_search_as_their_run_did_with_the_worlds_asked_for(tmp_path):
    run = trained(tmp_path / "run", search={"c_puct": 2.5, "fpu_reduction": 0.0, "worlds": 9})
    asked = SearchOptions(worlds=1, simulations=2, c_puct=2.5, fpu_reduction=0.0).greedy()
    newest = run / "checkpoints" / "000003"
    for path in (run, newest, newest / "weights.safetensors"):
        assert play(settings(str(path), "rule")).searches == {str(path): asked}
    elsewhere = tmp_path / "weights.safetensors"
    elsewhere.write_bytes((newest / "weights.safetensors").read_bytes())
    tournament = play(settings(str(elsewhere), str(run), "rollout:3x4"))
    assert tournament.searches[str(elsewhere)] == SearchOptions(worlds=1, simulations=2).greedy()
    assert tournament.searches["rollout:3x4"] == SearchOptions(worlds=3, simulations=4).greedy()
    assert len(tournament.pairings) == 3


def test_titles_name_a_search_where_a_network_searches(tmp_path):
    def title(*agents):
        return next(iter(tournament_tables(play(settings(*agents, deals=2))))).title

    run = trained(tmp_path / "run")
    assert title(str(run), "rule").endswith("from every seat, search 1x2")
    assert title(f"{run}:policy", "rollout:2x2").endswith("from every seat")


def test_a_checkpoint_without_its_settings_is_named(tmp_path):
    run = trained(tmp_path / "run")
    checkpoint = run / "checkpoints" / "000003"
    (checkpoint / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"000003/state\.json does not say which search"):
        play(settings(str(checkpoint), "rule"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (settings("rule"), "rule cannot play alone"),
        (settings("rule", "random", "rule"), "'rule' is named 2 times"),
        (settings("rule", "random", deals=1), r"1 deal\(s\) have no interval"),
        (settings("rule", "random", players=8, cards=(1, 7)), "at most 6 cards"),
        (settings("rule", "random", search="3"), "such as 3x30"),
        (settings("rule", "rulebot"), "unknown agent 'rulebot'"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(wrong, words):
    with pytest.raises(ConfigError, match=words):
        play(wrong)


def test_speed_is_that_of_the_matches_alone(monkeypatch, tmp_path):
    """Networks are read, compiled and warmed up before."""
    seconds = []
    records = LocalJudge.records

    def watched(judge, *agents, **options):
        played = records(judge, *agents, **options)
        seconds.append(played.stats.seconds)
        return played

    monkeypatch.setattr(LocalJudge, "records", watched)
    tournament = play(settings(str(trained(tmp_path / "run")), "rule", cards=(1, 2)))
    assert len(seconds) == 2
    assert tournament.seconds == pytest.approx(sum(seconds))


def test_tables_show_hand_sizes_trumps_and_ratings():
    console = screen(terminal=False)
    for table in tournament_tables(play(settings("rule", "random", "rollout:1x2", cards=(1, 2), deals=60))):
        console.print(table)
    shown = console.file.getvalue()
    for words in ("3 players, 1, 2 cards, 60 deals of each size", "1 card ", "2 cards", "spades", "no trump", "over"):
        assert words in shown
    assert "Ratings" in shown
    assert "Ratings" not in "".join(str(table.title) for table in tournament_tables(play(settings("rule", "random"))))


def test_json_is_all_that_is_printed_and_the_file_says_the_same(monkeypatch, capsys, tmp_path):
    out = tmp_path / "result.json"
    status, printed, err = command(
        monkeypatch,
        capsys,
        *("arena", "rule", "random", "--players", "3", "--cards", "1-2", "--deals", "9", "--json", "--out", str(out)),
    )
    assert (status, err) == (0, "")
    report = json.loads(printed)
    assert json.loads(out.read_text()) == report
    assert report["settings"]["cards"] == [1, 2]
    match = report["matches"][0]
    assert (match["first_agent"], match["second_agent"], match["deals"]) == ("rule", "random", 18)
    assert match["low"] <= match["difference"] <= match["high"]
    assert [part["cards"] for part in match["by_cards"]] == [1, 2]


def test_a_file_that_cannot_be_written_is_named_before_the_matches(tmp_path, monkeypatch, capsys):
    out = tmp_path / "nowhere" / "result.json"
    monkeypatch.setattr("blob_zero.arena.tournament.play", lambda *_a, **_k: pytest.fail("it played"))
    status, _, err = command(monkeypatch, capsys, "arena", "rule", "random", "--out", str(out))
    assert status == 2
    assert f"there is no folder {out.parent}" in err
