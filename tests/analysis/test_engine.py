"""The analysis engine answers every line, whatever stands in it."""

import io
import json
import pathlib
import re
import signal
import subprocess
import sys

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blob_zero as bz
from blob_zero.analysis.engine import Engine
from blob_zero.analysis.hidden_hands import fill_hands
from blob_zero.analysis.lines import MAX_LINE

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "analyze.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "python/blob_zero/analysis/schema.json").read_text(encoding="utf-8"))
EXAMPLES = [line for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.S) for line in block.splitlines()]

ENGINE = Engine("flat:8")
POSITION = {
    "id": "7",
    "players": 4,
    "cards": 2,
    "trump": "S",
    "dealer": 3,
    "seat": 0,
    "hand": ["AS"],
    "bids": [1, 0, 0, 0],
    "plays": ["KH", "2H", "3H", "4H"],
}


def check(kind, line):
    jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{kind}"}]}).validate(line)


def ask(engine=ENGINE, **changes):
    request = {key: value for key, value in {**POSITION, **changes}.items() if value is not ...}
    answers = engine.answer([json.dumps(request)])
    for answer in answers:
        check("error" if "error" in answer else "answer", answer)
    return answers


def test_examples_of_the_document_fit_the_schema_and_are_answered():
    requests = [line for line in EXAMPLES if '"players"' in line]
    assert len(requests) >= 4
    for line in EXAMPLES:
        kind = "request" if line in requests else "error" if '"error"' in line else "answer"
        check(kind, json.loads(line))
    answers = ENGINE.answer(requests)
    for answer in answers:
        check("answer", answer)
    assert [(answer["id"], answer.get("turn")) for answer in answers] == [
        ("7", None), ("8", None), (9, 0), (9, 2), (9, 3), (10, None),
    ]  # fmt: skip


def test_the_python_of_the_document_runs(capsys):
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(snippet, "docs/analyze.md", "exec"), {})
    assert capsys.readouterr().out


def test_tables_of_the_document_name_the_fields_of_the_schema():
    for kind in ("request", "answer"):
        fields = set(SCHEMA["$defs"][kind]["properties"]) - {"phase"}
        assert fields <= set(re.findall(r"`(\w+)`", DOCUMENT)), kind


def test_the_least_that_other_tools_rely_on():
    (answer,) = ask(bids=[1, 0], plays=..., seat=2, hand=["AS", "KD"])
    assert answer["id"] == "7"
    assert answer["actions"][0]["action"] in ("1", "2")
    points = [action["points"] for action in answer["actions"]]
    assert points == sorted(points, reverse=True)
    assert sum(action["policy"] for action in answer["actions"]) == pytest.approx(1, abs=1e-4)
    assert all(len(action["tricks"]) == 3 for action in answer["actions"])
    assert len(answer["points"]) == 4


def test_a_sure_trick_is_known():
    (answer,) = ask()
    # Seat 0 won a trick with KH and bid 1: AS wins the second one too.
    assert answer["actions"] == [
        {"action": "AS", "policy": 1, "points": 0, "make": 0, "tricks": [0, 0, 1]},
    ]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"players": 2}, "players", "3 to 8"),
        ({"players": "4"}, "players", "players is '4'"),
        ({"players": True}, "players", "True"),
        ({"cards": 14}, "cards", "1 to 13"),
        ({"cards": ...}, "cards", "missing"),
        ({"trump": "X"}, "trump", "S, H, C, D"),
        ({"trump": ["S"]}, "trump", "S, H, C, D"),
        ({"trump": ...}, "trump", "missing"),
        ({"dealer": 4}, "dealer", "0 to 3"),
        ({"seat": 1}, "seat", "seat 0 is to act"),
        ({"hand": ["AS", "AD"]}, "hand", "holds 1 of 2"),
        ({"hand": ["KH"]}, "hand", "KH was played"),
        ({"hand": ["as"]}, "hand", "rank and suit"),
        ({"hand": "AS"}, "hand", "list of cards"),
        ({"hand": ...}, "hand", "missing"),
        ({"bids": [1, 0, 0]}, "plays", "3 of 4 bids"),
        ({"bids": [1, 0, 0, 1, 1]}, "bids", "5 bids of 4"),
        ({"bids": [1, 0, 0, 3]}, "bids", "illegal action 3"),
        ({"bids": [1, 0, 0, -1]}, "bids", "-1"),
        ({"bids": [1, 1, 0, 0]}, "bids", "illegal action 0"),  # the hook
        ({"plays": ["KH", "2H", "3H", "2H"]}, "plays", "2H is turned up or was played before"),
        ({"plays": ["KH", "2H", "3H", "4H", "AC", "2C", "3C", "4C"]}, "plays", "the round is over"),
        ({"plays": ["KH", "2C", "3H", "4H", "AC", "5H"], "hand": ["2D"]}, "plays", "5H of seat 1"),
        ({"rules": {"hook": 1}}, "rules", "hook is 1"),
        ({"rules": {"scoring": "all"}}, "rules", "scoring is 'all'"),
        ({"rules": []}, None, None),  # empty, as if it were left out
        ({"rules": "none"}, "rules", "an object"),
        ({"rules": {"turn_up": True}}, "turned_up", "go together"),
        ({"turned_up": "5D"}, "trump", "its suit is trump"),
        ({"worlds": 101}, "worlds", "0 to 100"),
        ({"net": "best"}, "net", "unknown net 'best'"),
        ({"net": 3}, "net", "it is a text"),
        ({"search": "deep"}, "search", "WxS"),
        ({"search": "1000x10000"}, "search", "at most 1,000,000"),
        ({"search": "0x3"}, "search", "WxS"),
        ({"turns": [0]}, "turns", "goes with hands"),
        ({"hands": [["AS"]]}, "hands", "1"),
        ({"id": [1]}, "id", "a text or a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes, field, message):
    (answer,) = ask(**changes)
    assert answer.get("field") == field
    if message is not None:
        assert message in answer["error"]
        assert answer["id"] == (None if field == "id" else "7")


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        ('{"id": "a", "players": 4', "a"),
        ('{"id": 5, "players": }', 5),
        ("nothing", None),
        ("[1, 2]", None),
        ('{"id": "deep", "x": ' + 100_000 * "[", "deep"),
        ('{"id": "big", "x": ' + 5000 * "9" + "}", "big"),
        ('{"id": "oversized", "x": "' + MAX_LINE * "x" + '"}', "oversized"),
        ("\x00\x01", None),
    ],
)
def test_lines_that_are_no_requests_get_an_error_and_the_next_is_answered(line, id_):
    out = io.BytesIO()
    ENGINE.serve(io.BytesIO(f"{line}\n\n{json.dumps(POSITION)}\n".encode()), out)
    first, second = map(json.loads, out.getvalue().splitlines())
    check("error", first)
    assert (first["id"], first["field"]) == (id_, None)
    assert second["id"] == "7"
    assert "error" not in second


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.data())
def test_no_value_of_a_field_stops_the_engine(value, data):
    field = data.draw(st.sampled_from(sorted(SCHEMA["$defs"]["request"]["properties"])))
    for answer in ENGINE.answer([json.dumps({**POSITION, field: value})]):
        check("error" if "error" in answer else "answer", answer)


def test_unknown_fields_are_warned_about():
    (answer,) = ask(serch="3x30")
    assert answer["warnings"] == ["unknown field 'serch'; did you mean 'search'?"]


@pytest.mark.parametrize("search", ["3x30", "ismcts:90"])
def test_a_search_adds_visits_and_orders_by_them(search):
    (answer,) = ask(bids=[], plays=[], seat=0, hand=["AS", "KS"], search=search)
    visits = [action["visits"] for action in answer["actions"]]
    assert sum(visits) == 90
    assert visits == sorted(visits, reverse=True)
    assert [action["policy"] for action in answer["actions"]] == pytest.approx([v / 90 for v in visits], abs=1e-4)


def test_worlds_fit_what_the_seat_knows():
    (answer,) = ask(worlds=5)
    assert len(answer["worlds"]) == 5
    for world in answer["worlds"]:
        assert world[0] == ["AS"]
        cards = [card for hand in world for card in hand]
        assert len(set(cards)) == 4
        assert not set(cards) & set(POSITION["plays"])


@st.composite
def decisions(draw):
    players = draw(st.integers(3, 8))
    cards = draw(st.integers(1, min(13, 52 // players)))
    seed = draw(st.integers(0, 2**32))
    trump = draw(st.sampled_from(["S", None]))
    deal = bz.Round(players=players, cards=cards, trump=trump, dealer=seed % players, seed=seed)
    round_, actions = deal.copy(), []
    for _ in range(draw(st.integers(0, players * (cards + 1) - 1))):
        actions.append(draw(st.sampled_from(round_.legal_actions())))
        round_.play(actions[-1])
    return deal, round_, actions


@given(decisions())
def test_one_seats_view_and_the_full_deal_are_answered_alike(decision):
    deal, round_, actions = decision
    common = {
        "players": deal.players,
        "cards": deal.cards,
        "trump": deal.trump,
        "dealer": deal.dealer,
        "bids": actions[: deal.players],
        "plays": [bz.card_text(card) for card in actions[deal.players :]],
    }
    view = {**common, "seat": round_.to_play, "hand": round_.hand(round_.to_play)}
    full = {**common, "hands": [deal.hand(seat) for seat in range(deal.players)], "turns": [len(actions)]}
    for request in (view, full):
        check("request", request)
    seen, known = ENGINE.answer([json.dumps(view), json.dumps(full)])
    for answer in (seen, known):
        answer.pop("turn", None)
        answer.pop("milliseconds")
    assert seen == known


def test_hidden_hands_are_found_where_voids_leave_one_way():
    # 4 x 13: seats 1 to 3 are void in spades after the first trick, so seat 0 holds all the others.
    plays = ["AS", "2H", "2C", "2D"]
    spades = [rank + "S" for rank in "23456789TJQK"]
    hands, to_play = fill_hands(
        players=4, cards=13, trump="S", leader=0, gone=[], bids=4, plays=plays, hand=spades
    )  # fmt: skip
    assert to_play == 0
    assert sorted(card for hand in hands for card in hand) == sorted(
        rank + suit for suit in "SHCD" for rank in "23456789TJQKA"
    )
    assert not any(card[1] == "S" for hand in hands[1:] for card in hand)


def run(*arguments, **options):
    return subprocess.Popen(
        [pathlib.Path(sys.executable).with_name("blob-zero"), "analyze", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def test_the_command_answers_at_once_and_ends_with_its_input():
    with run("--net", "flat:8") as process:
        process.stdin.write(json.dumps(POSITION).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == "7"  # before the input ends
        out, err = process.communicate(b"")
        assert (process.returncode, out, err) == (0, b"", b"")


def test_ctrl_c_ends_it_without_a_word():
    with run() as process:
        process.stdin.write(json.dumps(POSITION).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert (process.returncode, err) == (130, b"")


def test_wrong_options_are_refused():
    with run("--net", "best") as process:
        _, err = process.communicate()
    assert process.returncode == 2
    assert b"unknown net 'best'" in err
