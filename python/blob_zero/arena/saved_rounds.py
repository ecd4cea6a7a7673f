"""The rounds of matches as text, so that people can look at them and `blob-zero review` can judge them."""

from dataclasses import replace

from blob_zero.arena.match import MatchRecord
from blob_zero.errors import ConfigError
from blob_zero.notation import GameText, RoundText, write_game
from blob_zero.notation.columns import rounds_of


class SavedRounds:
    """Collects the rounds of matches."""

    def __init__(self) -> None:
        self._rounds: list[RoundText] = []

    def add(self, first: str, second: str, record: MatchRecord) -> None:
        """Adds a match, in which the first agent has seat r in rotation r, and the second all others.

        Raises:
            ConfigError: an agent is a Python function, whose rounds are not kept.
        """
        if record.rounds is None:
            raise ConfigError(f"{first} against {second} is played in Python, and its rounds are not kept")
        for number, round_ in zip(record.rounds["number"].tolist(), rounds_of(record.rounds), strict=True):
            rotation = number % round_.players
            seats = (first if seat == rotation else second for seat in range(round_.players))
            # Commas separate seats.
            self._rounds.append(replace(round_, seats=tuple(name.replace(",", ";") for name in seats)))

    def text(self) -> str:
        """All rounds so far, in the notation of docs/notation.md."""
        return write_game(GameText(tags={"Game": "arena"}, rounds=tuple(self._rounds)))
