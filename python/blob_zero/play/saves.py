"""Saved games: one text file each, in the notation of docs/notation.md.

The running round is kept as its actions alone, so that whoever opens the file of a running game sees no hidden card.
"""

import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from blob_zero import _core
from blob_zero.errors import BlobError, ConfigError
from blob_zero.notation import GameText, RoundText, action_name, read_game, write_game
from blob_zero.notation.rounds import read_action
from blob_zero.play.fairness import hash_of
from blob_zero.play.session import Session
from blob_zero.play.table import Length, Table
from blob_zero.run.atomic_files import make_folder, write_atomically

SUFFIX = ".blob"

MAX_BYTES = 64 << 10
"""Most bytes of a game's file; the longest game takes about half of it."""

_NAME = re.compile(r"[a-z0-9-]{1,60}")


def default_folder() -> Path:
    """Where games are kept: `$XDG_DATA_HOME/blob-zero/games`."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "blob-zero" / "games"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A saved game in the list of all."""

    name: str
    session: Session


class Saves:
    """The games in a folder.

    Args:
        folder: made when the first game is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new_name(self) -> str:
        """A name for a new game, with the date in front."""
        return f"{datetime.now(UTC).astimezone():%Y-%m-%d-%H%M}-{secrets.token_hex(4)}"

    def save(self, name: str, session: Session) -> None:
        """Writes a game; a killed process leaves the old file or the new one.

        Raises:
            CheckpointError: it cannot be written.
        """
        make_folder(self.folder)
        write_atomically(self._path(name), to_text(session).encode())

    def load(self, name: str) -> Session:
        """Reads a game.

        Raises:
            ConfigError: there is none of that name, or it cannot be read.
        """
        path = self._path(name)
        if not path.is_file():
            raise ConfigError(f"no saved game {name[:60]!r}")
        return read_file(path)

    def delete(self, name: str) -> None:
        """Deletes a game, if it is there."""
        self._path(name).unlink(missing_ok=True)

    def newest(self, most: int) -> list[Saved]:
        """The newest games, the last one saved first; files that cannot be read are left out."""
        if not self.folder.is_dir():
            return []
        paths = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
        found = []
        for path in paths[:most]:
            try:
                found.append(Saved(name=path.stem, session=read_file(path)))
            except BlobError:
                continue
        return found

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise ConfigError(f"{name[:60]!r} is no name of a game")
        return self.folder / f"{name}{SUFFIX}"


def read_file(path: Path) -> Session:
    """Reads the file of a game.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} has {len(content):,} bytes; a game has at most {MAX_BYTES:,}")
    return from_text(content.decode("utf-8", "replace"))


def to_text(session: Session) -> str:
    """A game as text."""
    table = session.table
    tags = {
        "Game": "blob-zero",
        "Hash": hash_of(table.secret),
        "Secret": table.secret,
        "Cut": table.cut,
        "Name": table.name,
        "Players": str(table.players),
        "Cards": str(table.cards),
        "Length": table.length,
        "Levels": ", ".join(table.levels),
        "Hook": "yes" if table.rules.hook else "no",
        "Scoring": table.rules.scoring,
        "TurnUp": "yes" if table.rules.turn_up else "no",
        "Undos": str(session.undos),
        "Hints": str(session.hints),
    }
    if session.round.phase != "done":
        players = session.round.players
        names = [
            action_name(action, "bidding" if turn < players else "playing")
            for turn, action in enumerate(session.running)
        ]
        tags["Running"] = " ".join(names)
    return write_game(GameText(tags=tags, rounds=tuple(session.finished)))


def from_text(text: str) -> Session:
    """Reads a game from its text.

    Raises:
        ConfigError: it is no game, or its rounds do not follow from its seed.
    """
    game = read_game(text)
    tags = game.tags
    try:
        table = _read_table(tags)
        session = Session(table)
        for round_ in game.rounds:
            session.next_round()
            _check_deal(session, round_)
            for action in round_.actions:
                session.play_any(action)
        if "Running" in tags:
            session.next_round()
            for move in tags["Running"].split():
                session.play_any(read_action(move, session.round))
        session.undos, session.hints = int(tags.get("Undos", 0)), int(tags.get("Hints", 0))
    except (KeyError, ValueError) as error:
        if isinstance(error, BlobError):
            raise
        raise ConfigError(f"no saved game: {error!r}") from error
    return session


def _read_table(tags: dict[str, str]) -> Table:
    if tags.get("Game") != "blob-zero":
        raise ConfigError('no saved game: the tag [Game "blob-zero"] is missing')
    return Table(
        players=int(tags["Players"]),
        cards=int(tags["Cards"]),
        levels=tuple(level.strip() for level in tags["Levels"].split(",")),
        secret=tags["Secret"],
        cut=tags["Cut"],
        length=cast("Length", tags["Length"]),
        name=tags["Name"],
        rules=_core.RoundRules(
            hook=tags["Hook"] == "yes",
            scoring=cast("Literal['exact', 'exact_plus_tricks']", tags["Scoring"]),
            turn_up=tags["TurnUp"] == "yes",
        ),
    )


def _check_deal(session: Session, round_: RoundText) -> None:
    if RoundText.of(session.round, ()).hands != round_.hands:
        raise ConfigError(f"round {session.round_number + 1} is not the deal of the game's seed")
