"""The game in a terminal of 80 x 24, without colour, by typed answers alone."""

import io

import pytest
from rich.console import Console

from blob_zero.analysis import PlayoutJudge
from blob_zero.play import terminal
from blob_zero.play.saves import Saves

REQUEST = {
    "players": 4,
    "cards": 3,
    "levels": ["rule"] * 3,
    "length": "game",
    "name": "You",
    "rules": {"hook": True, "scoring": "exact", "turn_up": False},
}


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Plays with the answers that a function chooses from the screen so far; returns the screen."""

    def play(answer, resume=None, encoding="utf-8", **changes):
        screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        console = Console(file=screen, width=80, height=24, color_system=None, highlight=False, force_terminal=False)
        asked = []

        def read(prompt, default=None, **_):
            asked.append(str(prompt))
            given = answer(asked[-1], game[0].session if game else None)
            return default if given is None else given

        game = []
        monkeypatch.setattr(terminal.Prompt, "ask", read)
        monkeypatch.setattr(terminal, "Console", lambda **_: console)
        of_game = terminal.TerminalGame.begin
        monkeypatch.setattr(
            terminal.TerminalGame, "begin", lambda self, *args: (of_game(self, *args), game.append(self))[0]
        )
        terminal.play_in_terminal({**REQUEST, **changes}, Saves(tmp_path), PlayoutJudge(10), resume)
        screen.flush()
        return screen.buffer.getvalue().decode(encoding), game[0]

    return play


def legal(prompt, session):
    if "bid" in prompt:
        return str(session.round.legal_actions()[0])
    if "card" in prompt:
        from blob_zero import card_text

        return card_text(session.round.legal_actions()[0]).lower()
    return None


def test_a_whole_game_fits_80_columns(play):
    screen, game = play(legal)
    assert game.session.done
    assert max(map(len, screen.splitlines())) <= 80
    assert "Round 8 of 8" in screen
    assert game.session.table.secret in screen
    assert "\x1b" not in screen


@pytest.mark.parametrize(("players", "cards"), [(3, 13), (5, 10), (8, 6)])
def test_a_row_of_the_score_sheet_is_a_line(play, players, cards):
    screen, game = play(legal, players=players, cards=cards, levels=["rule"] * (players - 1), length="round")
    lines = screen.splitlines()
    head = next(line for line in lines if line.startswith("  round"))
    assert head.split() == ["round", *game.session.table.names]
    (cells,) = (lines[k + 1] for k, line in enumerate(lines) if line == head)
    assert len(cells.split()) == 1 + 2 * players


def test_commands_and_wrong_answers_lose_nothing(play):
    answers = iter(["h", "l", "t", "r", "?", "99", "no", "u", "q"])
    screen, _ = play(lambda prompt, _: next(answers) if "bid" in prompt else None)
    assert "points" in screen
    assert "No trick is finished yet" in screen
    assert "No round is finished yet" in screen
    assert "99" in screen
    assert "nothing to take back" in screen


def test_a_game_is_left_and_taken_up_again(play, tmp_path):
    count = iter(range(1000))
    screen, game = play(lambda prompt, session: "q" if next(count) == 9 else legal(prompt, session))
    assert f"--resume {game.name} --saves {tmp_path}" in screen
    before = game.session.turns
    _, again = play(lambda *of: "q" if "next" in of[0] else legal(*of), resume=game.name)
    assert again.session.turns >= before > 0


def test_it_needs_no_unicode(play):
    screen, _ = play(legal, encoding="ascii")
    assert "Round 8 of 8" in screen
