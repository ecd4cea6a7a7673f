"""Tables for tests of the game, and players without a head."""

from blob_zero.play.fairness import new_secret
from blob_zero.play.table import Table


def free_table(**changes):
    given = {
        "players": 4,
        "cards": 3,
        "levels": ("rule", "random", "rule"),
        "secret": "00112233445566778899aabbccddeeff",
        "cut": "cut",
        **changes,
    }
    if "levels" not in changes:
        given["levels"] = ("rule",) * (given["players"] - 1)
    return Table(**given)


def random_table(**changes):
    return free_table(secret=new_secret(), **changes)


def play_on(session, turns=10_000, pick=0):
    """Plays a number of actions, the person's by their place among the legal ones; deals the rounds in between."""
    for _ in range(turns):
        if session.done:
            return
        session.next_round()
        if session.your_turn:
            legal = session.round.legal_actions()
            session.play(legal[pick % len(legal)])
        else:
            session.advance()
