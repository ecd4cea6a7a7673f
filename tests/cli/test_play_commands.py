"""The commands for people: play and review."""

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest
from support.command_line import command, start
from support.tables import free_table, play_on

from blob_zero.analysis import PlayoutJudge
from blob_zero.cli.play import _warm_up
from blob_zero.notation import GameText, write_game
from blob_zero.play import levels
from blob_zero.play.house import House
from blob_zero.play.saves import Saves, to_text
from blob_zero.play.session import Session


@pytest.fixture
def played(tmp_path):
    session = Session(free_table(cards=4))
    play_on(session, 200, pick=2)
    path = tmp_path / "game.blob"
    path.write_text(to_text(session))
    return path, session


def test_play_serves_the_page_and_ends_at_ctrl_c(tmp_path):
    with start(tmp_path, "play", "--no-browser", "--saves", str(tmp_path / "games")) as process:
        address = process.stdout.readline().split()[-1]
        page = urllib.request.urlopen(address).read().decode()
        assert "<title>Blob</title>" in page
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--levels", "best"], "unknown level 'best'"),
        (["--levels", "rule,rule"], "2 levels for 3 bots"),
        (["--scoring", "double"], "exact or exact_plus_tricks"),
        (["--net", "best"], "unknown net 'best'"),
        (["--port", "1"], "cannot listen on port 1"),
        (["--terminal", "--resume", "nothing"], "no saved game 'nothing'"),
        (["--terminal", "--players", "8", "--cards", "7"], "a hand has 1 to 6 cards"),
    ],
)
def test_what_cannot_be_played_is_refused(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.setattr("blob_zero.play.terminal.Prompt.ask", lambda *_, **__: "cut")
    if arguments == ["--port", "1"]:
        monkeypatch.setattr("socket.socket.bind", refuse)
    status, _, err = command(monkeypatch, capsys, "play", "--saves", str(tmp_path), *arguments)
    assert status == 2
    assert message in " ".join(err.split())


def refuse(*_):
    raise PermissionError(13, "Permission denied")


def test_a_missing_server_is_named_with_its_install_line():
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['blob-zero', 'play', '--no-browser'];"
        "from blob_zero.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'blob-zero[play]'" in " ".join(done.stderr.split())


def test_the_page_goes_before_the_network(monkeypatch, tmp_path):
    judge = PlayoutJudge(1)
    house = House(Saves(tmp_path), judge)
    read = threading.Event()
    monkeypatch.setattr(levels, "warm_up", read.set)
    threading.Thread(target=_warm_up, args=(house, judge), daemon=True).start()
    assert not read.wait(0.2)
    house.lobby()
    assert read.wait(10)


def test_review_lists_the_worst_first(monkeypatch, capsys, played):
    path, session = played
    status, out, _ = command(monkeypatch, capsys, "review", str(path), "--net", "flat:30")
    assert status == 0
    head, *lines = out.splitlines()
    lost = [float(line.split()[0]) for line in lines]
    assert lost == sorted(lost)
    assert all(re.search(r"round +\d+: you (bid|played)", line) for line in lines)
    assert f"of {len(session.finished)} rounds" in head


def test_review_of_another_seat_as_json(monkeypatch, capsys, tmp_path, played):
    path = tmp_path / "rounds.txt"
    path.write_text(write_game(GameText(rounds=tuple(played[1].finished))))
    status, out, _ = command(monkeypatch, capsys, "review", str(path), "--seat", "2", "--net", "flat:30", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["seat"] == 2
    assert found["lost"] == pytest.approx(sum(one["lost"] for one in found["decisions"]), abs=0.01)
    for one in found["decisions"]:
        hand = one["position"]["hand"]
        assert set(one["position"]["legal"]) == {action["action"] for action in one["actions"]}
        assert one["open"]["hands"][2] == hand
        assert all(world[2] == hand for world in one["worlds"])


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, [], "cannot read"),
        ("", [], "has no finished round"),
        ("nothing", [], "line 1"),
        ("game", ["--seat", "4"], "seats 0 to 3"),
    ],
)
def test_what_cannot_be_reviewed_is_refused(monkeypatch, capsys, tmp_path, played, content, arguments, message):
    path = tmp_path / "file.txt"
    if content is not None:
        path.write_text(played[0].read_text() if content == "game" else content)
    status, _, err = command(monkeypatch, capsys, "review", str(path), *arguments)
    assert status == 2
    assert message in " ".join(err.split())
