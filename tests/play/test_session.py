"""A game against bots keeps the rules, its deals can be checked, and what is undone is as if it never was."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import free_table, play_on
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

import blob_zero as bz
from blob_zero.analysis import PlayoutJudge
from blob_zero.learning.loop import train
from blob_zero.notation import RoundText
from blob_zero.play import levels
from blob_zero.play.drill import exercises
from blob_zero.play.duplicate import friends, play_for_you, result_of
from blob_zero.play.fairness import hash_of, new_secret, seed_of_game
from blob_zero.play.levels import LEVELS, SHIPPED, act, add_network, find_level
from blob_zero.play.saves import Saves, from_text, to_text
from blob_zero.play.session import Session
from blob_zero.play.view import table_view

RULES = st.builds(
    bz.RoundRules, hook=st.booleans(), scoring=st.sampled_from(["exact", "exact_plus_tricks"]), turn_up=st.booleans()
)
TABLES = st.builds(
    lambda players, cards, length, rules, secret: free_table(
        players=players, cards=min(cards, 51 // players), length=length, rules=rules, secret=secret
    ),
    st.integers(3, 8),
    st.integers(1, 4),
    st.sampled_from(["game", "round"]),
    RULES,
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
)


@given(TABLES, st.integers(0, 120), st.integers(0, 3))
def test_a_game_at_any_point_is_saved_and_loaded(table, turns, pick):
    session = Session(table)
    play_on(session, turns, pick)
    again = from_text(to_text(session))
    assert table_view(again) == table_view(session)
    assert again.all_actions() == session.all_actions()
    play_on(session, pick=pick)
    play_on(again, pick=pick)
    assert again.history == session.history  # the bots too go on alike
    assert session.done


@given(TABLES, st.integers(1, 60))
def test_undo_leads_back_to_the_last_decision_of_the_person(table, turns):
    session = Session(table)
    play_on(session, turns)
    actions = session.all_actions()
    if not session.undo():
        return
    kept = session.all_actions()
    assert kept == actions[: len(kept)]
    assert len(kept) < len(actions)
    assert session.your_turn
    assert len(session.round.legal_actions()) > 1
    # The same action again: all is as it was.
    session.play(actions[len(kept)])
    while len(session.all_actions()) < len(actions):
        session.next_round()
        session.play_any(actions[len(session.all_actions())])
    assert session.all_actions() == actions


def test_nothing_can_be_taken_back_before_the_first_decision(session):
    assert not session.undo()
    assert session.undos == 0


def test_a_finished_round_stays_on_the_table(session):
    while session.round.phase != "done":
        play_on(session, 1)
    assert session.round_number == 0
    assert len(session.finished) == 1
    assert session.history == [session.round.scores()]
    session.next_round()
    assert session.round_number == 1
    assert session.last_trick is None


def test_actions_of_others_and_illegal_ones_are_refused(session):
    while session.your_turn:
        play_on(session, 1)
    with pytest.raises(bz.IllegalActionError, match="not your turn"):
        session.play(0)
    while not session.your_turn:
        play_on(session, 1)
    with pytest.raises(bz.IllegalActionError):
        session.play(51)


def test_the_view_holds_no_hidden_card():
    session = Session(free_table(players=5, cards=6))
    while not session.done:
        view = table_view(session)
        hidden = {card for seat in range(1, 5) for card in session.round.hand(seat)}
        text = repr({key: value for key, value in view.items() if key not in ("hash", "cut")})
        assert not [card for card in hidden if f"'{card}'" in text]
        assert "secret" not in view
        play_on(session, 1)
    assert table_view(session)["secret"] == session.table.secret


def test_the_deal_follows_from_the_hash_shown_before():
    secret = new_secret()
    assert len(bytes.fromhex(secret)) >= 16
    assert hash_of(secret) == hashlib.sha256(secret.encode()).hexdigest()
    table = free_table(secret=secret, cut="mine", players=3, cards=4)
    seed = int.from_bytes(hashlib.sha256(f"{secret}:mine".encode()).digest()[:8], "big") >> 1
    assert seed_of_game(secret, "mine") == seed
    game = bz.Game(players=3, cards=4, seed=seed, dealer=seed % 3)
    assert Session(table).round == game.round
    assert Session(free_table(secret=secret, cut="other", players=3, cards=4)).round != game.round


@pytest.mark.parametrize("level", [*LEVELS, *SHIPPED], ids=lambda level: level.agent)
def test_a_bot_acts_by_what_its_seat_knows(level):
    round_ = bz.Round(players=3, cards=4, trump="H", seed=5)
    seat = round_.to_play
    known = round_.hand(seat)
    # The others' hands are dealt anew; what the seat knows stays.
    rest = [card for card in (bz.card_text(k) for k in range(52)) if card not in known]
    hands = [known if one == seat else rest[4 * one : 4 * one + 4] for one in range(3)]
    other = bz.Round(players=3, trump="H", hands=hands)
    assert other != round_
    assert act(level, round_.observe(), 3) == act(level, other.observe(), 3)


def test_levels_are_in_the_order_of_their_ratings():
    rated = [*LEVELS, *SHIPPED]
    ratings = [level.rating for level in rated]
    assert ratings == sorted(ratings)
    assert len({level.title for level in rated}) == len(rated)
    with pytest.raises(bz.ConfigError, match="unknown level 'best'"):
        find_level("best")


def test_duplicate_plays_the_same_deals():
    session = Session(free_table(levels=("rule", "rule", "rule")))
    while not session.done:
        session.next_round()
        if session.your_turn:
            session.play(bz.rule_action(session.round.observe()))
        else:
            session.advance()
    assert play_for_you(session.table, "rule", 3).points == result_of(session).points[:3]
    whole = play_for_you(session.table, "rule", len(session.schedule))
    assert (whole.points, whole.made) == (result_of(session).points, result_of(session).made)


def test_friends_are_those_with_the_same_deals_and_bots():
    mine, same, other = Session(free_table()), Session(free_table(name="Eve")), Session(free_table(cut="x"))
    for one in (mine, same, other):
        play_on(one, 30)
    assert [result.name for result in friends(mine, [mine, same, other])] == ["Eve"]


def test_drill_finds_mistakes_and_takes_nearly_best_actions():
    session = Session(free_table(cards=5))
    play_on(session, pick=3)  # bids 3 of everything
    found = exercises([session], PlayoutJudge(50), seed=1)
    assert found
    for exercise in found:
        judgement = exercise.decision.judgement
        assert exercise.decision.lost >= 0.5
        assert exercise.right(judgement.actions[judgement.best])
        assert not exercise.right(judgement.actions[exercise.decision.chosen])


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('[Game "blob-zero"]', '[Game "chess"]', "no saved game"),
        ('[Cut "cut"]', '[Cut "other"]', "not the deal of the game's seed"),
        ('[Players "4"]', '[Players "9"]', "players|levels"),
        ('[Players "4"]', '[Players "x"]', "no saved game"),
        ('[Cut "cut"]\n', "", "no saved game"),
        ('[Levels "rule', '[Levels "best', "unknown level"),
        ('[Length "game"]', '[Length "day"]', "game or round"),
        ('[Running "', '[Running "AS ', "no bid"),
    ],
)
def test_files_that_are_no_game_are_refused(session, right, wrong, message):
    while not (len(session.finished) == 1 and len(session.running) == 2):
        play_on(session, 1)
    text = to_text(session)
    assert right in text
    with pytest.raises(bz.BlobError, match=message):
        from_text(text.replace(right, wrong))


def test_saves_are_listed_newest_first_and_faulty_files_left_out(tmp_path, session):
    saves = Saves(tmp_path / "deep" / "games")
    assert saves.newest(5) == []
    saves.save("a", session)
    saves.save("b", session)
    (saves.folder / "c.blob").write_text("nothing")
    (saves.folder / "d.blob").write_text("x" * 100_000)
    assert {one.name for one in saves.newest(5)} == {"a", "b"}
    for name in ("../a", "A", "", "a/b", "x" * 61):
        with pytest.raises(bz.ConfigError, match="no name of a game"):
            saves.load(name)
    with pytest.raises(bz.ConfigError, match="no saved game 'e'"):
        saves.load("e")


def test_a_running_rounds_file_shows_no_hidden_card(session):
    play_on(session, 5)
    assert "Hand" not in to_text(session)


def test_a_round_alone_is_one_round():
    session = Session(free_table(length="round"))
    play_on(session)
    assert session.schedule == [3]
    assert len(session.finished) == 1
    assert isinstance(session.finished[0], RoundText)


def test_a_network_of_yours_is_a_level(tmp_path, monkeypatch):
    path = tmp_path / "run"
    train(small_config(), path, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    monkeypatch.setattr(levels, "_networks", {})
    with pytest.raises(bz.ConfigError, match="unknown level"):
        free_table(levels=(str(path), "rule", "rule"))
    add_network(path)
    session = Session(free_table(levels=(str(path), "rule", "rule")))
    play_on(session, 20)
    assert from_text(to_text(session)).all_actions() == session.all_actions()
    assert table_view(session)["levels"][1] == "Network"
