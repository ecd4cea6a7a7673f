"""The table of a game: who sits there, what is played, and the deals."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal, Protocol

from blob_zero import _core
from blob_zero.errors import ConfigError
from blob_zero.notation.rounds import Trump
from blob_zero.play.fairness import seed_of_bots, seed_of_game
from blob_zero.play.levels import find_level

Length = Literal["game", "round"]

YOU = 0
"""The seat of the person."""

_NAMES = ("Ada", "Blaise", "Carla", "Dmitri", "Elin", "Farid", "Grace", "Hugo")


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is fixed before the first deal.

    Attributes:
        cards: cards of the largest round.
        length: a whole game, or one round.
        levels: the agents of seats 1 to players - 1.
        name: the person's name.
        secret: the server's part of the seed, see `blob_zero.play.fairness`.
        cut: the player's part of the seed.

    Raises:
        ConfigError: the table cannot be dealt, or a level is unknown.
    """

    players: int
    cards: int
    levels: tuple[str, ...]
    secret: str
    cut: str
    length: Length = "game"
    name: str = "You"
    rules: _core.RoundRules = field(default_factory=_core.RoundRules)

    def __post_init__(self) -> None:
        if len(self.levels) != self.players - 1:
            raise ConfigError(f"{len(self.levels)} levels for {self.players} players; each but you has one")
        if self.length not in ("game", "round"):
            raise ConfigError(f"length is {self.length!r}; it is game or round")
        if not 1 <= len(self.name) <= 20 or not self.name.isprintable():
            raise ConfigError("a name has 1 to 20 characters")
        for level in self.levels:
            find_level(level)
        self.deals()

    @property
    def seed(self) -> int:
        """The seed of the deals."""
        return seed_of_game(self.secret, self.cut)

    @property
    def bot_seed(self) -> int:
        """The seed of the bots."""
        return seed_of_bots(self.secret, self.cut)

    @property
    def names(self) -> list[str]:
        """The name of each seat."""
        return [self.name, *[name for name in _NAMES if name != self.name][: self.players - 1]]

    @property
    def same_deals(self) -> str:
        """A mark that tables with the same deals and the same bots share."""
        rules = (self.rules.hook, self.rules.scoring, self.rules.turn_up)
        what = (self.players, self.cards, self.length, rules, self.levels, self.seed)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:12]

    def deals(self) -> "Deals":
        """The first deal, and those that follow."""
        if self.length == "round":
            return OneRound(self)
        return _core.Game(
            players=self.players, cards=self.cards, seed=self.seed, dealer=self.seed % self.players, rules=self.rules
        )


class Deals(Protocol):
    """A game or a single round in progress."""

    @property
    def schedule(self) -> list[int]:
        """Cards of each round."""

    @property
    def round(self) -> _core.Round:
        """A copy of the round in progress; of the last one when all is done."""

    @property
    def history(self) -> list[list[int]]:
        """Points of each seat, by finished round."""

    @property
    def done(self) -> bool:
        """Whether all rounds are finished."""

    def play(self, action: int) -> None:
        """Plays an action; the last one of a round deals the next."""


class OneRound:
    """A round that stands alone, with a trump drawn by the seed."""

    def __init__(self, table: Table) -> None:
        trumps: tuple[Trump | None, ...] = ("S", "H", "C", "D", None)
        self._round = _core.Round(
            players=table.players,
            cards=table.cards,
            trump=None if table.rules.turn_up else trumps[table.seed % len(trumps)],
            dealer=table.seed // len(trumps) % table.players,
            seed=table.seed,
            rules=table.rules,
        )

    @property
    def schedule(self) -> list[int]:
        """Cards of the round."""
        return [self._round.cards]

    @property
    def round(self) -> _core.Round:
        """A copy of the round."""
        return self._round.copy()

    @property
    def history(self) -> list[list[int]]:
        """Points of each seat, once the round is finished."""
        return [self._round.scores()] if self.done else []

    @property
    def done(self) -> bool:
        """Whether the round is finished."""
        return self._round.phase == "done"

    def play(self, action: int) -> None:
        """Plays an action."""
        self._round.play(action)
