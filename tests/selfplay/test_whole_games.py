"""Whole games: scores and rounds left in view, values with the game's result, matches of games, and runs of them."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.training_fakes import SMALL

import blob_zero as bz
from blob_zero.arena.statistics import deal_differences, summarize
from blob_zero.cli.main import main
from blob_zero.cli.plain_display import PlainDisplay
from blob_zero.config.load import parse_config
from blob_zero.errors import ConfigError
from blob_zero.learning.loop import train

SCHEDULE = [3, 2, 1, 1, 1, 2, 3]  # 3 players from 3 cards


def games(evaluator="rollout", carried=None, **changes):
    settings = {"players": 3, "cards": 3, "result_share": 0.3, "worlds": 1, "simulations": 4, "seed": 5} | changes
    return bz.SelfPlay(**settings).run(evaluator, carried=carried)


def places(totals):
    """1 for the first place, -1 for the last, shared where points are equal."""
    ahead = np.sign(totals[:, None] - totals[None, :])
    return ahead.sum(axis=1) / (len(totals) - 1)


def test_a_game_is_its_rounds_one_after_the_other():
    records = games(rounds=20)
    assert records.stats.rounds == len(records.number) == 20 * 7
    assert records.number.tolist() == np.repeat(np.arange(20), 7).tolist()
    assert records.game_round.tolist() == [*range(7)] * 20
    assert records.cards.tolist() == SCHEDULE * 20
    assert (records.tricks.sum(axis=1) == records.cards).all()


def test_values_mix_the_rounds_score_with_the_games_result():
    records = games(rounds=20)
    starts = np.flatnonzero(np.r_[True, records.round[1:] != records.round[:-1]])
    for game, start in enumerate(starts):
        points = records.points[7 * game : 7 * game + 7]
        score = 2 * points[0] / (10 + 3) - 1
        mixed = 0.7 * score + 0.3 * places(points.sum(axis=0))
        # The first row is of the first round; its values begin with the seat that moves.
        seen = np.roll(mixed, -int(records.seat[start]))
        assert records.values[start, :3] == pytest.approx(seen, abs=1e-6)


def test_without_a_share_of_the_result_a_round_is_worth_its_score():
    records = games(rounds=5, result_share=0.0)
    score = 2 * records.points[0] / (10 + 3) - 1
    assert records.values[0, :3] == pytest.approx(np.roll(score, -int(records.seat[0])), abs=1e-6)


def test_games_carried_over_end_as_if_they_had_not_paused():
    whole = games("uniform", rounds=30)
    first = games("uniform", rounds=18, carry_over=18)
    assert 14 < len(first.carry_over) <= 17  # a game whose last moves are forced may end before its pause
    assert first.carry_over.game_round.max() > 2
    assert (np.diff(first.carry_over.recorded.astype(int)) != 0).any()
    saved = bz.CarryOver.of_state(first.carry_over.state())
    second = games("uniform", rounds=12, first_round=18, carried=saved)
    order = np.argsort(np.concatenate([first.round, second.round]), kind="stable")
    for name in ("features", "legal", "policy", "values", "root_values", "seat"):
        both = np.concatenate([getattr(first, name), getattr(second, name)])[order]
        assert np.array_equal(both, getattr(whole, name)), name


def test_a_search_plays_for_the_game_where_that_is_asked_for():
    found = {}
    for share in (0.0, 1.0):
        game = bz.Game(players=3, cards=1, seed=0, result_share=share)
        rng = np.random.default_rng(1)
        while game.rounds_done < 2:
            game.play(rng.choice(game.legal_actions()))
        result = bz.search(game.round.observe(game.round.to_play), "rollout", worlds=50, simulations=40, seed=3)
        found[share] = result.values
    # A game's result sums to 0 over the seats; scores do not.
    assert abs(sum(found[1.0])) < 1e-5 < abs(sum(found[0.0]))


@pytest.mark.parametrize("share", [-0.1, 1.5, 0.333])
def test_a_share_that_cannot_be_is_named(share):
    with pytest.raises(ConfigError, match=f"result_share is {share}"):
        games(rounds=1, result_share=share)
    with pytest.raises(ConfigError, match=f"result_share is {share}"):
        bz.Game(players=3, cards=3, seed=0, result_share=share)
    with pytest.raises(ConfigError, match="result_share"):
        parse_config({"game": {"result_share": share}}, source="test")


def test_matches_of_games_know_who_won_them():
    match = bz.play_match(bz.Agent.rule(), bz.Agent.random(), players=3, cards=3, deals=60, seed=2, result_share=0.3)
    assert match.points.shape == match.bids.shape == (60, 3, 7, 3)
    assert match.stats.rounds == 60 * 3 * 7
    summary = summarize(match)
    totals = match.points.sum(axis=2)
    won = np.mean([places_won(totals[game, seat])[seat] for game in range(60) for seat in range(3)])
    assert summary.games_won == pytest.approx(won)
    assert summary.games_won > 0.4  # of three
    assert summary.difference == pytest.approx(deal_differences(match.points.sum(axis=2)).mean() / 7)
    assert summary.first.exact > summary.second.exact


def places_won(totals):
    most = totals == totals.max()
    return most / most.sum()


def test_equal_agents_win_as_many_games_as_there_are_seats():
    match = bz.play_match(bz.Agent.rule(), bz.Agent.rule(), players=3, cards=3, deals=40, seed=2, result_share=0.3)
    summary = summarize(match)
    assert summary.games_won == pytest.approx(1 / 3)
    assert (summary.difference, summary.low, summary.high, summary.won, summary.tied) == (0, 0, 0, 0, 40)


def test_the_arena_plays_games(monkeypatch, capsys):
    arguments = "arena rule random --players 3 --cards 3 --deals 20 --whole-games 0.2"
    monkeypatch.setattr(sys, "argv", ["blob-zero", *arguments.split(), "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    told = json.loads(capsys.readouterr().out)
    (match,) = told["matches"]
    assert match["games_won"] > 1 / 3
    assert [part["cards"] for part in match["by_cards"]] == [1, 2, 3]
    assert [part["trump"] for part in match["by_trump"]] == ["S", "H", "C", "D", "none"]
    assert told["rounds"] == 20 * 3 * 7
    weights = np.array([SCHEDULE.count(cards) for cards in (1, 2, 3)])
    parts = np.array([part["difference"] for part in match["by_cards"]])
    assert (weights * parts).sum() / 7 == pytest.approx(match["difference"])

    monkeypatch.setattr(sys, "argv", ["blob-zero", *arguments.split()])
    with pytest.raises(SystemExit):
        main()
    assert "whole games from 3 cards, 20 games from every seat" in capsys.readouterr().out.replace("\n", " ")


def test_the_arena_plays_games_from_one_size(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["blob-zero", "arena", "rule", "random", "--cards", "3-4", "--whole-games", "0.2"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "from one number of cards, not from 3, 4" in capsys.readouterr().err


def test_a_run_of_whole_games_goes_on_where_it_stopped(tmp_path, monkeypatch):
    from rich.console import Console

    config = parse_config(
        {
            "run": {"iterations": 2, "torch_threads": 1},
            "game": {"players": 3, "cards": 2, "whole_games": True, "result_share": 0.5},
            "search": {"worlds": 1, "simulations": 4},
            "selfplay": {"rounds": 12, "carry_over": 8, "playout_iterations": 0, "threads": 1},
            "network": SMALL,
            "training": {"batch_size": 32, "replay_rows": 2000, "epochs": 1, "precision": "fp32"},
            "evaluation": {"deals": 4, "final_deals": 4, "opponents": ["rule"], "every": 2},
        },
        source="test",
    )
    display = PlainDisplay(Console(quiet=True))
    standings = train(config, tmp_path / "whole", display=display, device="cpu")
    assert standings[0].match.games_won is not None
    assert standings[0].match.deals == 4

    commits = 0
    original = type(display).iteration_done

    def stop(self, row):
        nonlocal commits
        original(self, row)
        commits += 1
        if commits == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(PlainDisplay, "iteration_done", stop)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", display=display, device="cpu")
    train(config, tmp_path / "stopped", display=display, device="cpu")
    (whole,), (stopped,) = (sorted((tmp_path / name / "checkpoints").glob("*2"))[-1:] for name in ("whole", "stopped"))
    names = sorted(path.name for path in whole.glob("*.safetensors"))
    assert names
    for name in names:
        assert (whole / name).read_bytes() == (stopped / name).read_bytes(), name


def test_a_record_of_a_round_that_is_not_reached_is_refused():
    carried = games("uniform", rounds=10, carry_over=10).carry_over
    wrong = replace(carried, game_round=np.full_like(carried.game_round, 250))
    with pytest.raises(ConfigError, match="a record of round 250 and stands in round"):
        games("uniform", rounds=1, first_round=10, carried=wrong)
