"""Bad input is refused by an error that names the value and what is allowed, and nothing panics."""

import re

import numpy as np
import pytest
from support.evaluators import hashing

import blob_zero as bz
from blob_zero.errors import BlobError, ConfigError, EvaluatorError, IllegalActionError

HANDS = [["AS", "TD"], ["2C", "3C"], ["KH", "QH"]]


def refused(call, *mentions, kind=(ValueError, BlobError)):
    """Asserts that the call fails with such an error, whose message has all the words; gives the message."""
    # A panic is no Exception, so all have to be caught to tell it apart.
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        call()
    error = caught.value
    assert type(error).__name__ != "PanicException", f"a panic crossed the border: {error}"
    assert isinstance(error, kind), repr(error)
    message = str(error)
    for word in mentions:
        assert re.search(rf"(?<![\w-]){re.escape(str(word))}(?!\w)", message), f"{word!r} is not in {message!r}"
    return message


def make(**changes):
    return bz.Round(**{"players": 4, "cards": 5, "trump": "S", "dealer": 3, "seed": 7, **changes})


def given_hands(hands, **changes):
    return bz.Round(**{"players": 3, "trump": None, "dealer": 0, "hands": hands, **changes})


def self_play(**changes):
    """A setting may be refused when it is given or when the run starts."""
    return bz.SelfPlay(**{"players": 4, "cards": 5, "rounds": 1, **changes}).run(hashing())


def finished():
    engine = given_hands(HANDS)
    while engine.phase != "done":
        engine.play(engine.legal_actions()[0])
    return engine


def test_the_examples_of_this_file_are_accepted_when_right():
    assert make().cards == 5
    assert given_hands(HANDS).hand(2) in (["KH", "QH"], ["QH", "KH"])
    assert len(finished().scores()) == 3
    assert len(self_play().points) == 1


def test_errors_have_one_root():
    assert issubclass(IllegalActionError, BlobError)
    assert issubclass(IllegalActionError, ValueError)
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("players", [-1, 0, 1, 2, 9, 100])
def test_players(players):
    refused(lambda: make(players=players, cards=1, dealer=0), players, 3, 8)
    refused(lambda: bz.Game(players=players, cards=1, seed=0), players, 3, 8)
    refused(lambda: self_play(players=players, cards=1), players, 3, 8)


@pytest.mark.parametrize(("players", "cards", "most"), [(4, 14, 13), (4, 0, 13), (5, 11, 10), (8, 7, 6), (3, -2, 13)])
def test_cards(players, cards, most):
    refused(lambda: make(players=players, cards=cards, dealer=0), cards, players, most)
    refused(lambda: bz.Game(players=players, cards=cards, seed=0), cards, players, most)
    refused(lambda: self_play(players=players, cards=cards), cards, players, most)


def test_a_turned_up_card_needs_a_card_that_is_not_dealt():
    rules = bz.RoundRules(turn_up=True)
    refused(lambda: make(cards=13, trump=None, rules=rules), 13, 12)
    refused(lambda: make(rules=rules), "trump")


@pytest.mark.parametrize("trump", ["X", "s", "", "AS", "SS", "none"])
def test_unknown_trump(trump):
    refused(lambda: make(trump=trump), "S", "H", "C", "D", "None")
    assert repr(trump)[1:-1] in refused(lambda: make(trump=trump))


@pytest.mark.parametrize("seat", [-1, 4, 8, 255, 256, 2**40])
def test_seats(seat):
    refused(lambda: make(dealer=seat), seat, 3)
    refused(lambda: make().hand(seat), seat, 3)
    refused(lambda: make().observe(seat), seat, 3)


@pytest.mark.parametrize(
    ("hands", "mentions"),
    [
        pytest.param([["AS", "TD"], ["2C", "AS"], ["KH", "QH"]], ["AS"], id="one card in two hands"),
        pytest.param([["AS", "AS"], ["2C", "3C"], ["KH", "QH"]], ["AS"], id="one card twice in a hand"),
        pytest.param([["AS", "TD"], ["2C"], ["KH", "QH"]], [1, 2], id="sizes differ"),
        pytest.param([["AS", "TD"], ["2C", "3C"]], [2, 3], id="a hand is missing"),
        pytest.param([*HANDS, ["4C", "5C"]], [4, 3], id="a hand too many"),
        pytest.param([[], [], []], [0], id="no cards"),
        pytest.param([["AS", "1D"], ["2C", "3C"], ["KH", "QH"]], ["1D", "23456789TJQKA", "SHCD"], id="no such rank"),
        pytest.param([["AS", "TX"], ["2C", "3C"], ["KH", "QH"]], ["TX", "23456789TJQKA", "SHCD"], id="no such suit"),
    ],
)
def test_hands(hands, mentions):
    refused(lambda: given_hands(hands), *mentions)


def test_hands_contradict_the_number_of_cards():
    refused(lambda: given_hands(HANDS, cards=3), 2, 3)


@pytest.mark.parametrize("text", ["", "A", "AX", "1S", "10S", "as", "AS ", "♠A", "A\0"])
def test_card_text(text):
    refused(lambda: bz.card_index(text), "23456789TJQKA", "SHCD")
    if text.isprintable():
        assert text in refused(lambda: bz.card_index(text))


@pytest.mark.parametrize("index", [-1, 52, 255, 256, 2**40])
def test_card_indices(index):
    refused(lambda: bz.card_text(index), index, 51)


@pytest.mark.parametrize("action", [-1, 6, 13, 51, 52, 256, 2**40])
def test_illegal_bids(action):
    engine = make()
    refused(lambda: engine.play(action), 0, action, *range(6), kind=IllegalActionError)
    assert engine.bids == [None] * 4, "a refused action changes nothing"


def test_the_dealer_hears_which_bids_are_left():
    engine = make()
    for bid in [1, 1, 1]:
        engine.play(bid)
    refused(lambda: engine.play(2), 3, 2, 0, 1, 4, 5, kind=IllegalActionError)


def test_illegal_cards():
    engine = given_hands([["AS", "TD"], ["2S", "3C"], ["KH", "QH"]], dealer=2)
    for action in [0, 0, 1, bz.card_index("AS")]:
        engine.play(action)
    message = refused(lambda: engine.play(bz.card_index("3C")), 1, kind=IllegalActionError)
    assert "3C" in message
    assert "2S" in message
    refused(lambda: engine.play(bz.card_index("KH")), kind=IllegalActionError)
    assert engine.trick == [(0, "AS")]
    assert engine.legal_actions() == [bz.card_index("2S")]


def test_a_game_refuses_what_its_round_refuses():
    game = bz.Game(players=3, cards=2, seed=1)
    refused(lambda: game.play(3), 3, 0, 1, 2, kind=IllegalActionError)
    while not game.done:
        game.play(game.round.legal_actions()[0])
    refused(lambda: game.play(0), "done")


def test_after_the_end():
    engine = finished()
    assert engine.to_play is None
    assert engine.legal_actions() == []
    assert not engine.legal_mask().any()
    refused(lambda: engine.play(0), "done")
    refused(lambda: bz.search(engine, evaluator="uniform"), "done")
    assert engine.observe(1).encode().shape == (256,)
    refused(engine.observe, "done")
    refused(lambda: bz.rule_action(engine.observe(0)))


@pytest.mark.parametrize("actions", [0, 2, 3, 5])
def test_scores_before_the_end(actions):
    engine = given_hands(HANDS)
    for _ in range(actions):
        engine.play(engine.legal_actions()[0])
    refused(engine.scores, engine.phase, "done")


def test_another_seat_does_not_act():
    engine = make()
    waiting = (engine.to_play + 1) % 4
    refused(lambda: bz.rule_action(engine.observe(waiting)), waiting)


def test_unknown_scoring():
    refused(lambda: bz.RoundRules(scoring="double"), "double", "exact", "exact_plus_tricks")


@pytest.mark.parametrize("count", [0, -1])
def test_counts_have_to_be_positive(count):
    engine = make()
    refused(lambda: engine.observe().sample_worlds(count, seed=1), count)
    for name in ["worlds", "simulations"]:
        assert name in refused(lambda name=name: bz.search(engine, evaluator="uniform", **{name: count}), count)
    for name in [
        "worlds",
        "simulations",
        "rounds",
        "threads",
        "batch_rows",
        "rounds_in_flight",
        "leaves_in_flight",
    ]:
        assert name in refused(lambda name=name: self_play(**{name: count}), count)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("c_puct", -1.0),
        ("c_puct", float("nan")),
        ("noise_fraction", -0.1),
        ("noise_fraction", 1.1),
        ("noise_alpha", 0.0),
        ("noise_alpha", float("inf")),
        ("temperature", -1.0),
        ("final_temperature", float("nan")),
        ("virtual_loss", -1),
    ],
)
def test_self_play_settings_out_of_range(name, value):
    message = refused(lambda: self_play(**{name: value}))
    assert name in message
    assert f"{value:g}" in message.lower()


def test_unknown_evaluator():
    refused(lambda: bz.search(make(), evaluator="magic"), "magic", "uniform", "rollout")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: bz.Round(players="4", cards=5, trump="S", dealer=0, seed=1), id="text for a number"),
        pytest.param(lambda: bz.Round(players=2**100, cards=5, trump="S", dealer=0, seed=1), id="a huge number"),
        pytest.param(lambda: make(trump=3), id="a number for trump"),
        pytest.param(lambda: given_hands(7), id="a number for hands"),
        pytest.param(lambda: given_hands(["AS", "TD", "2C"]), id="text for hands"),
        pytest.param(lambda: make().play("AS"), id="text for an action"),
        pytest.param(lambda: make().play(1.5), id="a fraction for an action"),
        pytest.param(lambda: make().play(2**70), id="a huge action"),
        pytest.param(lambda: bz.card_index(5), id="a number for card text"),
        pytest.param(lambda: bz.search(make(), evaluator=5), id="a number for an evaluator"),
        pytest.param(lambda: bz.search("round", evaluator="uniform"), id="text for a round"),
        pytest.param(lambda: bz.SelfPlay(players=3, cards=1, rounds=1).run(None), id="no evaluator"),
    ],
)
def test_wrong_types_are_ordinary_errors(call):
    refused(call, kind=(TypeError, ValueError, BlobError))


def test_neither_hands_nor_cards():
    refused(
        lambda: bz.Round(players=4, trump="S", dealer=0, seed=1),
        "cards",
        "hands",
        kind=(TypeError, ValueError, BlobError),
    )


def test_a_search_names_what_its_evaluator_did():
    def nan(features, _legal):
        return np.full((len(features), 52), np.nan, np.float32), np.zeros((len(features), 8), np.float32)

    refused(lambda: bz.search(make(), evaluator=nan), kind=EvaluatorError)
    result = bz.search(make(), evaluator=hashing())
    assert result.policy.shape == (52,)


@pytest.mark.parametrize("number", [2**63, 10**30, -(2**70)])
def test_numbers_past_a_machine_word_are_named(number):
    text = str(number)
    refused(lambda: bz.Round(players=number, cards=5, seed=1), text)
    refused(lambda: bz.Round(players=4, cards=5, seed=number), text)
    refused(lambda: bz.Round(players=4, cards=5, seed=1).play(number), text, "legal", kind=bz.IllegalActionError)
    refused(lambda: bz.Game(players=4, cards=5, seed=1).play(number), text, "legal", kind=bz.IllegalActionError)
    refused(lambda: bz.Game(players=4, cards=5, seed=number), text)
    refused(lambda: bz.Round(players=4, cards=5, seed=1).hand(number), text)
    refused(lambda: bz.card_text(number), text)
    refused(lambda: bz.search(bz.Round(players=4, cards=5, seed=1), evaluator="uniform", seed=number), text)
    refused(lambda: bz.SelfPlay(players=4, cards=5, rounds=number), text)
