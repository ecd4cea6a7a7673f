"""All games that are being played at once, and what can be asked of them. It knows no web.

Every answer is plain data. Each game has a lock; games do not wait for each other.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from blob_zero import _core
from blob_zero.analysis.judge import Judge
from blob_zero.analysis.review import review_round
from blob_zero.errors import BlobError, ConfigError
from blob_zero.notation.rounds import read_action
from blob_zero.play.drill import Exercise, exercises
from blob_zero.play.duplicate import Result, friends, play_for_you, result_of
from blob_zero.play.fairness import hash_of, new_secret
from blob_zero.play.levels import all_levels
from blob_zero.play.saves import Saves, from_text, to_text
from blob_zero.play.session import Session
from blob_zero.play.table import YOU, Table
from blob_zero.play.view import Json, actions_view, decision_view, hint_view, position_view, table_view

MAX_OPEN = 200
"""Games in memory; the one longest unused is left to its file."""

_SECRETS = 1000
"""Hashes that were shown and wait for a cut."""

_EXERCISES = 1000
"""Exercises of earlier drills that can still be answered."""

_LISTED = 50
"""Saved games that are listed, and read for a drill."""

_Answer = TypeVar("_Answer")


class StaleError(BlobError):
    """An action for a position that is no longer on the table."""


@dataclass
class _Open:
    session: Session
    lock: threading.Lock = field(default_factory=threading.Lock)


class House:
    """The games of one server.

    Args:
        saves: where games are kept.
        judge: gives hints and reviews.
        suggested: what the page suggests for a new game.

    Attributes:
        visited: set once somebody has asked for the lobby.
    """

    def __init__(self, saves: Saves, judge: Judge, suggested: Json | None = None) -> None:
        self._saves = saves
        self._judge = judge
        self._suggested = suggested or {}
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._secrets: OrderedDict[str, str] = OrderedDict()
        self._exercises: OrderedDict[int, Exercise] = OrderedDict()
        self._drill = range(0)
        self._lock = threading.Lock()
        self.visited = threading.Event()

    def lobby(self) -> Json:
        """What a person needs to begin: levels, saved games, and the hash of the next secret."""
        self.visited.set()
        secret = new_secret()
        with self._lock:
            self._secrets[hash_of(secret)] = secret
            while len(self._secrets) > _SECRETS:
                self._secrets.popitem(last=False)
        return {
            "levels": [
                {"agent": level.agent, "title": level.title, "rating": level.rating, "about": level.about}
                for level in all_levels()
            ],
            "games": [_listed(saved.name, saved.session) for saved in self._saves.newest(_LISTED)],
            "hash": hash_of(secret),
            "suggested": self._suggested,
            "net": self._judge.name,
        }

    def new(self, request: Json) -> Json:
        """Begins a game; the secret is the one whose hash the lobby showed."""
        shown = str(request.get("hash"))
        secret = self._secrets.get(shown)
        if secret is None:
            raise ConfigError("the hash is none of a new game; ask for the lobby again")
        table = _read_table(request, secret)
        # A secret deals once: who saw its cards could cut for better ones.
        with self._lock:
            if self._secrets.pop(shown, None) is None:
                raise ConfigError("the hash is none of a new game; ask for the lobby again")
        return self._add(Session(table))

    def bring_in(self, text: str) -> Json:
        """Adds a game from its text: a friend's, or a challenge, which is a game without rounds."""
        return self._add(from_text(text))

    def view(self, name: str) -> Json:
        """The table of a game."""
        return self._asked(name, table_view)

    def act(self, name: str, request: Json) -> Json:
        """Plays an action of the person, given as text, at the turn that the person saw."""

        def play(session: Session) -> None:
            if request.get("turn") != session.turns:
                raise StaleError("the table has changed since; look again")
            session.play(read_action(str(request.get("action")), session.round))

        return self._changed(name, play)

    def advance(self, name: str) -> Json:
        """One action of a bot."""
        return self._changed(name, Session.advance)

    def next_round(self, name: str) -> Json:
        """The next deal."""
        return self._changed(name, Session.next_round)

    def undo(self, name: str) -> Json:
        """Takes back the last decision."""
        return self._changed(name, Session.undo)

    def hint(self, name: str) -> Json:
        """What your actions are worth now."""

        def hint(session: Session) -> Json:
            if not session.your_turn:
                raise StaleError("it is not your turn")
            session.hints += 1
            return hint_view(session, self._judge)

        return self._asked(name, hint)

    def review(self, name: str, number: int | None) -> Json:
        """Your decisions in a finished round, or in all, the worst first."""

        def review(session: Session) -> Json:
            numbers = range(len(session.finished)) if number is None else [number]
            found = [
                decision_view(decision, session.table.names, index)
                for index in numbers
                if 0 <= index < len(session.finished)
                for decision in review_round(session.finished[index], YOU, self._judge)
            ]
            found.sort(key=lambda decision: -float(decision["lost"]))
            lost = sum(float(decision["lost"]) for decision in found)
            return {"decisions": found, "lost": round(lost, 2), "net": self._judge.name}

        return self._asked(name, review)

    def duplicate(self, name: str) -> Json:
        """The same deals played by every level in your seat, and by friends."""

        def duplicate(session: Session) -> Json:
            rounds = len(session.finished)
            others = [play_for_you(session.table, level.agent, rounds) for level in all_levels()[:0:-1]]
            saved = [one.session for one in self._saves.newest(_LISTED) if one.name != name]
            return {
                "you": _result(result_of(session)),
                "bots": [_result(one) for one in others],
                "friends": [_result(one) for one in friends(session, saved)],
            }

        return self._asked(name, duplicate)

    def text(self, name: str, *, challenge: bool = False) -> str:
        """A game as text; a challenge is the same deals without what was played."""

        def text(session: Session) -> str:
            return to_text(Session(session.table) if challenge else session)

        return self._asked(name, text)

    def delete(self, name: str) -> Json:
        """Deletes a saved game."""
        with self._lock:
            self._open.pop(name, None)
        self._saves.delete(name)
        return {}

    def drill(self, seed: int, *, anew: bool) -> Json:
        """A position of one of your mistakes; `anew` reads the saved games again."""
        if anew:
            found = exercises((one.session for one in self._saves.newest(_LISTED)), self._judge, seed)
            with self._lock:
                # Numbers are not used again: somebody else may still answer an exercise of before.
                self._drill = range(self._drill.stop, self._drill.stop + len(found))
                self._exercises.update(zip(self._drill, found, strict=True))
                while len(self._exercises) > len(found) + _EXERCISES:
                    self._exercises.popitem(last=False)
        with self._lock:
            drill = self._drill
            if not drill:
                return {"exercise": None}
            number = drill[seed % len(drill)]
            exercise = self._exercises[number]
        position = position_view(exercise.decision.round, exercise.names)
        return {"exercise": number, "of": len(drill), "position": position}

    def answer(self, number: int, action: str) -> Json:
        """Whether an action in a drill is right, and what all are worth."""
        exercise = self._exercises.get(number)
        if exercise is None:
            raise ConfigError("no such exercise; begin the drill again")
        decision = exercise.decision
        chosen = read_action(action, decision.round)
        if chosen not in decision.judgement.actions:
            raise ConfigError(f"{action} is not legal there")
        return {
            "right": exercise.right(chosen),
            "best": decision.name(decision.judgement.best),
            "then": decision.name(decision.chosen),
            "actions": actions_view(decision.judgement, decision.round),
        }

    def _add(self, session: Session) -> Json:
        name = self._saves.new_name()
        self._saves.save(name, session)
        self._remember(name, session)
        return {"name": name, **table_view(session)}

    def _remember(self, name: str, session: Session) -> _Open:
        with self._lock:
            known = self._open.setdefault(name, _Open(session))
            self._open.move_to_end(name)
            # A game that is being asked keeps its place: read from its file it would be another one.
            idle = [name for name, one in self._open.items() if not one.lock.locked()]
            for name in idle[: max(0, len(self._open) - MAX_OPEN)]:
                del self._open[name]
            return known

    @contextmanager
    def _game(self, name: str) -> Iterator[Session]:
        with self._lock:
            known = self._open.get(name)
        if known is None:
            known = self._remember(name, self._saves.load(name))
        with known.lock:
            yield known.session

    def _asked(self, name: str, ask: Callable[[Session], _Answer]) -> _Answer:
        with self._game(name) as session:
            return ask(session)

    def _changed(self, name: str, change: Callable[[Session], object]) -> Json:
        with self._game(name) as session:
            change(session)
            self._saves.save(name, session)
            return table_view(session)


def _listed(name: str, session: Session) -> Json:
    table, view = session.table, table_view(session)
    return {
        "name": name,
        "players": table.players,
        "cards": table.cards,
        "length": table.length,
        "round": session.round_number,
        "rounds": len(session.schedule),
        "totals": view["totals"],
        "names": table.names,
        "done": session.done,
        "same_deals": table.same_deals,
    }


def _result(result: Result) -> Json:
    return {"name": result.name, "points": result.points, "made": result.made}


def _read_table(request: Json, secret: str) -> Table:
    for name, kind in (("players", int), ("cards", int), ("levels", list), ("length", str), ("cut", str)):
        if type(request.get(name)) is not kind:
            raise ConfigError(f"{name} is {str(request.get(name))[:40]!r}; a new game needs it")
    cut = request["cut"]
    if not 1 <= len(cut) <= 64 or not cut.isprintable():
        raise ConfigError("the cut is 1 to 64 characters")
    rules = request.get("rules") or {}
    if not isinstance(rules, dict):
        raise ConfigError("rules is an object with hook, scoring, turn_up")
    scoring = rules.get("scoring", "exact")
    return Table(
        players=request["players"],
        cards=request["cards"],
        levels=tuple(str(level) for level in request["levels"]),
        secret=secret,
        cut=cut,
        length=request["length"],
        name=str(request.get("name") or "You").strip(),
        rules=_core.RoundRules(
            hook=rules.get("hook", True) is True,
            scoring="exact_plus_tricks" if scoring == "exact_plus_tricks" else "exact",
            turn_up=rules.get("turn_up", False) is True,
        ),
    )
