"""Rounds and games survive the way to text and back; faults are named with their line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import blob_zero as bz
from blob_zero.notation import GameText, RoundText, read_game, write_game


@st.composite
def rounds(draw):
    rules = bz.RoundRules(
        hook=draw(st.booleans()),
        scoring=draw(st.sampled_from(["exact", "exact_plus_tricks"])),
        turn_up=draw(st.booleans()),
    )
    players = draw(st.integers(3, 8))
    cards = draw(st.integers(1, min(13, (52 - rules.turn_up) // players)))
    trump = None if rules.turn_up else draw(st.sampled_from(["S", "H", "C", "D", None]))
    seed = draw(st.integers(0, 2**32))
    deal = bz.Round(players=players, cards=cards, trump=trump, dealer=seed % players, seed=seed, rules=rules)
    actions, round_ = [], deal.copy()
    for _ in range(draw(st.integers(0, players * (cards + 1)))):
        actions.append(draw(st.sampled_from(round_.legal_actions())))
        round_.play(actions[-1])
    seats = tuple(draw(st.lists(st.sampled_from(["rule", "ismcts:90", "You"]), min_size=players, max_size=players)))
    return replace(RoundText.of(deal, actions), seats=draw(st.sampled_from([(), seats]))), round_


text_in_a_line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


@given(st.lists(rounds(), max_size=3), st.dictionaries(st.from_regex(r"[A-QS-Z]\w*", fullmatch=True), text_in_a_line))
def test_a_game_is_read_as_it_was_written(played, tags):
    game = GameText(tags=tags, rounds=tuple(text for text, _ in played))
    again = read_game(write_game(game))
    assert again == game
    assert [text.after() for text in again.rounds] == [round_ for _, round_ in played]


ROUND = """\
[Round "1"]
[Dealer "2"]
[Trump "S"]
[Hand0 "AS 2H"]
[Hand1 "KS 3H"]
[Hand2 "QS 4H"]
bids: 1 0 0
trick 1, seat 0: AS KS QS
trick 2, seat 0: 2H 3H 4H
points: 11 10 0
"""


def test_a_person_can_write_a_round():
    text = read_game("; a comment\n\n" + ROUND).rounds[0]
    assert text.after().scores() == [11, 10, 0]
    assert text.after(4).trick == [(0, "AS")]
    assert write_game(GameText(rounds=(text,))) == ROUND


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("bids: 1 0 0", "bids: 1 0 1", "line 7: illegal action"),
        ("bids: 1 0 0", "bids: 1 0 AS", "line 7: 'AS' is no bid"),
        ("AS KS QS", "AS 3H QS", "line 8: illegal action 14"),
        ("AS KS QS", "AS XX QS", "line 8: .*XX"),
        ("trick 2, seat 0", "trick 2, seat 1", "line 9: .*seat 0 is to play"),
        ("points: 11 10 0", "points: 11 10 1", "line 10: .*ends with 11 10 0"),
        ("points:", "total:", "line 10: 'total"),
        ("points:", ":", "line 10: ':"),
        ('[Trump "S"]', '[Trump "X"]', "round 1: Trump is 'X'"),
        ('[Trump "S"]\n', "", "round 1: the tag Trump is missing"),
        ('[Dealer "2"]', '[Dealer "3"]', "round 1: .*seat"),
        ('[Hand2 "QS 4H"]', '[Hand2 "QS 3H"]', "round 1: .*3H"),
        ('[Hand2 "QS 4H"]', '[Hand "QS 4H"]', "round 1: unknown tag Hand"),
        ('[Hand2 "QS 4H"]', '[Hand3 "QS 4H"]', "round 1: .*3 players have Hand0 to Hand2"),
        ('[Dealer "2"]', "[Dealer 2]", "line 2: .* is no tag"),
        ('[Dealer "2"]', '[Dealer "2"]\n[Dealer "2"]', "line 3: the tag Dealer stands twice"),
        ('[Round "1"]\n', "bids: 1\n", "line 1: .*before the first"),
    ],
)
def test_faults_name_their_line(right, wrong, message):
    assert right in ROUND
    with pytest.raises(bz.ConfigError, match=message):
        read_game(ROUND.replace(right, wrong))
