"""The server answers the page and nobody else, and bad requests do no harm."""

import http.client
import json
import threading
import urllib.parse

import pytest

from blob_zero.play.house import MAX_OPEN


class Client:
    def __init__(self, server):
        parts = urllib.parse.urlsplit(server.address)
        self.port, self.path = parts.port, parts.path
        self.host = f"127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Host": self.host, "Content-Type": "application/json", **headers}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path if path.startswith("//") else self.path + path, data, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.headers.get("content-type") == "application/json":
            return response.status, json.loads(content)
        return response.status, content.decode()

    def get(self, path):
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path, body):
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def new(self, **changes):
        wanted = {
            "players": 4,
            "cards": 2,
            "length": "round",
            "levels": ["rule", "random", "rule"],
            "cut": "c",
            "hash": self.get("api/lobby")["hash"],
            **changes,
        }
        return self.ask("POST", "api/new", wanted)


@pytest.fixture
def client(server):
    return Client(server)


def play_round(client, name):
    view = client.get(f"api/game/{name}")
    while view["phase"] != "done":
        if view["your_turn"]:
            view = client.post(f"api/game/{name}/act", {"action": view["legal"][-1], "turn": view["turns"]})
        else:
            view = client.post(f"api/game/{name}/advance", {})
    return view


def test_a_round_is_played_hinted_undone_reviewed_and_compared(client):
    _, view = client.new()
    name = view["name"]
    while not view.get("your_turn"):
        view = client.post(f"api/game/{name}/advance", {})
    hint = client.post(f"api/game/{name}/hint", {})
    assert {one["action"] for one in hint["actions"]} == set(view["legal"])
    client.post(f"api/game/{name}/act", {"action": hint["best"], "turn": view["turns"]})
    back = client.post(f"api/game/{name}/undo", {})
    assert (back["turns"], back["undos"], back["legal"]) == (view["turns"], 1, view["legal"])
    end = play_round(client, name)
    assert end["done"]
    assert len(end["secret"]) == 32
    review = client.get(f"api/game/{name}/review")
    lost = [one["lost"] for one in review["decisions"]]
    assert lost == sorted(lost, reverse=True)
    assert client.get(f"api/game/{name}/review?round=0") == review
    found = client.get(f"api/game/{name}/duplicate")
    assert found["you"]["points"] == [end["sheet"][0]["points"][0]]
    assert len(found["bots"]) >= 3


def test_a_challenge_gives_a_friend_the_same_deals(client):
    _, view = client.new()
    end = play_round(client, view["name"])
    challenge = client.get(f"api/game/{view['name']}/text?challenge")
    assert "Hand" not in challenge
    friend = client.post("api/import", {"text": challenge.replace('[Name "You"]', '[Name "Eve"]')})
    assert friend["hash"] == end["hash"]
    play_round(client, friend["name"])
    assert [one["name"] for one in client.get(f"api/game/{view['name']}/duplicate")["friends"]] == ["Eve"]


def test_mistakes_come_back_in_the_drill(client):
    assert client.get("api/drill?seed=1&anew")["exercise"] is None
    for cut in "abcdefgh":
        _, view = client.new(cut=cut)
        play_round(client, view["name"])
    drill = client.get("api/drill?seed=1&anew")
    # Somebody else begins a drill before this one is answered.
    assert client.get("api/drill?seed=2&anew")["exercise"] != drill["exercise"]
    number, legal = drill["exercise"], drill["position"]["legal"]
    answers = [client.post("api/drill", {"exercise": number, "action": one}) for one in legal]
    best = answers[0]["best"]
    assert [one["right"] for one in answers][legal.index(best)]
    assert not all(one["right"] for one in answers)


def test_the_page_loads_nothing_from_outside(client):
    status, page = client.ask("GET", "")
    assert status == 200
    assert "<script src" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_other_pages_are_refused(client, headers, status):
    assert client.ask("POST", "api/new", {}, **headers)[0] == status


def test_its_own_origin_is_answered(client):
    status, answer = client.ask("POST", "api/new", {}, Origin=f"http://{client.host}")
    assert (status, "hash" in answer["error"]) == (400, True)


@pytest.mark.parametrize("path", ["/", "/x/", "/x/api/lobby", "/api/lobby", "/%2e%2e/", "/\u00e9/"])
def test_other_tokens_are_refused(client, path):
    connection = http.client.HTTPConnection("127.0.0.1", client.port)
    connection.request("GET", urllib.parse.quote(path), headers={"Host": client.host})
    response = connection.getresponse()
    assert response.status == 404
    assert b"Blob" not in response.read()
    connection.close()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("api/new", b"{", 400),
        ("api/new", b"[]", 400),
        ("api/new", b"[" * 50_000, 400),
        ("api/new", {"players": 4}, 400),
        ("api/import", {"text": "x"}, 400),
        ("api/import", {}, 400),
        ("api/drill", {"exercise": 7, "action": "AS"}, 400),
        ("api/drill", {"exercise": "7"}, 400),
        ("api/game/nothing/act", {}, 400),
        ("api/game/..%2f..%2fetc/act", {}, 404),
        ("api/new", b"x" * (64 << 10) + b"x", 413),
        ("api/nothing", {}, 404),
    ],
)
def test_bad_requests_do_no_harm(client, path, body, status):
    assert client.ask("POST", path, body)[0] == status
    assert client.get("api/lobby")["hash"]


@pytest.mark.parametrize(
    "changes",
    [
        {"players": 9},
        {"players": "4"},
        {"cards": 14},
        {"levels": ["rule"]},
        {"levels": ["best", "rule", "rule"]},
        {"length": "day"},
        {"cut": ""},
        {"cut": "x" * 65},
        {"name": "x" * 21},
        {"name": "\n"},
        {"rules": []},
        {"rules": "none"},
        {"hash": "0" * 64},
    ],
)
def test_impossible_tables_are_refused(client, changes):
    status, answer = client.new(**changes)
    if changes == {"rules": []}:
        assert status == 200  # as if it were left out
    else:
        assert (status, list(answer)) == (400, ["error"])


def test_a_secret_deals_once(client):
    shown = client.get("api/lobby")["hash"]
    assert client.new(hash=shown)[0] == 200
    assert client.new(hash=shown)[0] == 400


def test_an_action_for_an_old_position_is_refused(client):
    _, view = client.new()
    name = view["name"]
    while not view.get("your_turn"):
        view = client.post(f"api/game/{name}/advance", {})
    action = {"action": view["legal"][0], "turn": view["turns"]}
    client.post(f"api/game/{name}/act", action)
    assert client.ask("POST", f"api/game/{name}/act", action)[0] == 409


def test_two_hundred_sessions_and_more_are_kept(client, house):
    names = [client.new(cut=f"c{k}")[1]["name"] for k in range(MAX_OPEN + 10)]
    assert MAX_OPEN >= 200
    assert len(house._open) == MAX_OPEN
    # The first ones left memory for their files; all go on.
    ends = [play_round(client, name) for name in names[:3] + names[-3:]]
    assert all(end["done"] for end in ends)


def test_requests_at_the_same_time_do_not_mix_games(client):
    names = [client.new(cut=f"t{k}")[1]["name"] for k in range(6)]
    ends = {}

    def play(name):
        ends[name] = play_round(client, name)

    threads = [threading.Thread(target=play, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = {name: client.get(f"api/game/{name}") for name in names}
    assert {name: json.loads(json.dumps(end)) for name, end in ends.items()} == again
